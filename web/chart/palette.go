package chart

import (
	"fmt"
	"hash/fnv"
	"image/color"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Palette is colours for lines in turn, or by their Key.
type Palette struct {
	Colors []color.NRGBA // opaque unless written otherwise
	Hash   bool          // by the hash of a line's Key, so that it keeps its colour
}

// color returns the colour of the i-th line.
func (p *Palette) color(i int, key string) color.NRGBA {
	if p.Hash {
		h := fnv.New32a()
		h.Write([]byte(key))
		return p.Colors[h.Sum32()%uint32(len(p.Colors))]
	}
	return p.Colors[i%len(p.Colors)]
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
		c, ok := ParseColor(strings.TrimSpace(text))
		if !ok {
			return Palette{}, fmt.Errorf("palette: colour %q must be a name or 3, 6 or 8 hex digits", text)
		}
		if p.Colors = append(p.Colors, c); len(p.Colors) > maxColors {
			return Palette{}, fmt.Errorf("palette: at most %d colours", maxColors)
		}
	}
	return p, nil
}

// paletteColors is read only. armytage is drawn from Green-Armytage's alphabet
// of contrasting colours (2010) for a light ground, without what is hard to see
// there; light24 is bright, for a dark ground, dark24 deep; safe keeps its seven
// apart for colour-blind eyes (Okabe and Ito, 2008). Shades go from dark to light.
var paletteColors = map[string]string{
	"armytage": `0075DC FF5005 005C31 C20088 FFA405 4C005C 00998F FF0010 003380 8F7C00 740AFF 2BCE48
		993F00 808080 9DCC00 990000 5E9EFF F07CBB 426600 3CC8C8 191919 D9A066 8C8CD9 5CA07A`,
	"light24": `6A9CFC FF9616 22E08A FF5FB0 F6F926 0DD9E8 FD5240 D070FF 86CE00 00B5F7 B68E00 EEA6FB
		479B55 FED4C4 DC587D 8FA9BC C9FBE5 9796E8 E3EE9E BC7196 FC6955 E48F72 7EC8B8 D9D9D9`,
	"dark24": `2E5FCC DA5B1E 1F8A4C B5179E 8A6D00 0F8B8D C1121F 6A3D9A 3A5A40 9C2C77 1B4965 A44A3F
		5B7F00 4A4E9D 7F4F24 006D77 8E1B3A 40618A 6B705C A0429C 2D6A4F 8D5B4C 3C3C3C 77568F`,
	"epic":    `C00000 00802B 0040C0 FF4040 33B34D 3377FF 800000 005C1E 002980 FF8080 73CC85 80AAFF`,
	"reds":    `8B010B AF1117 D22727 EB4D45 FF7267 FE9C91 FFBFB7`,
	"oranges": `6F3601 8D4902 AC5E01 CA7308 E38E33 F4A859 FEC488`,
	"greens":  `025720 04712B 018D37 1AA847 50BF68 73D484 93E99F`,
	"blues":   `02468B 025BB3 0172DC 328CF4 61A7FE 8CBEFE B3D4FF`,
	"purples": `5A2491 7337B3 8D4AD6 A467ED BA86FF CAA6FF DBC5FE`,
	"grays":   `484848 5D5D5D 747474 8C8C8C A4A4A4 BABABA D1D1D1`,
	"bw":      `000000 FFFFFF`,
	"safe":    `0072B2 D55E00 009E73 CC79A7 B8860B 56B4E9 333333`,
}

// shades are the palettes whose order is turned round on a dark ground, where
// the first shade shall be the one that stands out.
var shades = []string{"reds", "oranges", "greens", "blues", "purples", "grays", "bw"}

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
	case "lightgray", "greys":
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

// colors reads a list of RRGGBB.
func colors(text string) []color.NRGBA {
	var out []color.NRGBA
	for _, hex := range strings.Fields(text) {
		c, ok := ParseColor(hex)
		if !ok {
			panic("BUG: colour " + hex)
		}
		out = append(out, c)
	}
	return out
}

// ParseColor reads RGB, RRGGBB or AARRGGBB in hexadecimal, or one of a few
// names.
func ParseColor(text string) (color.NRGBA, bool) {
	if hex, ok := colorNames[strings.ToLower(text)]; ok {
		text = hex
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

// colorNames is read only. The numbered names are the shades of a theme.
var colorNames = map[string]string{
	"black": "000000", "white": "ffffff", "red": "d62728", "green": "2ca02c", "blue": "1f77b4", "orange": "ff7f0e",
	"purple": "9467bd", "brown": "8c564b", "pink": "e377c2", "gray": "7f7f7f", "grey": "7f7f7f", "yellow": "d4b106", "cyan": "17becf",
	"blue1": "0072b2", "blue2": "56b4e9", "blue3": "a6d4f2", "red1": "c0141c", "red2": "e8505b", "red3": "f4a3a8",
	"green1": "006d3c", "green2": "2ca02c", "green3": "98d998", "orange1": "d55e00", "orange2": "ff8c2b", "orange3": "ffc48a",
	"purple1": "5b2a86", "purple2": "9467bd", "purple3": "cdb5e3", "gray1": "404040", "gray2": "7f7f7f", "gray3": "bdbdbd",
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
