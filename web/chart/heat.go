package chart

import (
	"image/color"
	"math"
)

// heatmap is how often the values of the heat map lines of an axis fell into
// each cell of the plot.
type heatmap struct {
	axis       int
	label      string
	cols, rows int
	group      int       // steps of a column
	cells      []float64 // rows × cols, the lowest row first; 0 is empty
	counts     scale     // of the cells to colours
	single     bool      // all cells that are not empty count the same
	shades     []color.NRGBA
}

const (
	heatColumn = 4.0 // least width of a cell in pixels
	heatRow    = 6.0 // least height
	heatShades = 24
)

// newHeatmap counts the heat map lines of an axis, nil when there are none.
func newHeatmap(s *Spec, axis int, on *scale, width, height float64) *heatmap {
	var lines []*Line
	steps := int((s.End - s.Start + s.Step - 1) / s.Step)
	for i := range s.Lines {
		if l := &s.Lines[i]; l.Style == StyleHeatmap && l.Axis == axis {
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	heat := s.Axes[axis].Heat
	h := &heatmap{axis: axis, label: heat.Label}
	if h.label == "" {
		h.label = "heatmap"
	}
	h.group = max(1, int(math.Ceil(heatColumn*float64(steps)/width)))
	h.cols = (steps + h.group - 1) / h.group
	h.rows = min(max(int(height/heatRow), 1), 100)
	h.cells = make([]float64, h.rows*h.cols)
	for _, l := range lines {
		for i, v := range l.Values[:min(len(l.Values), steps)] {
			if l.Bucket != nil {
				h.spread(on, i/h.group, l.Bucket, v)
			} else if part := on.part(v); finite(v) && part >= 0 && part <= 1 {
				h.cells[min(int(part*float64(h.rows)), h.rows-1)*h.cols+i/h.group]++
			}
		}
	}
	h.scaleCounts(heat)
	h.shades = heatColors(heat.Palette, lines[0].Color, s.Theme)
	return h
}

// spread counts v in the rows that a bucket covers, each by its share.
func (h *heatmap) spread(on *scale, col int, bucket *[2]float64, v float64) {
	if !(v > 0) || !finite(v) {
		return
	}
	from, to := on.part(bucket[0])*float64(h.rows), on.part(bucket[1])*float64(h.rows)
	if math.IsInf(from, -1) { // a bucket from zero on a scale without zero
		from = math.Floor(to - 1e-9)
	}
	if math.IsNaN(from) || math.IsNaN(to) || to < 0 || from > float64(h.rows) || from > to {
		return
	}
	if to-from < 1e-9 {
		to = from + 1e-9
	}
	for row := max(int(from), 0); row < h.rows && float64(row) < to; row++ {
		share := (min(to, float64(row+1)) - max(from, float64(row))) / (to - from)
		h.cells[row*h.cols+col] += v * share
	}
}

// scaleCounts fits the scale of the colours to the cells that are not empty.
func (h *heatmap) scaleCounts(heat Heat) {
	e := extent{lowest: 1, highest: 0}
	for _, v := range h.cells {
		if v > 0 {
			e.add(v)
		}
	}
	h.single = e.lowest == e.highest
	fixed := func(b Bound, v float64) Bound {
		if b.Kind != BoundValue {
			b = Bound{BoundValue, v}
		}
		return b
	}
	h.counts = newScale(Axis{Scale: heat.Scale, Lower: fixed(heat.Lower, e.lowest), Upper: fixed(heat.Upper, e.highest)}, e, 100)
}

// shade returns which colour a cell has, -1 for none.
func (h *heatmap) shade(v float64) int {
	part := h.counts.part(v)
	if h.single && v > 0 {
		part = 1 - 1e-9
	}
	if !(v > 0) || part < -1e-9 || part > 1+1e-9 {
		return -1
	}
	return min(max(int(part*float64(len(h.shades))), 0), len(h.shades)-1)
}

// heatColors returns the colours from the lowest count to the highest: those
// of a palette turned round, or shades of one colour that begin near the ground.
func heatColors(p *Palette, base color.NRGBA, theme Theme) []color.NRGBA {
	var stops []color.NRGBA
	if p != nil {
		for i := len(p.Colors) - 1; i >= 0; i-- {
			stops = append(stops, p.Colors[i])
		}
	}
	if len(stops) == 1 {
		base = stops[0]
	}
	if len(stops) < 2 {
		ground, far := inkOf(theme).plot, color.NRGBA{A: base.A}
		if theme == Dark {
			far = color.NRGBA{255, 255, 255, base.A}
		}
		ground.A = base.A
		stops = []color.NRGBA{mixed(ground, base, 0.16), mixed(ground, base, 0.58), base, mixed(base, far, 0.45)}
	}
	out := make([]color.NRGBA, heatShades)
	for i := range out {
		at := float64(i) / float64(heatShades-1) * float64(len(stops)-1)
		k := min(int(at), len(stops)-2)
		out[i] = mixed(stops[k], stops[k+1], at-float64(k))
	}
	return out
}

// drawHeat fills the cells, each shade at once.
func (l *layout) drawHeat(p *page, h *heatmap) {
	b := l.plot
	x := func(col int) float64 {
		return p.snap(min(l.timeX(l.spec.Start+int64(col*h.group)*l.spec.Step), b.right()))
	}
	y := func(row int) float64 { return p.snap(b.bottom() - b.h*float64(row)/float64(h.rows)) }
	cells := make([][]box, len(h.shades))
	for row := range h.rows {
		for from := 0; from < h.cols; {
			shade, to := h.shade(h.cells[row*h.cols+from]), from+1
			for to < h.cols && h.shade(h.cells[row*h.cols+to]) == shade {
				to++
			}
			if shade >= 0 {
				cells[shade] = append(cells[shade], box{x(from), y(row + 1), x(to) - x(from), y(row) - y(row+1)})
			}
			from = to
		}
	}
	for i := range cells {
		p.boxes(cells[i], h.shades[i])
	}
}
