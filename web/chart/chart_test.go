package chart_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulse/web/chart"
)

var rewrite = flag.Bool("rewrite", false, "write the images of testdata anew")

const minute = 60_000

// write lays out and draws a spec.
func write(w io.Writer, s chart.Spec) error {
	p, err := chart.New(s)
	if err != nil {
		return err
	}
	return p.PNG(context.Background(), w)
}

// draw renders a spec and decodes the image.
func draw(t testing.TB, s chart.Spec) image.Image {
	t.Helper()
	var out bytes.Buffer
	if err := write(&out, s); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&out)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// plain is the plot area alone, 100 by 100 pixels, ten steps, values 0 to 10.
func plain(lines ...chart.Line) chart.Spec {
	return chart.Spec{Width: 100, Height: 100, OnlyGraph: true, Start: 0, End: 10 * minute, Step: minute, Lines: lines,
		Axes: []chart.Axis{{Lower: chart.Bound{Kind: chart.BoundValue}, Upper: chart.Bound{Kind: chart.BoundValue, Value: 10}}}}
}

var (
	red   = color.NRGBA{255, 0, 0, 255}
	green = color.NRGBA{0, 160, 0, 255}
	nan   = math.NaN()
)

// looks says what colour a pixel has: r, g, or . for neither.
func looks(c color.Color) byte {
	r, g, b, _ := c.RGBA()
	switch {
	case r > g+0x2000 && r > b+0x2000:
		return 'r'
	case g > r+0x2000 && g > b+0x2000:
		return 'g'
	}
	return '.'
}

// column reads the middle of a step, one letter per unit of value from the
// bottom up.
func column(img image.Image, step int) string {
	out := make([]byte, 10)
	for i := range out {
		out[i] = looks(img.At(step*10+5, 99-(i*10+5)))
	}
	return string(out)
}

func TestStyles(t *testing.T) {
	for _, test := range []struct {
		name  string
		lines []chart.Line
		want  []string // columns 0 to 3
	}{
		{"a thick line is level over its step and has gaps",
			[]chart.Line{{Color: red, Width: 8, Values: []float64{2.5, 7.5, nan, 2.5}}},
			[]string{"..r.......", ".......r..", "..........", "..r......."}},
		{"an area reaches down to zero",
			[]chart.Line{{Color: red, Style: chart.StyleArea, Values: []float64{3, nan, 10, 0}}},
			[]string{"rrr.......", "..........", "rrrrrrrrrr", ".........."}},
		{"stacks stand on each other, also over gaps",
			[]chart.Line{{Color: red, Style: chart.StyleStack, Values: []float64{2, 2, nan, 1}},
				{Color: green, Style: chart.StyleStack, Values: []float64{3, nan, 4, 1}}},
			[]string{"rrggg.....", "rr........", "gggg......", "rg........"}},
		{"a span takes the full height where the value is true",
			[]chart.Line{{Color: red, Style: chart.StyleVspan, Values: []float64{0, 1, nan, -2}}},
			[]string{"..........", "rrrrrrrrrr", "..........", "rrrrrrrrrr"}},
		{"values outside the bounds are not drawn inside",
			[]chart.Line{{Color: red, Width: 8, Values: []float64{-1e300, 1e300, math.Inf(1), math.Inf(-1)}}},
			[]string{"..........", "..........", "..........", ".........."}},
		{"later lines lie above earlier ones, whatever their style",
			[]chart.Line{{Color: red, Style: chart.StyleArea, Values: []float64{3, 3}}, {Color: green, Width: 8, Values: []float64{1.5, 1.5}}, {Color: red, Width: 8, Values: []float64{nan, 1.5}}},
			[]string{"rgr.......", "rrr.......", "..........", ".........."}},
	} {
		img := draw(t, plain(test.lines...))
		for i, want := range test.want {
			if got := column(img, i); got != want {
				t.Errorf("%s: column %d is %s, want %s", test.name, i, got, want)
			}
		}
	}
}

func TestAlpha(t *testing.T) {
	at := func(l chart.Line) int {
		r, g, _, _ := draw(t, plain(l)).At(5, 50).RGBA()
		return int(r) - int(g) // 0xffff for pure red
	}
	line := chart.Line{Color: red, Width: 20, Values: []float64{5}}
	whole := at(line)
	alpha := uint8(0x80)
	line.Alpha = &alpha
	if half := at(line); whole < 0xf000 || half > 0x9000 || half < 0x6000 {
		t.Errorf("red is %x, with alpha 80 %x", whole, half)
	}
	alpha = 0
	if none := at(line); none > 0x800 {
		t.Errorf("red is %x with alpha 00", none)
	}
}

