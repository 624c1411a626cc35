package chart

import (
	"fmt"
	"image/color"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Palette is colours for lines in turn, or by their Label.
type Palette struct {
	Colors []color.NRGBA // opaque unless written otherwise
	Hash   bool          // by the hash of a line's Label, so that it keeps its colour
}

// color returns the colour of the i-th line.
func (p *Palette) color(i int, label string) color.NRGBA {
	if p.Hash {
		h := int64(labelHash(label))
		return p.Colors[max(h, -h)%int64(len(p.Colors))]
	}
	return p.Colors[i%len(p.Colors)]
}

// labelHash is Java's hash of a string, so that a line has the colour that it has
// in Atlas.
func labelHash(text string) int32 {
	var h int32
	for _, unit := range utf16.Encode([]rune(text)) {
		h = 31*h + int32(unit)
	}
	return h
}

// ColorOf returns the colour of a line by the hash of its label, whatever others
// there are.
func (p *Palette) ColorOf(label string) color.NRGBA {
	hashed := Palette{p.Colors, true}
	return hashed.color(0, label)
}

// maxColors is how many colours a custom palette may have.
const maxColors = 100

// ParsePalette reads the name of a palette ("" is the theme's default), a list
// of colours `colors:f00,0f0` or `(,f00,0f0,)`, either behind `hash:` for colours
// by the hash of the label.
func ParsePalette(text string, theme Theme) (Palette, error) {
	rest, hash := strings.CutPrefix(text, "hash:")
	list, custom := strings.CutPrefix(rest, "colors:")
	if !custom && strings.HasPrefix(rest, "(") {
		list, custom = strings.TrimSuffix(strings.TrimPrefix(rest, "("), ")"), true
	}
	if !custom {
		c, ok := namedPalette(rest, theme)
		if !ok {
			return Palette{}, fmt.Errorf("unknown palette %q, must be one of %s, or colors:f00,0f0 or hash:NAME", rest, strings.Join(PaletteNames(), ", "))
		}
		return Palette{c, hash}, nil
	}
	p := Palette{Hash: hash}
	for _, text := range strings.Split(strings.Trim(list, ","), ",") {
		c, ok := ParseColor(strings.TrimSpace(text), theme)
		if !ok {
			return Palette{}, fmt.Errorf("palette: colour %q must be a name or 3, 6 or 8 hex digits", text)
		}
		if p.Colors = append(p.Colors, c); len(p.Colors) > maxColors {
			return Palette{}, fmt.Errorf("palette: at most %d colours", maxColors)
		}
	}
	return p, nil
}

// OffsetPalette colours lines of earlier data where nothing else is said.
func OffsetPalette(theme Theme) Palette {
	name := "bw"
	if theme == Dark {
		name = "lightgray"
	}
	p, _ := ParsePalette(name, theme)
	return p
}

// paletteColors is read only. All but safe and grays have Atlas's colours in its order;
// epic, which Atlas goes on with, has as many as a legend lists. armytage is
// Green-Armytage's alphabet of contrasting colours (2010), light24 and dark24 are
// of R's Polychrome, and the shades, from dark to light, of ColorBrewer. safe keeps
// its seven apart for colour-blind eyes (Okabe and Ito, 2008).
var paletteColors = map[string]string{
	"armytage": `0075DC 993F00 9DCC00 4C005C 00998F FFA405 5EF1F2 F0A3FF 94FFB5 FF0010 2BCE48 740AFF
		191919 FF5005 005C31 FFCC99 808080 8F7C00 C20088 003380 FFA8BB 426600 990000 FFE100`,
	"light24": `00B5F7 E48F72 86CE00 D626FF 479B55 FF9616 0DF9FF EEA6FB 22FFA7 FD3216 00FE35 7E7DCD
		6E899C FC6955 C9FBE5 B68E00 DC587D FED4C4 FE00CE 6A76FC FF0092 E3EE9E BC7196 F6F926`,
	"dark24": `2E91E5 862A16 1CA71C 750D86 00A08B EB663B 511CFB DA60CA 6C7C32 FB0D0D 0D2A63 A777F1
		222A2A E15F99 778AAE B2828D DA16FF 620042 FC0080 1616A7 FB00D1 6C4516 AF0038 B68100`,
	"epic": `FF0000 00FF00 0000FF 880000 008800 000088 A3F6C2 0F0F0F 3366FF 6633FF CC33FF FF33CC 33CCFF
		003DF5 002EB8 FF3366 33FFCC B88A00 F5B800 FF6633 33FF66 66FF33 CCFF33 FFCC33 A0A0A0 D3D3D3 3D3D3D
		747474 474747 181818 818181 80E70F 488ED0 D5795B 1D4FBE DB6C69 6FA47A 4B3CA0 C7641B F28323 2FF8B5
		215C6C 7A8A62 A3907A C7D4AF 7CF75B D7D233 FAD754 90831F ED6C11`,
	"blues":     `08306B 08519C 2171B5 4292C6 6BAED6 9ECAE1 C6DBEF`,
	"greens":    `00441B 006D2C 238B45 41AB5D 74C476 A1D99B C7E9C0`,
	"oranges":   `7F2704 A63603 D94801 F16913 FD8D3C FDAE6B FDD0A2`,
	"purples":   `3F007D 54278F 6A51A3 807DBA 9E9AC8 BCBDDC DADAEB`,
	"reds":      `67000D A50F15 CB181D EF3B2C FB6A4A FC9272 FCBBA1`,
	"bw":        `C0000000 C0CCCCCC C0444444 C0EEEEEE C0222222 C0AAAAAA C0666666 C0888888`,
	"lightgray": `FFFFFF 777777 EEEEEE 888888 DDDDDD 999999 CCCCCC AAAAAA`,
	"grays":     `484848 5D5D5D 747474 8C8C8C A4A4A4 BABABA D1D1D1`,
	"safe":      `0072B2 D55E00 009E73 CC79A7 B8860B 56B4E9 333333`,
}

// shades are the palettes whose order is turned round on a dark ground, where
// the first shade shall be the one that stands out.
var shades = []string{"reds", "oranges", "greens", "blues", "purples", "grays"}

// PaletteNames returns the names of ParsePalette in alphabetical order.
func PaletteNames() []string {
	names := []string{"colorblind"}
	for name := range paletteColors {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func namedPalette(name string, theme Theme) ([]color.NRGBA, bool) {
	switch name {
	case "", "default":
		name = "armytage"
		if theme == Dark {
			name = "light24"
		}
	case "colorblind":
		name = "safe"
	case "greys":
		name = "grays"
	}
	text, ok := paletteColors[name]
	if !ok {
		return nil, false
	}
	out := colors(text)
	switch {
	case theme == Dark && name == "safe":
		out = colors("56B4E9 E69F00 2BC79A F0E442 F28CB8 FF7A33 B3B9C5")
	case theme == Dark && slices.Contains(shades, name):
		slices.Reverse(out)
	}
	return out, true
}

// colors reads a list of RRGGBB and AARRGGBB.
func colors(text string) []color.NRGBA {
	var out []color.NRGBA
	for _, hex := range strings.Fields(text) {
		c, ok := ParseColor(hex, Light)
		if !ok {
			panic("BUG: colour " + hex)
		}
		out = append(out, c)
	}
	return out
}

// ParseColor reads RGB, RRGGBB or AARRGGBB in hexadecimal, or a name: one of a
// few, or a shade of the theme, blue1 to red3.
func ParseColor(text string, theme Theme) (color.NRGBA, bool) {
	if hex, ok := colorNames[strings.ToLower(text)]; ok {
		text = hex[theme]
	}
	if len(text) == 3 {
		text = string([]byte{text[0], text[0], text[1], text[1], text[2], text[2]})
	}
	if len(text) == 6 {
		text = "ff" + text
	}
	if len(text) != 8 || text[0] == '+' || text[0] == '-' {
		return color.NRGBA{}, false
	}
	n, err := strconv.ParseUint(text, 16, 32)
	if err != nil {
		return color.NRGBA{}, false
	}
	return color.NRGBA{R: uint8(n >> 16), G: uint8(n >> 8), B: uint8(n), A: uint8(n >> 24)}, true
}

// colorNames is read only: the colours of the light and of the dark theme. Those
// with a number, from faint to strong, are Atlas's.
var colorNames = map[string][2]string{
	"blue1": {"6BAED6", "C6DBEF"}, "blue2": {"2171B5", "6BAED6"}, "blue3": {"08306B", "2171B5"},
	"gray1": {"888888", "FFFFFF"}, "gray2": {"444444", "BBBBBB"}, "gray3": {"000000", "777777"},
	"green1": {"74C476", "C7E9C0"}, "green2": {"238B45", "74C476"}, "green3": {"00441B", "238B45"},
	"orange1": {"FD8D3C", "FDD0A2"}, "orange2": {"D94801", "FD8D3C"}, "orange3": {"7F2704", "D94801"},
	"purple1": {"9E9AC8", "DADAEB"}, "purple2": {"6A51A3", "9E9AC8"}, "purple3": {"3F007D", "6A51A3"},
	"red1": {"FB6A4A", "FCBBA1"}, "red2": {"CB181D", "FB6A4A"}, "red3": {"67000D", "CB181D"},
	"black": {"000000", "000000"}, "white": {"ffffff", "ffffff"}, "red": {"d62728", "d62728"}, "green": {"2ca02c", "2ca02c"},
	"blue": {"1f77b4", "1f77b4"}, "orange": {"ff7f0e", "ff7f0e"}, "purple": {"9467bd", "9467bd"}, "brown": {"8c564b", "8c564b"},
	"pink": {"e377c2", "e377c2"}, "gray": {"7f7f7f", "7f7f7f"}, "grey": {"7f7f7f", "7f7f7f"}, "yellow": {"d4b106", "d4b106"},
	"cyan": {"17becf", "17becf"},
}

// ColorNames returns the names of ParseColor in alphabetical order.
func ColorNames() []string { return slices.Sorted(maps.Keys(colorNames)) }

// ink is the colours of a theme.
type ink struct {
	page, plot, grid, axis, text, muted, warn color.NRGBA
}

func inkOf(theme Theme) ink {
	c := colors("FFFFFF FBFCFD E3E7EC 9AA3AF 1B2430 5B6675 B45309")
	if theme == Dark {
		c = colors("14171C 191D23 2B313A 667080 E8EBF0 9BA5B4 F0B458")
	}
	return ink{c[0], c[1], c[2], c[3], c[4], c[5], c[6]}
}

// faded returns c with its alpha times part.
func faded(c color.NRGBA, part float64) color.NRGBA {
	c.A = uint8(float64(c.A)*part + 0.5)
	return c
}

// mixed returns the colour part of the way from a to b.
func mixed(a, b color.NRGBA, part float64) color.NRGBA {
	at := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*part + 0.5) }
	return color.NRGBA{at(a.R, b.R), at(a.G, b.G), at(a.B, b.B), at(a.A, b.A)}
}
