package chart

import (
	"image/color"
	"strconv"
	"strings"
)

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

// Palette returns the colours of a named palette. safe keeps the first seven
// apart for colour-blind eyes (Okabe and Ito, 2008); armytage is drawn from
// Green-Armytage's alphabet of contrasting colours (2010), darkest first, for a
// light ground; light24 is bright, for a dark one.
func Palette(name string, theme Theme) ([]color.NRGBA, bool) {
	switch name {
	case "", "default":
		return defaultPalette(theme), true
	case "safe", "colorblind":
		if theme == Dark {
			return colors("56B4E9 E69F00 2BC79A F0E442 F28CB8 FF7A33 B3B9C5"), true
		}
		return colors("0072B2 D55E00 009E73 CC79A7 B8860B 56B4E9 333333"), true
	case "armytage":
		return colors(`0075DC C20088 005C31 FF5005 740AFF 00998F 993F00 2BCE48 990000 003380 FFA405
			8F7C00 5E9EFF 4C005C 9DCC00 FF0010 808080 426600 F07CBB 191919 3CC8C8 D9A066`), true
	case "light24":
		return colors(`6A9CFC FF9616 22E08A FD5240 D070FF 0DD9E8 F6F926 FF5FB0 86CE00 B68E00 00B5F7
			FED4C4 479B55 EEA6FB DC587D 8FA9BC C9FBE5 E3EE9E BC7196 9796E8 FC6955 E48F72`), true
	case "reds":
		return colors("FF0000 C00000 FF6A6A 8B1A1A FF9999"), true
	case "blues":
		return colors("0000FF 0000A8 6A6AFF 27408B 99A9FF"), true
	case "greens":
		return colors("00A000 006400 5CC85C 2E5E2E 98D998"), true
	case "grays":
		return colors("404040 707070 989898 BEBEBE D8D8D8"), true
	}
	return nil, false
}

// defaultPalette begins with colours that are safe for colour-blind eyes.
func defaultPalette(theme Theme) []color.NRGBA {
	more := "armytage"
	if theme == Dark {
		more = "light24"
	}
	first, _ := Palette("safe", theme)
	rest, _ := Palette(more, theme)
	return append(first[:len(first):len(first)], rest...)
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
