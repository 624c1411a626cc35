package chart

import (
	"cmp"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
)

const (
	// mostColors is how many are looked at for a palette; with more, every pixel
	// keeps its own.
	mostColors = 30_000
	// mostApart is how far a channel may be off.
	mostApart = 20
)

// encode writes a PNG. What has few colours, or few that differ more than the
// eye sees, is written with a palette, in a third of the bytes; the colours
// that most pixels have stay as they are.
func encode(w io.Writer, img *image.RGBA) error {
	e := png.Encoder{CompressionLevel: png.DefaultCompression}
	counts := countColors(img)
	if counts == nil {
		return e.Encode(w, img)
	}
	for _, apart := range []int{0, 4, 7, 10, 14, mostApart} {
		if index, palette := assign(counts, apart); palette != nil {
			return e.Encode(w, indexed(img, index, palette))
		}
	}
	return e.Encode(w, img)
}

// pixel is an opaque colour as a number.
func pixel(p []uint8) uint32 { return uint32(p[0])<<16 | uint32(p[1])<<8 | uint32(p[2]) }

type colorCount struct {
	color uint32
	n     int
}

// countColors returns the colours, the most frequent ones first, nil when
// there are too many.
func countColors(img *image.RGBA) []colorCount {
	counts := map[uint32]int{}
	last, run := uint32(0), 0
	for i := 0; i+3 < len(img.Pix); i += 4 {
		c := pixel(img.Pix[i:])
		if c != last {
			counts[last] += run
			last, run = c, 0
			if len(counts) > mostColors {
				return nil
			}
		}
		run++
	}
	counts[last] += run
	out := make([]colorCount, 0, len(counts))
	for c, n := range counts {
		if n > 0 {
			out = append(out, colorCount{c, n})
		}
	}
	slices.SortFunc(out, func(a, b colorCount) int {
		return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.color, b.color))
	})
	return out
}

// large is the part of all pixels from which a colour is kept as it is.
const large = 1.0 / 1000

// assign gives every colour a place in a palette of at most 256: colours of
// many pixels their own, the others that of the nearest one, no channel further
// off than apart; nil when that takes more.
func assign(counts []colorCount, apart int) (map[uint32]uint8, color.Palette) {
	pixels := 0
	for _, c := range counts {
		pixels += c.n
	}
	index := make(map[uint32]uint8, len(counts))
	var chosen []uint32
	for _, c := range counts {
		at, off := -1, apart+1
		for i, other := range chosen {
			if d := distance(c.color, other); d < off {
				at, off = i, d
			}
		}
		if at < 0 || off > 0 && float64(c.n) >= large*float64(pixels) {
			if len(chosen) == 256 {
				return nil, nil
			}
			at = len(chosen)
			chosen = append(chosen, c.color)
		}
		index[c.color] = uint8(at)
	}
	var palette color.Palette
	for _, c := range chosen {
		palette = append(palette, color.RGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 255})
	}
	return index, palette
}

// distance is the largest difference of a channel.
func distance(a, b uint32) int {
	most := 0
	for shift := 0; shift <= 16; shift += 8 {
		d := int(a>>shift&0xff) - int(b>>shift&0xff)
		most = max(most, d, -d)
	}
	return most
}

func indexed(img *image.RGBA, index map[uint32]uint8, palette color.Palette) *image.Paletted {
	out := image.NewPaletted(img.Rect, palette)
	width, height := img.Rect.Dx(), img.Rect.Dy()
	last, at := uint32(1<<24), uint8(0)
	for y := range height {
		row := img.Pix[y*img.Stride:]
		for x := range width {
			if c := pixel(row[4*x:]); c != last {
				last, at = c, index[c]
			}
			out.Pix[y*out.Stride+x] = at
		}
	}
	return out
}