func TestNegativeValuesFillUpToZero(t *testing.T) {
	s := plain(chart.Line{Color: red, Style: chart.StyleArea, Values: []float64{-5, 5}},
		chart.Line{Color: green, Style: chart.StyleStack, Values: []float64{nan, nan, -4, 4}},
		chart.Line{Color: red, Style: chart.StyleStack, Values: []float64{nan, nan, -4, 4}})
	s.Axes[0].Lower.Value = -10
	img := draw(t, s)
	for i, want := range []string{"..rrr.....", ".....rr...", ".rrgg.....", ".....ggrr."} {
		got := column(img, i)
		if i == 1 { // 5 lies in the middle of a cell
			got, want = got[:7], want[:7]
		}
		if i == 0 {
			got, want = got[3:], want[3:]
		}
		if got != want {
			t.Errorf("column %d is %s, want %s", i, got, want)
		}
	}
}

func wave(n int, base, amplitude, phase float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = base + amplitude*math.Sin(float64(i)/20+phase)
	}
	return out
}

// sample is a graph with everything on it.
func sample() chart.Spec {
	end := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC).UnixMilli()
	gap := wave(180, 480, 100, 2)
	for i := 60; i < 75; i++ {
		gap[i] = nan
	}
	span := make([]float64, 180)
	copy(span[100:], []float64{1, 1, 1, 1, 1, 1, 1, 1})
	return chart.Spec{
		Title: "Starts per second", Start: end - 180*minute, End: end, Step: minute, Width: 500, Height: 160,
		Axes: []chart.Axis{{Label: "starts/s"}, {Label: "latency", TickLabels: chart.TicksDuration}},
		Lines: []chart.Line{
			{Label: "region=us", Values: wave(180, 1200, 250, 0)},
			{Label: "region=eu", Values: gap},
			{Label: "latency", Axis: 1, Values: wave(180, 0.2, 0.05, 1)},
			{Label: "firing", Style: chart.StyleVspan, Values: span},
		},
		Notices: []string{"1 of 3 sources is silent."},
	}
}

func TestSameSpecSameBytes(t *testing.T) {
	var first, second bytes.Buffer
	if err := errors.Join(write(&first, sample()), write(&second, sample())); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("two drawings of one spec differ")
	}
}

// TestImages compares with images that a person has looked at. Another
// processor may round a colour differently, so a few pixels may differ a little.
func TestImages(t *testing.T) {
	dark, narrow := sample(), sample()
	dark.Theme = chart.Dark
	narrow.Width, narrow.Axes[0].Scale, narrow.NoLegendStats = 240, chart.ScaleLog, true
	for name, s := range map[string]chart.Spec{"light": sample(), "dark": dark, "narrow-log": narrow} {
		path := filepath.Join("testdata", name+".png")
		var out bytes.Buffer
		if err := write(&out, s); err != nil {
			t.Fatal(err)
		}
		if *rewrite {
			if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := png.Decode(bytes.NewReader(src))
		if err != nil {
			t.Fatal(err)
		}
		if n := differing(draw(t, s), want); n > 20 {
			t.Errorf("%s: %d pixels differ from %s", name, n, path)
		}
	}
}

func differing(a, b image.Image) int {
	if a.Bounds() != b.Bounds() {
		return math.MaxInt
	}
	n := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r, g, bl, _ := a.At(x, y).RGBA()
			r2, g2, bl2, _ := b.At(x, y).RGBA()
			if apart(r, r2) || apart(g, g2) || apart(bl, bl2) {
				n++
			}
		}
	}
	return n
}

func apart(a, b uint32) bool { return max(a, b)-min(a, b) > 0x0400 }

