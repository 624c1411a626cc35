package render

import (
	"strconv"

	"pulse/detect"
	"pulse/detect/algo"
)

// AppendBand appends a rule's band:
//
//	{"groups":[{"tags":{...},"facts":["level",...],"rows":[{"t":ms,"value":1,"expected":1,"lower":1,"upper":1,"score":0.5,"firing":false,"cause":"drop","facts":[1,...]}]}]}
//
// NaN is null. A row has a cause while it is out, and facts where they were asked
// for.
func AppendBand(dst []byte, groups []detect.BandGroup) []byte {
	dst = append(dst, `{"groups":[`...)
	for i, g := range groups {
		dst = append(comma(dst, i), `{"tags":`...)
		dst = AppendTags(dst, g.Tags)
		if len(g.Facts) > 0 {
			dst = append(dst, `,"facts":`...)
			dst = AppendStrings(dst, g.Facts)
		}
		dst = append(dst, `,"rows":[`...)
		for j, row := range g.Rows {
			dst = append(comma(dst, j), `{"t":`...)
			dst = strconv.AppendInt(dst, row.T, 10)
			for _, f := range []struct {
				key string
				v   float64
			}{{"value", row.Value}, {"expected", row.Expected}, {"lower", row.Lower}, {"upper", row.Upper}, {"score", row.Score}} {
				dst = append(append(append(dst, `,"`...), f.key...), `":`...)
				dst = AppendNullNumber(dst, f.v)
			}
			dst = append(dst, `,"firing":`...)
			dst = strconv.AppendBool(dst, row.Out)
			if row.Cause != algo.CauseNone {
				dst = append(append(append(dst, `,"cause":"`...), row.Cause.String()...), '"')
			}
			if len(row.Facts) > 0 {
				dst = append(dst, `,"facts":[`...)
				for k, f := range row.Facts {
					dst = AppendNullNumber(comma(dst, k), f)
				}
				dst = append(dst, ']')
			}
			dst = append(dst, '}')
		}
		dst = append(dst, "]}"...)
	}
	return append(dst, "]}"...)
}

// AppendBandCSV appends one group's band with the columns of `pulse score`; the
// timestamp is in Unix ms.
func AppendBandCSV(dst []byte, g detect.BandGroup) []byte {
	dst = append(dst, algo.Header...)
	for i := range g.Rows {
		dst = g.Rows[i].AppendCSV(dst)
	}
	return dst
}
