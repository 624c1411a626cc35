package expr

import (
	"fmt"
	"strconv"
)

// Color is an sRGB colour with opacity, not premultiplied.
type Color struct{ A, R, G, B uint8 }

// ParseColor reads 3, 6 or 8 hex digits: RGB doubled, RRGGBB and AARRGGBB.
func ParseColor(text string) (Color, error) {
	v, err := strconv.ParseUint(text, 16, 32)
	if err == nil {
		switch len(text) {
		case 3:
			twice := func(shift uint) uint8 { return uint8(v>>shift&0xf) * 0x11 }
			return Color{0xff, twice(8), twice(4), twice(0)}, nil
		case 6:
			return Color{0xff, uint8(v >> 16), uint8(v >> 8), uint8(v)}, nil
		case 8:
			return Color{uint8(v >> 24), uint8(v >> 16), uint8(v >> 8), uint8(v)}, nil
		}
	}
	return Color{}, fmt.Errorf("invalid color '%s': must be a name or 3, 6 or 8 hex digits", text)
}

// String returns eight hex digits, AARRGGBB.
func (c Color) String() string { return fmt.Sprintf("%02x%02x%02x%02x", c.A, c.R, c.G, c.B) }

// colorName reports whether text may be the name of a theme's colour, such as
// blue1: letters, then letters and digits.
func colorName(text string) bool {
	for i, r := range text {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return text != "" && len(text) <= 32
}