func TestSizes(t *testing.T) {
	size := func(change func(s *chart.Spec)) image.Point {
		s := sample()
		change(&s)
		return draw(t, s).Bounds().Size()
	}
	natural := size(func(*chart.Spec) {})
	if natural.X <= 500 || natural.Y <= 160 {
		t.Errorf("the canvas layout gives %v around a plot of 500x160", natural)
	}
	if got := size(func(s *chart.Spec) { s.OnlyGraph = true }); got != image.Pt(500, 160) {
		t.Errorf("the plot alone is %v", got)
	}
	if got := size(func(s *chart.Spec) { s.Layout, s.Height = chart.LayoutImage, 400 }); got != image.Pt(500, 400) {
		t.Errorf("the image layout gives %v", got)
	}
	for _, want := range []image.Point{{300, 100}, {400, 300}, {160, 80}} { // whatever has to give way
		if got := size(func(s *chart.Spec) { s.Layout, s.Width, s.Height = chart.LayoutImage, want.X, want.Y }); got != want {
			t.Errorf("the image layout gives %v, want %v", got, want)
		}
	}
	if got := size(func(s *chart.Spec) { s.Layout = chart.LayoutImageWidth }); got != image.Pt(500, natural.Y) {
		t.Errorf("the image-width layout gives %v, naturally %v", got, natural)
	}
	if got := size(func(s *chart.Spec) { s.Layout, s.Height = chart.LayoutImageHeight, 400 }); got.Y != 400 || got.X <= 500 {
		t.Errorf("the image-height layout gives %v, naturally %v", got, natural)
	}
	if got := size(func(s *chart.Spec) { s.Zoom = 2 }); got != natural.Mul(2) {
		t.Errorf("zoom 2 gives %v, naturally %v", got, natural)
	}
	if got := size(func(s *chart.Spec) { s.NoLegend = true }); got.X != natural.X || got.Y >= natural.Y {
		t.Errorf("without legend %v", got)
	}
	for _, plot := range []image.Point{{1, 1}, {5, 5}, {2000, 1}} {
		got := size(func(s *chart.Spec) { s.OnlyGraph, s.Width, s.Height, s.Zoom = true, plot.X, plot.Y, 0.1 })
		if got.X < 1 || got.Y < 1 {
			t.Errorf("a plot of %v at zoom 0.1 is %v", plot, got)
		}
	}
	high := func(width, lines int, stats bool) int {
		return size(func(s *chart.Spec) {
			s.Width, s.NoLegendStats, s.Axes = width, !stats, nil
			s.Lines = nil
			for i := range lines {
				s.Lines = append(s.Lines, chart.Line{Label: fmt.Sprintf("line-%02d", i), Values: []float64{1}})
			}
		}).Y
	}
	for _, c := range []struct {
		width, rows int // 16 pixels each
		stats       bool
	}{{500, 42, true}, {1000, 21, true}, {1400, 14, true}, {700, 6, false}} {
		if got, want := high(c.width, 42, c.stats)-high(c.width, 1, c.stats), (c.rows-1)*16; got != want {
			t.Errorf("42 lines at width %d: %d pixels higher than one, want %d", c.width, got, want)
		}
	}
	got := size(func(s *chart.Spec) {
		s.Width, s.Height, s.Zoom = 2000, 1000, 2
		for i := range 100 {
			s.Lines = append(s.Lines, chart.Line{Label: fmt.Sprint(i), Values: []float64{1}})
		}
	})
	if got.X > 4096 || got.Y > 4096 || max(got.X, got.Y) < 4000 {
		t.Errorf("the largest image is %v", got)
	}
}

// Text and lines must stand out from what is behind them in both themes: the
// contrast of WCAG 2.2, 4.5 for text and 2 for the lines of a graph.
func TestContrast(t *testing.T) {
	for _, theme := range []chart.Theme{chart.Light, chart.Dark} {
		s := plain()
		s.Theme = theme
		ground := draw(t, s).At(50, 37)
		names := map[string]float64{"safe": 2, "dark24": 2}
		if theme == chart.Dark {
			names = map[string]float64{"safe": 4.5, "light24": 2.8, "": 2.8}
		}
		for name, least := range names {
			p, err := chart.ParsePalette(name, theme)
			palette := p.Colors
			if err != nil || len(palette) < 7 {
				t.Fatalf("palette %q", name)
			}
			for i, c := range palette {
				if got := contrast(c, ground); got < least {
					t.Errorf("theme %d, palette %q: colour %d (%02x%02x%02x) has contrast %.2f, want %v", theme, name, i, c.R, c.G, c.B, got, least)
				}
			}
		}
	}
}

