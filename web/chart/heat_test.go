package chart_test

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"io"
	"math"
	"testing"

	"pulse/web/chart"
)

// heat returns the heat map of the first axis.
func heat(t *testing.T, s chart.Spec) *chart.ShownHeat {
	t.Helper()
	p, err := chart.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return p.Axes()[0].Heat
}

func total(h *chart.ShownHeat) (sum float64) {
	for _, row := range h.Cells {
		for _, v := range row {
			sum += v
		}
	}
	return sum
}

// TestHeatmapCounts: every value between the bounds is counted once, in the cell
// that it lies in.
func TestHeatmapCounts(t *testing.T) {
	s := plain(
		chart.Line{Style: chart.StyleHeatmap, Values: []float64{1, 1, 9.9, nan, 11, -1, math.Inf(1), 0, 10}},
		chart.Line{Style: chart.StyleHeatmap, Values: []float64{1.2, 9, 9.8, 5}})
	h := heat(t, s)
	if total(h) != 9 {
		t.Errorf("%v values are counted, want 9", total(h))
	}
	if len(h.Rows) != len(h.Cells[0])+1 || len(h.RowLabels) != len(h.Rows) || len(h.Cells) != 10 {
		t.Fatalf("%d edges, %d rows, %d columns", len(h.Rows), len(h.Cells[0]), len(h.Cells))
	}
	for row := range h.Cells[0] {
		for _, c := range []struct {
			col  int
			v, n float64
		}{{0, 1.05, 2}, {2, 9.85, 2}, {3, 5, 1}} {
			if in := c.v >= h.Rows[row] && c.v < h.Rows[row+1]; in && h.Cells[c.col][row] != c.n {
				t.Errorf("%v values near %v in column %d, want %v", h.Cells[c.col][row], c.v, c.col, c.n)
			}
		}
	}
	s.Lines = s.Lines[:0]
	for range 1000 { // more steps than pixels share a column when drawn, and only then
		s.Lines = append(s.Lines, chart.Line{Style: chart.StyleHeatmap, Values: []float64{5}})
	}
	s.End, s.Step = 1000*minute, minute
	for i := range s.Lines {
		s.Lines[i].Values = make([]float64, 1000)
	}
	if h := heat(t, s); total(h) != 1e6 || len(h.Cells) != 1000 {
		t.Errorf("%v counted in %d columns", total(h), len(h.Cells))
	}
}

// TestHeatmapBuckets: a bucket's count is spread over the rows that it covers.
func TestHeatmapBuckets(t *testing.T) {
	for scale, s := range map[string]chart.Scale{"linear": chart.ScaleLinear, "log-linear": chart.ScaleLogLinear, "percentile": chart.ScalePercentile, "log": chart.ScaleLog} {
		spec := plain()
		spec.Axes[0] = chart.Axis{Scale: s}
		sum := 0.0
		for i := range 8 {
			low := math.Pow(2, float64(i)) - 1
			spec.Lines = append(spec.Lines, chart.Line{Style: chart.StyleHeatmap, Bucket: &[2]float64{low, 2*low + 1}, Values: []float64{float64(i), nan, -1, 2}})
			sum += float64(i) + 2
		}
		if got := total(heat(t, spec)); math.Abs(got-sum) > 1e-6*sum {
			t.Errorf("%s: %v are counted, want %v", scale, got, sum)
		}
	}
	one := plain(chart.Line{Style: chart.StyleHeatmap, Bucket: &[2]float64{2, 4}, Values: []float64{8}})
	h := heat(t, one)
	for row, got := range h.Cells[0] {
		share := max(0, min(h.Rows[row+1], 4)-max(h.Rows[row], 2)) / 2
		if math.Abs(got-8*share) > 1e-9 {
			t.Errorf("from %v to %v: %v, want %v", h.Rows[row], h.Rows[row+1], got, 8*share)
		}
	}
}

// TestHeatmapLooks: the most frequent cells have the first colour of the
// palette, the bounds leave out cells.
func TestHeatmapLooks(t *testing.T) {
	s := plain()
	for i := range 10 { // ten times 2.5 in the first column, once in the others
		v := []float64{2.5, nan, nan}
		if i == 0 {
			v = []float64{2.5, 2.5, 7.5}
		}
		s.Lines = append(s.Lines, chart.Line{Style: chart.StyleHeatmap, Values: v})
	}
	s.Axes[0].Heat.Palette = &chart.Palette{Colors: []color.NRGBA{red, green}}
	img := draw(t, s)
	if a, b, c := column(img, 0), column(img, 1), column(img, 2); a[2] != 'r' || b[2] != 'g' || c[7] != 'g' || a[7] != '.' {
		t.Errorf("%s %s %s", a, b, c)
	}
	s.Axes[0].Heat.Lower = chart.Bound{Kind: chart.BoundValue, Value: 2}
	img = draw(t, s)
	if a, b := column(img, 0), column(img, 1); a[2] != 'r' || b[2] != '.' {
		t.Errorf("from 2 on: %s %s", a, b)
	}
}

