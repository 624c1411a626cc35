package render

import (
	"strconv"

	"pulse/query/stream"
)

// AppendStep appends the event of one closed step:
//
//	{"t":ms,"step":ms,"completeness":1.0,"lines":[{"label":"...","tags":{...},"value":1.5}]}
//
// NaN is null.
func AppendStep(dst []byte, t, step int64, completeness float64, lines []stream.Line) []byte {
	dst = append(dst, `{"t":`...)
	dst = strconv.AppendInt(dst, t, 10)
	dst = append(dst, `,"step":`...)
	dst = strconv.AppendInt(dst, step, 10)
	dst = append(dst, `,"completeness":`...)
	dst = AppendNullNumber(dst, completeness)
	dst = append(dst, `,"lines":[`...)
	for i, l := range lines {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"label":`...)
		dst = AppendString(dst, l.Label)
		dst = append(dst, `,"tags":`...)
		dst = AppendTags(dst, l.Tags)
		dst = append(dst, `,"value":`...)
		dst = AppendNullNumber(dst, l.Value)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}
