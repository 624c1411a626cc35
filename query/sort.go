package query

import (
	"fmt"

	"pulse/query/expr"
)

// SortAxis orders the lines of one Y axis by a mode of expr.SortModes, whatever
// expressions they belong to; lines of other axes stay where they are. order is
// asc or desc. What is neither, or no mode, is passed over with a notice. Without
// a mode only desc changes anything.
func (r *Result) SortAxis(axis int, mode, order string) {
	var places []int
	var lines []ResultLine
	for i, l := range r.Lines {
		if n, err := l.Style.Axis(); err == nil && n == axis {
			places = append(places, i)
			lines = append(lines, l)
		}
	}
	if len(lines) == 0 {
		return
	}
	r.Notices = sortLines(r.Notices, lines, mode, order)
	for i, at := range places {
		r.Lines[at] = lines[i]
	}
}

// sortLines orders lines and returns the notices with those about a mode or an
// order that there is not.
func sortLines(notices []string, lines []ResultLine, mode, order string) []string {
	switch order {
	case "", "asc", "desc":
	default:
		notices = addNotices(notices, fmt.Sprintf("Invalid order '%s'. Using default of 'asc'.", order))
	}
	if mode == "" && order != "desc" {
		return notices
	}
	by := func(mode string) error {
		return expr.SortBy(lines, mode, order == "desc",
			func(l ResultLine) string { return l.Legend }, func(l ResultLine) []float64 { return l.Values })
	}
	if by(mode) != nil {
		notices = addNotices(notices, fmt.Sprintf("Invalid sort mode '%s'. Using default of 'legend'.", mode))
		_ = by("legend") // is a mode
	}
	return notices
}