func colorsOf(t *testing.T, s chart.Spec) (out []color.NRGBA) {
	t.Helper()
	p, err := chart.New(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range p.Spec().Lines {
		out = append(out, l.Color)
	}
	return out
}

// TestColors: which line gets which colour.
func TestColors(t *testing.T) {
	blue, gray := color.NRGBA{0, 0, 255, 255}, color.NRGBA{9, 9, 9, 255}
	all := &chart.Palette{Colors: []color.NRGBA{red, green}}
	own := &chart.Palette{Colors: []color.NRGBA{blue, gray}}
	alpha, none := uint8(0x40), uint8(0)
	s := plain(chart.Line{}, chart.Line{Color: blue}, chart.Line{}, chart.Line{}, chart.Line{Palette: own}, chart.Line{Palette: own}, chart.Line{Alpha: &alpha},
		chart.Line{Style: chart.StyleHeatmap}, chart.Line{Style: chart.StyleHeatmap}, chart.Line{}, chart.Line{Turn: 1}, chart.Line{Turn: 4}, chart.Line{Color: blue, Alpha: &none}, chart.Line{Turn: -3})
	s.Palette = all
	faint, gone := green, blue
	faint.A, gone.A = alpha, none
	want := []color.NRGBA{red, blue, green, red, blue, gray, faint, red, red, green, red, green, gone, red}
	if got := colorsOf(t, s); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// A heat map with a palette of its own takes no colour.
	s.Axes[0].Heat.Palette = own
	if got := colorsOf(t, s); got[7] != blue || got[9] != red {
		t.Errorf("the heat map has %v, the line after it %v", got[7], got[9])
	}
}

// TestHashedColors: the colour of a label is that of its hash in Java, reckoned
// over UTF-16.
func TestHashedColors(t *testing.T) {
	hashed, err := chart.ParsePalette("hash:armytage", chart.Light)
	if err != nil {
		t.Fatal(err)
	}
	for label, hash := range map[string]int64{
		"": 0, "a": 97, "nccp-silverlight": 471887426, "(node=i-01)": 1706427249, "\u00e4": 228, "\U0001f4a5": 1772552,
		"polygenelubricants": 1 << 31, // the one negative number without a positive
	} {
		s := plain(chart.Line{Label: label})
		s.Palette = &hashed
		if got, want := colorsOf(t, s)[0], hashed.Colors[hash%24]; got != want {
			t.Errorf("%q is %v, want %v", label, got, want)
		}
	}
}

// TestPalettes: the first colours and the number of those that Atlas has too.
func TestPalettes(t *testing.T) {
	for name, want := range map[string]string{
		"armytage": "24 ff0075dc ff993f00 ff9dcc00 ff4c005c ff00998f", "light24": "24 ff00b5f7 ffe48f72 ff86ce00 ffd626ff ff479b55",
		"dark24": "24 ff2e91e5 ff862a16 ff1ca71c ff750d86 ff00a08b", "epic": "50 ffff0000 ff00ff00 ff0000ff ff880000 ff008800",
		"blues": "7 ff08306b ff08519c ff2171b5 ff4292c6 ff6baed6", "greens": "7 ff00441b ff006d2c ff238b45 ff41ab5d ff74c476",
		"oranges": "7 ff7f2704 ffa63603 ffd94801 fff16913 fffd8d3c", "purples": "7 ff3f007d ff54278f ff6a51a3 ff807dba ff9e9ac8",
		"reds": "7 ff67000d ffa50f15 ffcb181d ffef3b2c fffb6a4a", "bw": "8 c0000000 c0cccccc c0444444 c0eeeeee c0222222",
		"lightgray": "8 ffffffff ff777777 ffeeeeee ff888888 ffdddddd",
	} {
		p, err := chart.ParsePalette(name, chart.Light)
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprint(len(p.Colors))
		for _, c := range p.Colors[:5] {
			got += fmt.Sprintf(" %02x%02x%02x%02x", c.A, c.R, c.G, c.B)
		}
		if got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestParsePalette(t *testing.T) {
	for _, name := range append(chart.PaletteNames(), "", "default", "hash:reds", "colors:f00,0f0", "(,f00,80ff0000,)", "hash:(,blue1,)") {
		for _, theme := range []chart.Theme{chart.Light, chart.Dark} {
			if p, err := chart.ParsePalette(name, theme); err != nil || len(p.Colors) == 0 {
				t.Errorf("%q: %d colours, %v", name, len(p.Colors), err)
			}
		}
	}
	for _, name := range []string{"none", "hash:", "hash:none", "colors:", "colors:f00,,0f0", "(,)", "()", "colors:nocolor", "ARMYTAGE"} {
		if p, err := chart.ParsePalette(name, chart.Light); err == nil && name != "hash:" {
			t.Errorf("%q is %v", name, p)
		}
	}
}

// TestVision: people without red cones take red and a dark olive for each other,
// those without colour see brightness alone, and everybody sees white.
func TestVision(t *testing.T) {
	seen := func(v chart.Vision, c color.NRGBA) [3]float64 {
		s := plain(chart.Line{Color: c, Width: 50, Values: []float64{5, 5, 5}})
		s.Vision = v
		r, g, b, _ := draw(t, s).At(15, 50).RGBA()
		return [3]float64{float64(r >> 8), float64(g >> 8), float64(b >> 8)}
	}
	apart := func(a, b [3]float64) float64 {
		return math.Hypot(math.Hypot(a[0]-b[0], a[1]-b[1]), a[2]-b[2])
	}
	names := chart.VisionNames()
	if len(names) != 9 {
		t.Fatalf("visions %v", names)
	}
	olive, white := color.NRGBA{100, 92, 0, 255}, color.NRGBA{255, 255, 255, 255}
	for _, name := range names {
		v, ok := chart.ParseVision(name)
		if !ok {
			t.Fatal(name)
		}
		if got := seen(v, white); apart(got, [3]float64{255, 255, 255}) > 3 {
			t.Errorf("%s: white is %v", name, got)
		}
		d := apart(seen(v, red), seen(v, olive))
		if name == "normal" && d < 150 || name == "protanopia" && d > 40 {
			t.Errorf("%s: red and olive are %v apart", name, d)
		}
		if got := seen(v, red); name == "achromatopsia" && (got[0] != got[1] || got[1] != got[2]) {
			t.Errorf("without colour red is %v", got)
		}
	}
	if _, ok := chart.ParseVision("xray"); ok {
		t.Error("xray is a vision")
	}
}

// TestDrawingStops: nothing is written after the time is over.
func TestDrawingStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	over := errors.New("over")
	cancel(over)
	p, err := chart.New(sample())
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(context.Context, io.Writer) error{"PNG": p.PNG, "SVG": p.SVG} {
		var n counter
		if err := write(ctx, &n); !errors.Is(err, over) || n > 0 {
			t.Errorf("%s: %v after %d bytes", name, err, n)
		}
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// TestNoSeams: what is filled piece by piece is one area, also where it is seen
// through and pixels do not fall on steps.
func TestNoSeams(t *testing.T) {
	values := make([]float64, 1000)
	for i := range values {
		values[i] = 6 + float64(i%3)
	}
	alpha := uint8(0x60)
	s := plain(chart.Line{Color: red, Alpha: &alpha, Style: chart.StyleArea, Values: values})
	s.Width, s.Zoom, s.End = 701, 1.3, 1000*minute
	img := draw(t, s)
	count := map[color.Color]int{}
	y := img.Bounds().Dy() - 17 // between two lines of the grid
	for x := range img.Bounds().Dx() {
		count[img.At(x, y)]++
	}
	most := 0
	for _, n := range count {
		most = max(most, n)
	}
	if other := img.Bounds().Dx() - most; other > 30 { // lines of the grid
		t.Errorf("%d of %d pixels of a row look different", other, img.Bounds().Dx())
	}
}

// BenchmarkJagged draws a line that goes up and down a thousand times.
func BenchmarkJagged(b *testing.B) {
	s := plain(chart.Line{Width: 2, Values: make([]float64, 1440)})
	for i := range s.Lines[0].Values {
		s.Lines[0].Values[i] = float64(i * 7 % 10)
	}
	s.Width, s.Height, s.Zoom, s.End = 2000, 1000, 2, 1440*minute
	for b.Loop() {
		if err := write(io.Discard, s); err != nil {
			b.Fatal(err)
		}
	}
}
