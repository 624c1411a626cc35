package chart

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"
)

// TestEncode: a picture of few colours comes back as it was; one of more has no
// pixel further off than the eye sees, and those of large areas as they were.
func TestEncode(t *testing.T) {
	paint := func(f func(x, y int) color.RGBA) *image.RGBA {
		img := image.NewRGBA(image.Rect(0, 0, 300, 200))
		for y := range 200 {
			for x := range 300 {
				img.SetRGBA(x, y, f(x, y))
			}
		}
		return img
	}
	ground := color.RGBA{251, 252, 253, 255}
	for name, c := range map[string]struct {
		img             *image.RGBA
		apart, paletted bool
	}{
		"few colours": {paint(func(x, y int) color.RGBA { return color.RGBA{uint8(x / 2), 0, uint8(y / 100), 255} }), false, false},
		"one colour":  {paint(func(x, y int) color.RGBA { return ground }), false, true},
		"200 colours": {paint(func(x, y int) color.RGBA { return color.RGBA{uint8(y), 0, 0, 255} }), false, true},
		"many, close": {paint(func(x, y int) color.RGBA {
			if x < 250 {
				return ground
			}
			return color.RGBA{uint8(y), uint8(x % 50), uint8(y), 255}
		}), true, true},
		"all there are": {paint(func(x, y int) color.RGBA { return color.RGBA{uint8(x), uint8(y), uint8(x / 256 * 100), 255} }), false, false},
	} {
		var b bytes.Buffer
		if err := encode(&b, c.img); err != nil {
			t.Fatal(err)
		}
		got, err := png.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := got.(*image.Paletted); ok != c.paletted && name != "few colours" {
			t.Errorf("%s: a palette %v, want %v", name, ok, c.paletted)
		}
		off := 0
		for y := range 200 {
			for x := range 300 {
				want := c.img.RGBAAt(x, y)
				r, g, bl, _ := got.At(x, y).RGBA()
				d := distance(pixel([]uint8{want.R, want.G, want.B}), r>>8<<16|g>>8<<8|bl>>8)
				if off = max(off, d); d > 0 && want == ground {
					t.Fatalf("%s: the ground is off by %d", name, d)
				}
			}
		}
		if off > mostApart || !c.apart && off > 0 {
			t.Errorf("%s: a channel is off by %d", name, off)
		}
	}
}

// TestScaleInverse: what stands somewhere is found there again, and larger
// values stand higher.
func TestScaleInverse(t *testing.T) {
	for _, e := range []extent{{-500, 2000, 0.5, false, false}, {1, 1e6, 1, false, false}, {0, 30, 1e-3, true, true}, {-9e5, -3, 3, false, false}} {
		for name, kind := range scaleNames {
			s := newScale(Axis{Scale: kind}, e, 300)
			last := -1.0
			for i := range 101 {
				want := float64(i) / 100
				v := s.at(want)
				if got := s.part(v); got < want-1e-6 || got > want+1e-6 {
					t.Errorf("%s of %v: %v stands at %v, want %v", name, e, v, got, want)
				}
				if got := s.part(v); got <= last {
					t.Errorf("%s of %v: %v stands at %v, not above %v", name, e, v, got, last)
				}
				last = s.part(v)
			}
		}
	}
}
