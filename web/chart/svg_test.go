package chart_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulse/web/chart"
)

// drawing is an SVG that was read back.
type drawing struct {
	width, height float64
	texts         []label
	paths         []vector
}

// label is a text; w is its width. Turned ones are upright.
type label struct {
	x, y, w float64
	turned  bool
	text    string
}

// vector is a path and the name of what it belongs to.
type vector struct {
	group  string
	fill   string
	points [][2]float64
}

func vectors(t testing.TB, s chart.Spec) drawing {
	t.Helper()
	p, err := chart.New(s)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.SVG(context.Background(), &out); err != nil {
		t.Fatal(err)
	}
	var d drawing
	var group []string
	reader := xml.NewDecoder(&out)
	for {
		token, err := reader.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.EndElement:
			if e.Name.Local == "g" {
				group = group[:len(group)-1]
			}
		case xml.StartElement:
			d.element(t, reader, e, &group)
		}
	}
}

// element reads one element; there are no others than these.
func (d *drawing) element(t testing.TB, reader *xml.Decoder, e xml.StartElement, group *[]string) {
	t.Helper()
	at := map[string]string{}
	for _, a := range e.Attr {
		at[a.Name.Local] = a.Value
	}
	text := func() string {
		var s string
		if err := reader.DecodeElement(&s, &e); err != nil {
			t.Fatal(err)
		}
		return s
	}
	switch e.Name.Local {
	case "svg":
		var zero float64
		if _, err := fmt.Sscan(at["viewBox"], &zero, &zero, &d.width, &d.height); err != nil {
			t.Fatal(err)
		}
	case "g":
		*group = append(*group, "")
	case "title":
		if name := text(); len(*group) > 0 {
			(*group)[len(*group)-1] = name
		}
	case "text":
		l := label{x: num(t, at["x"]), y: num(t, at["y"]), turned: at["transform"] != "", text: text()}
		if at["textLength"] != "" {
			l.w = num(t, at["textLength"])
		} else {
			l.w = num(t, at["font-size"]) / 2
		}
		d.texts = append(d.texts, l)
	case "path":
		v := vector{fill: at["fill"], points: points(t, at["d"])}
		if n := len(*group); n > 0 {
			v.group = (*group)[n-1]
		}
		d.paths = append(d.paths, v)
	default:
		t.Fatalf("element %s", e.Name.Local)
	}
}

func num(t testing.TB, s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		t.Fatalf("number %q: %v", s, err)
	}
	return v
}

// points reads the corners of a path: M, L, H, V and Z in absolute pixels.
func points(t testing.TB, d string) (out [][2]float64) {
	t.Helper()
	var x, y float64
	for d != "" {
		op := d[0]
		end := strings.IndexAny(d[1:], "MLHVZ") + 1
		if end == 0 {
			end = len(d)
		}
		args := strings.Fields(d[1:end])
		d = d[end:]
		switch op {
		case 'M', 'L':
			x, y = num(t, args[0]), num(t, args[1])
		case 'H':
			x = num(t, args[0])
		case 'V':
			y = num(t, args[0])
		case 'Z':
			continue
		default:
			t.Fatalf("path %q", d)
		}
		out = append(out, [2]float64{x, y})
	}
	return out
}

// TestSameGeometry: where SVG has a level of a line, PNG has its colour, and the
// pictures are of one size.
func TestSameGeometry(t *testing.T) {
	for zoom, change := range map[float64]func(*chart.Spec){
		1: func(*chart.Spec) {},
		2: func(s *chart.Spec) { s.Theme = chart.Dark },
		1.5: func(s *chart.Spec) {
			s.Layout, s.Width, s.Height = chart.LayoutImage, 390, 380
			s.Lines[0].Label = strings.Repeat("a long label ", 20)
		},
	} {
		s := sample()
		s.Lines = s.Lines[:2]
		s.Lines[0].Color, s.Lines[0].Width = red, 6
		s.Lines[1].Color, s.Lines[1].Style = green, chart.StyleArea
		change(&s)
		d := vectors(t, s)
		s.Zoom = zoom
		img := draw(t, s)
		if w, h := float64(img.Bounds().Dx()), float64(img.Bounds().Dy()); math.Abs(w-d.width*zoom) > 1 || math.Abs(h-d.height*zoom) > 1 {
			t.Errorf("zoom %v: PNG is %v × %v, SVG %v × %v", zoom, w, h, d.width, d.height)
		}
		levels := 0
		for _, v := range d.paths {
			if v.group == "" || v.fill != "none" {
				continue
			}
			want := byte('r')
			if v.group == s.Lines[1].Label {
				want = 'g'
			}
			for i := 1; i < len(v.points); i++ {
				a, b := v.points[i-1], v.points[i]
				if a[1] != b[1] || b[0] <= a[0] {
					continue
				}
				levels++
				if want == 'g' { // the first line lies under it in part
					continue
				}
				x, y := (a[0]+b[0])/2*zoom, a[1]*zoom
				if got := looks(img.At(int(x), int(y))); got != want {
					t.Fatalf("zoom %v: %q at %v, %v is %c", zoom, v.group, x, y, got)
				}
			}
		}
		if levels < 200 {
			t.Errorf("zoom %v: %d levels", zoom, levels)
		}
	}
}