func contrast(a, b color.Color) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c color.Color) float64 {
	r, g, b, _ := c.RGBA()
	linear := func(v uint32) float64 {
		x := float64(v) / 0xffff
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

func TestBadSpecs(t *testing.T) {
	good := plain(chart.Line{Values: []float64{1}})
	for what, change := range map[string]func(s *chart.Spec){
		"width":       func(s *chart.Spec) { s.Width = 2001 },
		"no width":    func(s *chart.Spec) { s.Width = -1 },
		"height":      func(s *chart.Spec) { s.Height = 1001 },
		"zoom":        func(s *chart.Spec) { s.Zoom = 2.1 },
		"NaN zoom":    func(s *chart.Spec) { s.Zoom = nan },
		"empty range": func(s *chart.Spec) { s.End = s.Start },
		"step":        func(s *chart.Spec) { s.Step = 0 },
		"far times":   func(s *chart.Spec) { s.Start = math.MinInt64 },
		"axis":        func(s *chart.Spec) { s.Lines = []chart.Line{{Axis: 1}} },
		"no axis":     func(s *chart.Spec) { s.Lines = []chart.Line{{Axis: -1}} },
		"axes":        func(s *chart.Spec) { s.Axes = make([]chart.Axis, 6) },
	} {
		s := good
		change(&s)
		var out bytes.Buffer
		if err := write(&out, s); err == nil || out.Len() > 0 {
			t.Errorf("%s: %v and %d bytes", what, err, out.Len())
		}
	}
}

// Whatever the values and texts, an image comes out.
func TestOddInput(t *testing.T) {
	hostile := "<script>\x1b[31m\x00\r\n\u202e\ufeff" + strings.Repeat("長いラベル ", 300) + string([]byte{0xff, 0xfe})
	values := [][]float64{nil, {nan}, {0}, {5, 5, 5}, {-1e308, 1e308}, {1e-320, 2e-320}, {math.Inf(1), 1}, {1e300, -1e300, 0}, {1e16, 1e16 + 2}, make([]float64, 50)}
	for _, scale := range []chart.Scale{chart.ScaleLinear, chart.ScaleLog, chart.ScaleLogLinear, chart.ScalePow2, chart.ScaleSqrt, chart.ScalePercentile} {
		for _, v := range values {
			for _, style := range []chart.LineStyle{chart.StyleStack, chart.StyleHeatmap} {
				for _, labels := range []chart.TickLabels{chart.TicksBinary, chart.TicksDuration} {
					s := plain(chart.Line{Label: hostile, Style: style, Values: v}, chart.Line{Label: "", Style: style, Values: v})
					s.OnlyGraph, s.Axes, s.Width, s.Height = false, []chart.Axis{{Scale: scale, TickLabels: labels, Label: hostile}}, 60, 30
					s.Title, s.Notices = hostile, []string{hostile, ""}
					draw(t, s)
				}
			}
		}
	}
	one := plain(chart.Line{Values: []float64{1}})
	one.OnlyGraph, one.Width, one.Height, one.Layout = false, 1, 1, chart.LayoutImage
	draw(t, one)
}

func TestErrorImage(t *testing.T) {
	for _, message := range []string{"", "no matches for word ':eqq'", strings.Repeat("x", 10_000), "\x00\x1b\xff\n"} {
		for _, theme := range []chart.Theme{chart.Light, chart.Dark} {
			for _, size := range []image.Point{{0, 0}, {400, 100}, {-5, 1 << 30}} {
				var out bytes.Buffer
				if err := chart.ErrorPNG(&out, message, []string{message, "did you mean :eq?"}, size.X, size.Y, theme); err != nil {
					t.Fatal(err)
				}
				img, err := png.Decode(&out)
				if err != nil {
					t.Fatal(err)
				}
				want := image.Pt(700, 300)
				if size.X == 400 {
					want = size
				}
				if got := img.Bounds().Size(); got != want {
					t.Errorf("size %v gives %v", size, got)
				}
			}
		}
	}
}

func TestStatsOf(t *testing.T) {
	s := chart.StatsOf([]float64{nan, 3, -1, nan, 4, nan})
	if s != (chart.Stats{Max: 4, Min: -1, Avg: 2, Last: 4, Total: 6, Count: 3}) {
		t.Errorf("got %+v", s)
	}
	if s := chart.StatsOf([]float64{nan}); s.Count != 0 || !math.IsNaN(s.Max) || !math.IsNaN(s.Total) {
		t.Errorf("of nothing %+v", s)
	}
}

func TestParseColor(t *testing.T) {
	for text, want := range map[string][2]color.NRGBA{ // light and dark
		"f00": {{255, 0, 0, 255}, {255, 0, 0, 255}}, "00ff7f": {{0, 255, 127, 255}, {0, 255, 127, 255}},
		"80FF0000": {{255, 0, 0, 128}, {255, 0, 0, 128}}, "White": {{255, 255, 255, 255}, {255, 255, 255, 255}},
		"blue1": {{0x6b, 0xae, 0xd6, 255}, {0xc6, 0xdb, 0xef, 255}}, "red3": {{0x67, 0, 0x0d, 255}, {0xcb, 0x18, 0x1d, 255}},
		"gray3": {{0, 0, 0, 255}, {0x77, 0x77, 0x77, 255}},
	} {
		for i, theme := range []chart.Theme{chart.Light, chart.Dark} {
			if got, ok := chart.ParseColor(text, theme); !ok || got != want[i] {
				t.Errorf("%s, theme %d: %v, %v", text, theme, got, ok)
			}
		}
	}
	for _, text := range []string{"", "ff", "ffff", "fffffff", "ggg", "+fffffff", "-1234567", "nocolour", "#ff0000"} {
		if got, ok := chart.ParseColor(text, chart.Dark); ok {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	s := sample()
	s.Width, s.Height = 700, 300
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		if err := write(&out, s); err != nil {
			b.Fatal(err)
		}
	}
}
