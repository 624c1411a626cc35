package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pulse/query"
	"pulse/query/expr"
	"pulse/store/tags"
	"pulse/web/chart"
)

// lines fills in the lines and returns the numbers of the axes that they stand
// on in ascending order, which is that of Spec.Axes.
func (p *params) lines(spec *chart.Spec, g *query.Result) ([]int, error) {
	used := map[int]bool{}
	axes := make([]int, len(g.Lines))
	for i := range g.Lines {
		axis, err := g.Lines[i].Style.Axis()
		if err != nil {
			return nil, err
		}
		used[axis], axes[i] = true, axis
		line, err := pictureLine(&g.Lines[i], p.r.flag(axisParam(p.r, "stack", axis)), spec.Theme)
		if err != nil {
			return nil, err
		}
		line.Axis = axis
		spec.Lines = append(spec.Lines, line)
	}
	if err := p.takeColors(spec, g, axes); err != nil {
		return nil, err
	}
	if p.axisPerLine(spec, len(used)) {
		clear(used)
		for i := range spec.Lines {
			spec.Lines[i].Axis, used[i] = i, true
		}
	}
	if len(used) == 0 {
		used[0] = true
	}
	numbers := slices.Sorted(maps.Keys(used))
	for i := range spec.Lines {
		spec.Lines[i].Axis = slices.Index(numbers, spec.Lines[i].Axis)
	}
	return numbers, nil
}

// axisPerLine reports whether every line gets an axis of its own. Where that is
// asked for and cannot be, a notice says why.
func (p *params) axisPerLine(spec *chart.Spec, axes int) bool {
	if !p.r.flag("axis_per_line") {
		return false
	}
	notice := ""
	switch n := len(spec.Lines); {
	case axes > 1:
		notice = "axisPerLine cannot be used with explicit multi axis"
	case n > chart.MaxAxes:
		notice = fmt.Sprintf("Too many Y-axes, %d > %d, axis per line disabled.", n, chart.MaxAxes)
	default:
		return true
	}
	spec.Notices = append([]string{notice}, spec.Notices...)
	return false
}

// takeColors gives each line its palette, and its turn there: by axis, by
// expression, and within one by legend, whatever order the lines are shown in and
// however many of them. Earlier data has a palette of its own.
func (p *params) takeColors(spec *chart.Spec, g *query.Result, axes []int) error {
	order := make([]int, len(g.Lines))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(axes[a]-axes[b], g.Lines[a].Expr-g.Lines[b].Expr, g.Lines[a].Nth-g.Lines[b].Nth)
	})
	offset := chart.OffsetPalette(spec.Theme)
	ofAxis := map[int]*chart.Palette{}
	taken := map[*chart.Palette]int{}
	heat := map[int]bool{}
	var palette *chart.Palette // of the expression
	begin := 0
	for k, i := range order {
		l, line := &g.Lines[i], &spec.Lines[i]
		if k == 0 || l.Expr != g.Lines[order[k-1]].Expr {
			var err error
			if palette, err = p.exprPalette(l.Style, axes[i], spec.Theme, &offset, ofAxis); err != nil {
				return err
			}
			begin = taken[palette]
			if line.Color.A == 0 && line.Style != chart.StyleHeatmap {
				taken[palette] += l.Of
			}
		}
		line.Palette, line.Turn = palette, begin+l.Nth+1
		if line.Style != chart.StyleHeatmap {
			continue
		}
		line.Turn = begin + 1
		if first := !heat[axes[i]]; first && line.Color.A == 0 && p.r.param(axisParam(p.r, "heatmap_palette", axes[i])) == "" {
			taken[palette] = begin + 1
		}
		heat[axes[i]] = true
	}
	return nil
}

// exprPalette is the palette of an expression's lines: its own, that of earlier
// data, that of its axis, or nil for the graph's.
func (p *params) exprPalette(s *expr.Style, axis int, theme chart.Theme, offset *chart.Palette, ofAxis map[int]*chart.Palette) (*chart.Palette, error) {
	if text := s.Settings["palette"]; text != "" {
		own, err := chart.ParsePalette(text, theme)
		if err != nil {
			return nil, badRequest(clip(err.Error(), 300))
		}
		return &own, nil
	}
	if s.OffsetMs() > 0 {
		return offset, nil
	}
	name := "palette." + strconv.Itoa(axis)
	if _, known := ofAxis[axis]; !known {
		ofAxis[axis] = p.palette(name, theme)
	}
	return ofAxis[axis], nil
}

// pictureLine turns a line's style into the chart's.
func pictureLine(l *query.ResultLine, stack bool, theme chart.Theme) (chart.Line, error) {
	line := chart.Line{Label: l.Legend, Values: l.Values, Width: 1}
	if alpha, err := strconv.ParseUint(l.Style.Settings["alpha"], 16, 8); err == nil {
		a := uint8(alpha)
		line.Alpha = &a
	}
	if text := l.Style.Settings["color"]; text != "" {
		c, ok := chart.ParseColor(text, theme)
		if !ok {
			return line, badRequest("unknown color name " + strconv.Quote(clip(text, 40)) + ", must be one of " + strings.Join(chart.ColorNames(), ", ") + ", or hex digits")
		}
		line.Color = c
		if c.A == 0 { // which for the chart is none
			c.A = 255
			line.Color, line.Alpha = c, new(uint8)
		}
	}
	if w, err := strconv.ParseFloat(l.Style.Settings["lw"], 64); err == nil && w > 0 {
		line.Width = w
	}
	switch ls := l.Style.Settings["ls"]; {
	case ls == "area":
		line.Style = chart.StyleArea
	case ls == "stack" || ls == "" && stack:
		line.Style = chart.StyleStack
	case ls == "vspan":
		line.Style = chart.StyleVspan
	case ls == "heatmap":
		line.Style = chart.StyleHeatmap
		line.Bucket = bucket(l)
	}
	return line, nil
}

// bucket returns what a line of a percentile counts: the range of its bucket,
// for a timer in seconds; nil for any other line.
func bucket(l *query.ResultLine) *[2]float64 {
	tag, _ := l.Tags.Get("percentile")
	low, high, ok := expr.BucketRange(tag)
	if !ok {
		return nil
	}
	return &[2]float64{low, high}
}

// sharedTags are the tags that all lines have with the same value, which a title
// and the labels of axes may refer to as legends do.
func sharedTags(lines []tags.Tags) tags.Tags {
	if len(lines) == 0 {
		return nil
	}
	shared := slices.Clone(lines[0])
	for _, t := range lines[1:] {
		shared = slices.DeleteFunc(shared, func(x tags.Tag) bool {
			v, ok := t.Get(x.Key)
			return !ok || v != x.Value
		})
	}
	return shared
}
