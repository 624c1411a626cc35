package web

import (
	"slices"
	"strconv"
	"strings"

	"pulse/web/chart"
	"pulse/web/render"
)

// params reads the parameters of a picture and remembers the first fault.
type params struct {
	r   *request
	err error
}

func (p *params) refuse(name, got, want string) {
	if p.err == nil {
		p.err = badRequest("parameter " + name + " is " + strconv.Quote(clip(got, 40)) + ", must be " + want)
	}
}

// size reads a length in pixels; what is larger than most is drawn as most.
func (p *params) size(name string, def, most int64) int64 {
	n, err := p.r.number(name, def, 1, 1<<30)
	if err != nil && p.err == nil {
		p.err = err
	}
	return min(n, most)
}

func (p *params) float(name string, def, lo, hi float64) float64 {
	text := p.r.param(name)
	if text == "" {
		return def
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= lo && v <= hi) {
		p.refuse(name, text, "a number from "+strconv.FormatFloat(lo, 'g', -1, 64)+" to "+strconv.FormatFloat(hi, 'g', -1, 64))
		return def
	}
	return v
}

// axis reads what is said about axis i: name.i, or name for all axes.
func (p *params) axis(i int, theme chart.Theme) chart.Axis {
	at := func(name string) string { return axisParam(p.r, name, i) }
	a := chart.Axis{Number: i, Scale: p.scale(at("scale"))}
	if p.r.param(at("scale")) == "" && p.r.flag(at("o")) {
		a.Scale = chart.ScaleLog
	}
	a.TickLabels = pick(p, at("tick_labels"), map[string]chart.TickLabels{"": chart.TicksDecimal, "decimal": chart.TicksDecimal, "binary": chart.TicksBinary, "duration": chart.TicksDuration, "off": chart.TicksOff})
	a.Lower, a.Upper = p.bound(at("l")), p.bound(at("u"))
	if l, u := a.Lower, a.Upper; l.Kind == chart.BoundValue && u.Kind == chart.BoundValue && l.Value >= u.Value && p.err == nil {
		p.err = badRequest("lower bound must be less than upper bound (" + boundText(l) + " >= " + boundText(u) + ")")
	}
	a.Heat = chart.Heat{
		Label: clip(p.r.param(at("heatmap_label")), 200), Scale: p.scale(at("heatmap_scale")),
		Lower: p.bound(at("heatmap_l")), Upper: p.bound(at("heatmap_u")), Palette: p.palette(at("heatmap_palette"), theme),
	}
	return a
}

func (p *params) scale(name string) chart.Scale {
	s, ok := chart.ParseScale(p.r.param(name))
	if !ok {
		p.refuse(name, p.r.param(name), "one of "+strings.Join(chart.ScaleNames(), ", "))
	}
	return s
}

// palette reads a palette, nil when the parameter is absent.
func (p *params) palette(name string, theme chart.Theme) *chart.Palette {
	text := p.r.param(name)
	if text == "" {
		return nil
	}
	out, err := chart.ParsePalette(text, theme)
	if err != nil && p.err == nil {
		p.err = badRequest("parameter " + name + ": " + clip(err.Error(), 300))
	}
	return &out
}

func (p *params) bound(name string) chart.Bound {
	switch text := p.r.param(name); text {
	case "", "auto-style":
		return chart.Bound{Kind: chart.BoundAutoStyle}
	case "auto-data":
		return chart.Bound{Kind: chart.BoundAutoData}
	default:
		return chart.Bound{Kind: chart.BoundValue, Value: p.float(name, 0, -1e300, 1e300)}
	}
}

// boundText writes a bound as its parameter says it.
func boundText(b chart.Bound) string {
	switch b.Kind {
	case chart.BoundAutoStyle:
		return "auto-style"
	case chart.BoundAutoData:
		return "auto-data"
	}
	return string(render.AppendNumber(nil, b.Value))
}

// pick reads one of the named choices, in capitals or not.
func pick[T any](p *params, name string, choices map[string]T) T {
	v, ok := choices[strings.ToLower(p.r.param(name))]
	if !ok {
		var names []string
		for choice := range choices {
			if choice != "" {
				names = append(names, choice)
			}
		}
		p.refuse(name, p.r.param(name), "one of "+sortedList(names))
	}
	return v
}

func sortedList(names []string) string {
	slices.Sort(names)
	return strings.Join(names, ", ")
}
