package chart

import (
	"image/color"
	"math"
	"strings"
	"unicode"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
)

// typefaces measures and provides the faces of a page.
type typefaces struct {
	cache  *font.Cache
	faces  map[style]font.Face
	widths map[letter]float64
	kerns  map[pair]float64
}

// letter and pair are one letter, and two that follow each other.
type (
	letter struct {
		letter rune
		bold   bool
	}
	pair struct {
		first, second rune
		bold          bool
	}
)

func newTypefaces() *typefaces {
	return &typefaces{font.NewCache(liberation.Collection()), map[style]font.Face{}, map[letter]float64{}, map[pair]float64{}}
}

// style is a size and weight of text.
type style struct {
	size float64
	bold bool
}

var (
	titleStyle  = style{14, true}
	textStyle   = style{11, false}
	headerStyle = style{10, false}
	boldStyle   = style{11, true}
)

func (f *typefaces) face(s style) font.Face {
	face, ok := f.faces[s]
	if !ok {
		fnt := font.Font{Typeface: "Liberation", Variant: "Sans"}
		if s.bold {
			fnt.Weight = stdfont.WeightBold
		}
		face = f.cache.Lookup(fnt, vg.Length(s.size))
		f.faces[s] = face
	}
	return face
}

// width and kern return how wide a letter is, and how much further two of them
// are apart, as parts of the size.
func (f *typefaces) width(face font.Face, l letter) float64 {
	w, ok := f.widths[l]
	if !ok {
		w = float64(face.Width(string(l.letter)) / face.Font.Size)
		f.widths[l] = w
	}
	return w
}

func (f *typefaces) kern(face font.Face, p pair) float64 {
	k, ok := f.kerns[p]
	if !ok {
		both := float64(face.Width(string([]rune{p.first, p.second})) / face.Font.Size)
		k = both - f.width(face, letter{p.first, p.bold}) - f.width(face, letter{p.second, p.bold})
		if math.Abs(k) < 1e-6 {
			k = 0
		}
		f.kerns[p] = k
	}
	return k
}

// piece is a part of a text and where it begins.
type piece struct {
	x    float64
	text string
}

// pieces splits text where its letters are kerned, which the canvas does
// wrongly at small sizes, and returns its width. Digits are all equally wide, so
// that columns of numbers and dates stand under each other.
func (f *typefaces) pieces(s style, text string) (out []piece, width float64) {
	face := f.face(s)
	from, start, x := 0, 0.0, 0.0
	last := rune(-1)
	for i, r := range text {
		if last >= 0 {
			if k := f.kern(face, pair{last, r, s.bold}); k != 0 {
				out = append(out, piece{start, text[from:i]})
				if !unicode.IsDigit(last) || !unicode.IsDigit(r) {
					x += k * s.size
				}
				from, start = i, x
			}
		}
		x += f.width(face, letter{r, s.bold}) * s.size
		last = r
	}
	return append(out, piece{start, text[from:]}), x
}

// measure returns the width of text in pixels.
func (f *typefaces) measure(s style, text string) float64 {
	_, width := f.pieces(s, text)
	return width
}

// longestLabel bounds how many characters of any text are looked at.
const longestLabel = 500

// clean returns text as it may be drawn: one line, no control characters.
func clean(text string) string {
	text = strings.Map(func(c rune) rune {
		switch {
		case c == '\n', c == '\t', c == '\r':
			return ' '
		case c < ' ', c >= 0x7f && c < 0xa0, c >= 0x200b && c <= 0x200f, c >= 0x202a && c <= 0x202e, c >= 0x2066 && c <= 0x2069, c == 0xfeff:
			return '\ufffd'
		}
		return c
	}, strings.ToValidUTF8(text, "\ufffd"))
	if runes := []rune(text); len(runes) > longestLabel {
		text = string(runes[:longestLabel]) + "…"
	}
	return text
}

// fit cuts text to a width, with an ellipsis.
func (f *typefaces) fit(s style, text string, width float64) string {
	text = clean(text)
	if f.measure(s, text) <= width {
		return text
	}
	runes := []rune(text)
	low, high := 0, len(runes) // runes[:low] with … fits, or low is 0
	for low+1 < high {
		mid := (low + high) / 2
		if f.measure(s, string(runes[:mid])+"…") <= width {
			low = mid
		} else {
			high = mid
		}
	}
	return string(runes[:low]) + "…"
}

// wrap breaks text into lines of a width, at blanks where there are any; at
// most limit lines, the last one cut.
func (f *typefaces) wrap(s style, text string, width float64, limit int) []string {
	var out []string
	line := ""
	words := strings.Fields(clean(text))
	for i, word := range words {
		joined := strings.TrimSpace(line + " " + word)
		if f.measure(s, joined) <= width {
			line = joined
			continue
		}
		if len(out) == limit-1 {
			return append(out, f.fit(s, strings.TrimSpace(line+" "+strings.Join(words[i:], " ")), width))
		}
		if line != "" {
			out = append(out, line)
		}
		for f.measure(s, word) > width && len(out) < limit-1 {
			head := strings.TrimSuffix(f.fit(s, word, width), "…")
			if head == "" {
				break
			}
			out = append(out, head)
			word = word[len(head):]
		}
		line = word
	}
	if line != "" || len(out) == 0 {
		out = append(out, f.fit(s, line, width))
	}
	return out
}

// words is a canvas that writes text in a width of its own, so that another
// font leaves everything in its place.
type words interface {
	words(face font.Face, at vg.Point, text string, width float64)
}

// anchor says which point of a text its x means.
type anchor uint8

const (
	left anchor = iota
	center
	right
)

// text writes text with its baseline at y.
func (p *page) text(x, y float64, s style, a anchor, c color.NRGBA, text string) {
	switch a {
	case center:
		x -= p.fonts.measure(s, text) / 2
	case right:
		x -= p.fonts.measure(s, text)
	}
	p.color(c)
	p.write(s, p.point(x, y), text)
}

// write writes text from a point of the canvas on.
func (p *page) write(s style, at vg.Point, text string) {
	face := p.fonts.face(s)
	pieces, width := p.fonts.pieces(s, text)
	if w, ok := p.canvas.(words); ok {
		w.words(face, at, text, width)
		return
	}
	for _, piece := range pieces {
		p.canvas.FillString(face, vg.Point{X: at.X + vg.Length(piece.x), Y: at.Y}, piece.text)
	}
}

// upright writes text turned by a quarter to the left, centred on y.
func (p *page) upright(x, y float64, s style, c color.NRGBA, text string) {
	p.color(c)
	p.canvas.Push()
	p.canvas.Translate(p.point(x, y))
	p.canvas.Rotate(math.Pi / 2)
	p.write(s, vg.Point{X: vg.Length(-p.fonts.measure(s, text) / 2)}, text)
	p.canvas.Pop()
}
