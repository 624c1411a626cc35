package expr

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pulse/query/when"
	"pulse/store/match"
	"pulse/store/tags"
)

// Style is an expression and how to show it. It is immutable.
type Style struct {
	Expr TimeSeries
	// Settings by name: legend, sed, axis, offset, sort, order, limit, alpha,
	// color, palette, ls, lw. They must not be changed.
	Settings map[string]string
}

// NewStyle returns t without settings.
func NewStyle(t TimeSeries) *Style { return &Style{Expr: t, Settings: map[string]string{}} }

// WithExpr returns the style with another expression.
func (s *Style) WithExpr(t TimeSeries) *Style { return &Style{Expr: t, Settings: s.Settings} }

// With returns the style with a setting added and others removed.
func (s *Style) With(name, value string, without ...string) *Style {
	m := maps.Clone(s.Settings)
	if m == nil {
		m = map[string]string{}
	}
	for _, k := range without {
		delete(m, k)
	}
	m[name] = value
	return &Style{Expr: s.Expr, Settings: m}
}

// String prints the settings in descending order of name, so that an alpha
// follows the palette it was set for.
func (s *Style) String() string {
	var b strings.Builder
	b.WriteString(s.Expr.String())
	names := slices.Sorted(maps.Keys(s.Settings))
	for _, k := range slices.Backward(names) {
		v := s.Settings[k]
		b.WriteByte(',')
		switch {
		case k == "sed":
			b.WriteString(v)
		case k == "ls":
			b.WriteString(":" + v)
		case strings.HasPrefix(v, "(,") && (k == "offset" || k == "palette"):
			b.WriteString(v + ",:" + k)
		default:
			b.WriteString(match.Escape(v) + ",:" + k)
		}
	}
	return b.String()
}

// LineStyles returns the values of the setting ls.
func LineStyles() []string { return []string{"line", "area", "stack", "vspan", "heatmap"} }

// SortModes returns the values of the setting sort.
func SortModes() []string { return []string{"legend", "min", "max", "avg", "count", "total", "last"} }

// WithAlpha sets two hex digits of opacity: in the colour when that is given
// in hex, else for whatever colour the line gets.
func (s *Style) WithAlpha(alpha string) (*Style, error) {
	if _, err := strconv.ParseUint(alpha, 16, 8); err != nil || len(alpha) != 2 {
		return nil, errRequire("value should be 2 digit hex string")
	}
	if c, err := ParseColor(s.Settings["color"]); err == nil {
		a, _ := strconv.ParseUint(alpha, 16, 8)
		c.A = uint8(a)
		return s.With("color", c.String(), "alpha"), nil
	}
	return s.With("alpha", alpha), nil
}

// WithColor sets a colour by hex digits or by name; an earlier alpha and
// palette are dropped.
func (s *Style) WithColor(color string) (*Style, error) {
	if c, err := ParseColor(color); err == nil {
		color = c.String()
	} else if !colorName(color) {
		return nil, err
	}
	return s.With("color", color, "alpha", "palette"), nil
}

// WithPalette sets a palette by name, or as the text of a list of colours.
func (s *Style) WithPalette(palette string) *Style {
	return s.With("palette", palette, "color", "alpha")
}

// WithPaletteColors sets a palette of the given colours.
func (s *Style) WithPaletteColors(colors []string) *Style { return s.WithPalette(listText(colors)) }

// WithOffsets makes the style stand for one copy per shift. What is no duration
// is found by PerOffset.
func (s *Style) WithOffsets(durations []string) *Style {
	return s.With("offset", listText(durations))
}

// offsets returns the shifts of the legacy list form of :offset, in ms.
func (s *Style) offsets() ([]int64, error) {
	list := strings.TrimSuffix(strings.TrimPrefix(s.Settings["offset"], "(,"), ")")
	var out []int64
	for text := range strings.SplitSeq(list, ",") {
		if text == "" {
			continue
		}
		d, err := when.ParseDuration(match.Unescape(text))
		if err != nil {
			return nil, err
		}
		out = append(out, d.Milliseconds())
	}
	return out, nil
}

// withoutOffsets returns the style without the legacy list form of :offset.
func (s *Style) withoutOffsets() *Style {
	settings := maps.Clone(s.Settings)
	delete(settings, "offset")
	return &Style{Expr: s.Expr, Settings: settings}
}

// PerOffset returns a style per shift of the legacy list form of :offset, or
// the style itself if there is no such list, or an empty one.
func (s *Style) PerOffset() ([]*Style, error) {
	offsets, err := s.offsets()
	if err != nil {
		return nil, err
	}
	if len(offsets) == 0 {
		return []*Style{s}, nil
	}
	plain := s.withoutOffsets()
	out := make([]*Style, len(offsets))
	for i, ms := range offsets {
		t, err := WithOffset(s.Expr, ms)
		if err != nil {
			return nil, err
		}
		out[i] = plain.WithExpr(t)
	}
	return out, nil
}

// maxShifted bounds the nodes of all the copies that SplitOffsets makes.
const maxShifted = 50_000

// SplitOffsets returns PerOffset of every style. It fails when the copies
// together have more than 50,000 nodes.
func SplitOffsets(styles []*Style) ([]*Style, error) {
	var out []*Style
	left := maxShifted
	for _, s := range styles {
		copies := max(strings.Count(s.Settings["offset"], ",")-1, 1)
		if left -= size(s.Expr, left/copies) * copies; left < 0 {
			return nil, fmt.Errorf("expression too large: more than %d nodes with all its shifts", maxShifted)
		}
		shifted, err := s.PerOffset()
		if err != nil {
			return nil, err
		}
		out = append(out, shifted...)
	}
	return out, nil
}

// OffsetMs returns the smallest shift of the style's data, in ms.
func (s *Style) OffsetMs() int64 {
	var least int64
	for i, d := range DataExprs(s.Expr) {
		if o := d.OffsetMs(); i == 0 || o < least {
			least = o
		}
	}
	return least
}

// Axis returns the number of the Y axis.
func (s *Style) Axis() (int, error) {
	v, ok := s.Settings["axis"]
	if !ok {
		return 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 || n > 4 {
		return 0, fmt.Errorf("invalid axis %s, it must be 0 to 4", v)
	}
	return n, nil
}

// Limit returns how many lines are to be shown and whether there is a limit.
func (s *Style) Limit() (int, bool) {
	n, err := strconv.Atoi(s.Settings["limit"])
	return n, err == nil && n >= 0
}

// Legend returns the text shown for one line, see Legends.Of.
func (s *Style) Legend(label string, vars tags.Tags) string { return s.Legends().Of(label, vars) }

// SortBy orders lines by a mode of SortModes, "" being legend. legend and values
// give the text and the values of a line. NaN comes last in both directions.
func SortBy[L any](lines []L, mode string, descending bool, legend func(L) string, values func(L) []float64) error {
	if mode == "" {
		mode = "legend"
	}
	if !slices.Contains(SortModes(), mode) {
		return fmt.Errorf("invalid sort mode '%s'", mode)
	}
	sign := 1
	if descending {
		sign = -1
	}
	if mode == "legend" {
		slices.SortStableFunc(lines, func(a, b L) int { return sign * strings.Compare(legend(a), legend(b)) })
		return nil
	}
	stat := func(l L) float64 {
		v, _ := SummaryStats(values(l)).Get(mode)
		return v
	}
	slices.SortStableFunc(lines, func(a, b L) int {
		x, y := stat(a), stat(b)
		if x != x || y != y {
			return compareTotal(x, y)
		}
		return sign * compareTotal(x, y)
	})
	return nil
}
