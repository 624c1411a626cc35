package chart

import (
	"image/color"
	"maps"
	"math"
	"slices"
)

// Vision is whose eyes a picture is drawn for: what is not normal shows what
// people with that kind of colour blindness see.
type Vision uint8

const (
	VisionNormal Vision = iota
	VisionProtanopia
	VisionProtanomaly
	VisionDeuteranopia
	VisionDeuteranomaly
	VisionTritanopia
	VisionTritanomaly
	VisionAchromatopsia
	VisionAchromatomaly
)

// visionNames is read only.
var visionNames = map[string]Vision{
	"normal": VisionNormal, "protanopia": VisionProtanopia, "protanomaly": VisionProtanomaly,
	"deuteranopia": VisionDeuteranopia, "deuteranomaly": VisionDeuteranomaly, "tritanopia": VisionTritanopia,
	"tritanomaly": VisionTritanomaly, "achromatopsia": VisionAchromatopsia, "achromatomaly": VisionAchromatomaly,
}

// ParseVision returns the vision of a name; "" is normal.
func ParseVision(name string) (Vision, bool) {
	if name == "" {
		return VisionNormal, true
	}
	v, ok := visionNames[name]
	return v, ok
}

// VisionNames returns the names in alphabetical order.
func VisionNames() []string { return slices.Sorted(maps.Keys(visionNames)) }

// matrix maps linear red, green and blue; rows are what comes out.
type matrix [3][3]float64

// Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of
// Color Vision Deficiency (2009), severity 1.0, and 0.6 for the anomalies.
var (
	protanopia    = matrix{{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}
	protanomaly   = matrix{{0.385450, 0.769005, -0.154455}, {0.100526, 0.829802, 0.069673}, {-0.007442, -0.022190, 1.029632}}
	deuteranopia  = matrix{{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}
	deuteranomaly = matrix{{0.498864, 0.674741, -0.173604}, {0.205199, 0.754872, 0.039929}, {-0.011131, 0.030969, 0.980162}}
	tritanopia    = matrix{{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}
	tritanomaly   = matrix{{1.104996, -0.046633, -0.058363}, {-0.032137, 0.971635, 0.060503}, {0.001336, 0.317922, 0.680742}}
	// Luminance of Rec. 709, and six tenths of the way to it.
	achromatopsia = matrix{{0.2126, 0.7152, 0.0722}, {0.2126, 0.7152, 0.0722}, {0.2126, 0.7152, 0.0722}}
	achromatomaly = matrix{{0.52756, 0.42912, 0.04332}, {0.12756, 0.82912, 0.04332}, {0.12756, 0.42912, 0.44332}}
)

// see returns c as it looks with a vision.
func (v Vision) see(c color.NRGBA) color.NRGBA {
	var m *matrix
	switch v {
	case VisionProtanopia:
		m = &protanopia
	case VisionProtanomaly:
		m = &protanomaly
	case VisionDeuteranopia:
		m = &deuteranopia
	case VisionDeuteranomaly:
		m = &deuteranomaly
	case VisionTritanopia:
		m = &tritanopia
	case VisionTritanomaly:
		m = &tritanomaly
	case VisionAchromatopsia:
		m = &achromatopsia
	case VisionAchromatomaly:
		m = &achromatomaly
	default:
		return c
	}
	rgb := [3]float64{linear(c.R), linear(c.G), linear(c.B)}
	var out [3]uint8
	for i, row := range m {
		out[i] = gamma(row[0]*rgb[0] + row[1]*rgb[1] + row[2]*rgb[2])
	}
	return color.NRGBA{R: out[0], G: out[1], B: out[2], A: c.A}
}

// linear returns the light of an sRGB channel, 0 to 1.
func linear(channel uint8) float64 {
	x := float64(channel) / 255
	if x <= 0.04045 {
		return x / 12.92
	}
	return math.Pow((x+0.055)/1.055, 2.4)
}

// gamma is the inverse of linear; what is out of range is cut.
func gamma(light float64) uint8 {
	light = min(max(light, 0), 1)
	if light <= 0.0031308 {
		return uint8(light*12.92*255 + 0.5)
	}
	return uint8((1.055*math.Pow(light, 1/2.4)-0.055)*255 + 0.5)
}