// crowd is a graph with much to write: so many axes, zones and lines.
func crowd(width, axes, zones, lines int, name string) chart.Spec {
	s := sample()
	s.Layout, s.Width, s.Height = chart.LayoutImageWidth, width, 120
	s.Title, s.Notices = name, []string{name, "short"}
	s.Axes, s.Lines, s.Zones = nil, nil, nil
	for i := range axes {
		s.Axes = append(s.Axes, chart.Axis{Number: i, Label: name, Scale: chart.Scale(i), TickLabels: chart.TickLabels(i % 3)})
	}
	for i := range lines {
		style := chart.StyleLine
		if i%7 == 6 {
			style = chart.StyleHeatmap
		}
		s.Lines = append(s.Lines, chart.Line{Label: name, Style: style, Axis: i % axes, Values: wave(180, 1e5, 5e4, float64(i))})
	}
	for _, zone := range []string{"UTC", "Asia/Kathmandu", "America/St_Johns", "Europe/Berlin", "Pacific/Chatham"}[:zones] {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			panic(err)
		}
		s.Zones = append(s.Zones, loc)
	}
	return s
}

// TestNothingOverlaps: no text leaves the page or touches another one in its row.
func TestNothingOverlaps(t *testing.T) {
	for _, width := range []int{390, 700} {
		for _, axes := range []int{1, 2, 5} {
			for _, zones := range []int{1, 2, 5} {
				for _, lines := range []int{0, 1, 60} {
					for _, name := range []string{"a", "nf.cluster=playback, region=us-east-1", strings.Repeat("very long ", 40), strings.Repeat("W", 300)} {
						s := crowd(width, axes, zones, lines, name)
						what := fmt.Sprintf("width %d, %d axes, %d zones, %d lines, %.20q", width, axes, zones, lines, name)
						d := vectors(t, s)
						if fault := d.overlap(); fault != "" {
							t.Errorf("%s: %s", what, fault)
						}
						if d.width != float64(width) && axes < 5 {
							t.Errorf("%s: %v wide", what, d.width)
						}
					}
				}
			}
		}
	}
}

func (d *drawing) overlap() string {
	for i, a := range d.texts {
		if a.turned {
			if a.x < 0 || a.x > d.width || a.y-a.w < -0.5 {
				return fmt.Sprintf("%.30q at %v, %v leaves the page of %v × %v", a.text, a.x, a.y, d.width, d.height)
			}
			continue
		}
		if a.x < -0.5 || a.x+a.w > d.width+0.5 || a.y < 8 || a.y > d.height {
			return fmt.Sprintf("%.30q from %v to %v, %v leaves the page of %v × %v", a.text, a.x, a.x+a.w, a.y, d.width, d.height)
		}
		for _, b := range d.texts[:i] {
			if !b.turned && math.Abs(a.y-b.y) < 8 && a.x < b.x+b.w && b.x < a.x+a.w {
				return fmt.Sprintf("%.30q (%.1f to %.1f, %.1f) and %.30q (%.1f to %.1f, %.1f) overlap", a.text, a.x, a.x+a.w, a.y, b.text, b.x, b.x+b.w, b.y)
			}
		}
	}
	return ""
}

// FuzzSVG holds that whatever a text is, what is read back is that text without
// what may not be drawn, and never markup.
func FuzzSVG(f *testing.F) {
	for _, s := range []string{"", "a", "<script>alert(1)</script>", `"'&amp;`, "]]>", "\x00\x1b[31m\u202e\ufeff", "\xff\xfe", "長いラベル", "</text><g>", "\ufffe\uffff", "\U0010ffff", "a\r\nb\tc"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 2000 {
			return
		}
		s := plain(chart.Line{Label: text, Values: []float64{1, 2}}, chart.Line{Label: text, Style: chart.StyleVspan, Values: []float64{1}})
		s.OnlyGraph, s.Width, s.Height, s.Title, s.Notices = false, 60, 30, text, []string{text}
		s.Axes[0].Label = text
		d := vectors(t, s) // fails on any element but those that graphs are made of
		for _, v := range d.paths {
			if strings.ContainsFunc(v.group, func(r rune) bool { return r < ' ' || r == '\u202e' }) {
				t.Errorf("%q is named %q", text, v.group)
			}
		}
	})
}
