package chart

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// svg is a vg.Canvas that writes SVG in absolute pixels, two decimals, with
// the origin at the top left. Text is escaped; Arial and Helvetica have the
// measures of Liberation Sans, where that is not installed.
type svg struct {
	width, height float64
	body          []byte
	state         svgState
	stack         []svgState
}

// svgState is what Push keeps. The transformation takes points of vg, with the
// origin at the bottom left, to the page.
type svgState struct {
	a, b, c, d, e, f float64 // x' = a·x + c·y + e, y' = b·x + d·y + f
	color            color.NRGBA
	width            float64
	dash             []vg.Length
	offset           float64
}

func newSVG(width, height float64) *svg {
	return &svg{width: width, height: height, state: svgState{a: 1, d: -1, f: height, color: color.NRGBA{A: 255}, width: 1}}
}

func (s *svg) SetLineWidth(w vg.Length) { s.state.width = w.Points() }

func (s *svg) SetLineDash(dash []vg.Length, offset vg.Length) {
	s.state.dash, s.state.offset = dash, offset.Points()
}

func (s *svg) SetColor(c color.Color) {
	s.state.color = color.NRGBA{A: 255}
	if c != nil {
		s.state.color = color.NRGBAModel.Convert(c).(color.NRGBA)
	}
}

func (s *svg) Rotate(radians float64) {
	sin, cos := math.Sincos(radians)
	t := &s.state
	t.a, t.b, t.c, t.d = t.a*cos+t.c*sin, t.b*cos+t.d*sin, t.c*cos-t.a*sin, t.d*cos-t.b*sin
}

func (s *svg) Translate(p vg.Point) {
	s.state.e, s.state.f = s.at(p)
}

func (s *svg) Scale(x, y float64) {
	t := &s.state
	t.a, t.b, t.c, t.d = t.a*x, t.b*x, t.c*y, t.d*y
}

func (s *svg) Push() { s.stack = append(s.stack, s.state) }

func (s *svg) Pop() {
	s.state = s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
}

// at returns where a point stands on the page.
func (s *svg) at(p vg.Point) (x, y float64) {
	t := &s.state
	return t.a*p.X.Points() + t.c*p.Y.Points() + t.e, t.b*p.X.Points() + t.d*p.Y.Points() + t.f
}

func (s *svg) Stroke(path vg.Path) {
	if s.state.width <= 0 || len(path) == 0 {
		return
	}
	s.text(`<path d="`)
	s.path(path)
	s.text(`" fill="none" stroke="`)
	s.paint("stroke")
	s.text(` stroke-width="`)
	s.number(s.state.width)
	if len(s.state.dash) > 0 {
		s.text(`" stroke-dasharray="`)
		for i, d := range s.state.dash {
			if i > 0 {
				s.text(",")
			}
			s.number(d.Points())
		}
	}
	s.text("\"/>\n")
}

func (s *svg) Fill(path vg.Path) {
	s.text(`<path d="`)
	s.path(path)
	s.text(`" fill="`)
	s.paint("fill")
	s.text("/>\n")
}

// paint ends an attribute with the colour, and adds its opacity.
func (s *svg) paint(attribute string) {
	c := s.state.color
	s.body = fmt.Appendf(s.body, `#%02x%02x%02x"`, c.R, c.G, c.B)
	if c.A < 255 {
		s.body = fmt.Appendf(s.body, ` %s-opacity="%s"`, attribute, strconv.FormatFloat(float64(c.A)/255, 'f', 3, 64))
	}
}

// path writes moves and lines; curves are drawn by their ends, which nothing
// here asks for.
func (s *svg) path(path vg.Path) {
	lastX, lastY := math.NaN(), math.NaN()
	for _, part := range path {
		x, y := s.at(part.Pos)
		x, y = math.Round(x*100)/100, math.Round(y*100)/100
		switch {
		case part.Type == vg.CloseComp:
			s.text("Z")
			lastX = math.NaN()
			continue
		case part.Type == vg.MoveComp:
			s.text("M")
			s.number(x)
			s.text(" ")
			s.number(y)
		case y == lastY:
			s.text("H")
			s.number(x)
		case x == lastX:
			s.text("V")
			s.number(y)
		default:
			s.text("L")
			s.number(x)
			s.text(" ")
			s.number(y)
		}
		lastX, lastY = x, y
	}
}

// FillString writes text as wide as the fonts of the layout make it.
func (s *svg) FillString(face font.Face, at vg.Point, text string) {
	s.words(face, at, text, face.Width(text).Points())
}

func (s *svg) words(face font.Face, at vg.Point, text string, width float64) {
	if text == "" {
		return
	}
	x, y := s.at(at)
	s.text(`<text x="`)
	s.number(x)
	s.text(`" y="`)
	s.number(y)
	if angle := math.Atan2(s.state.b, s.state.a) * 180 / math.Pi; math.Abs(angle) > 1e-6 {
		s.text(`" transform="rotate(`)
		s.number(angle)
		s.text(" ")
		s.number(x)
		s.text(" ")
		s.number(y)
		s.text(")")
	}
	s.text(`" font-size="`)
	s.number(face.Font.Size.Points())
	if face.Font.Weight == stdfont.WeightBold {
		s.text(`" font-weight="bold`)
	}
	if utf8.RuneCountInString(text) > 1 {
		s.text(`" textLength="`)
		s.number(width)
	}
	s.text(`" fill="`)
	s.paint("fill")
	s.text(">" + escape(text) + "</text>\n")
}

// DrawImage makes a canvas of svg whole; graphs draw no images.
func (s *svg) DrawImage(at vg.Rectangle, img image.Image) {
	var b bytes.Buffer
	if png.Encode(&b, img) != nil {
		return
	}
	x, y := s.at(vg.Point{X: at.Min.X, Y: at.Max.Y})
	s.body = fmt.Appendf(s.body, "<image x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" href=\"data:image/png;base64,%s\"/>\n",
		x, y, at.Size().X.Points(), at.Size().Y.Points(), base64.StdEncoding.EncodeToString(b.Bytes()))
}

// begin and end keep a line together, with its name as what a pointer shows.
func (s *svg) begin(name string) { s.text("<g><title>" + escape(name) + "</title>\n") }
func (s *svg) end()              { s.text("</g>\n") }

func (s *svg) text(text string) { s.body = append(s.body, text...) }

// number writes v with at most two decimals.
func (s *svg) number(v float64) {
	v = math.Round(v*100) / 100
	if v == 0 {
		v = 0 // not -0
	}
	s.body = strconv.AppendFloat(s.body, v, 'f', -1, 64)
}

// escape returns text that is no markup and holds only what XML permits.
func escape(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r == '\r' || r >= ' ' && r <= 0xd7ff || r >= 0xe000 && r <= 0xfffd || r >= 0x10000 {
			return r
		}
		return '\ufffd'
	}, strings.ToValidUTF8(text, "\ufffd"))
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "'", "&#39;").Replace(text)
}

// write puts the head before what was drawn.
func (s *svg) write(w io.Writer, title string, zoom float64) error {
	head := fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" viewBox=\"0 0 %g %g\" role=\"img\" font-family=\"'Liberation Sans', Arial, Helvetica, sans-serif\">\n<title>%s</title>\n",
		max(1, math.Round(s.width*zoom)), max(1, math.Round(s.height*zoom)), s.width, s.height, escape(title))
	for _, part := range [][]byte{[]byte(head), s.body, []byte("</svg>\n")} {
		if _, err := w.Write(part); err != nil {
			return fmt.Errorf("write image: %w", err)
		}
	}
	return nil
}
