package render

import (
	"strconv"
	"strings"
	"time"

	"pulse/query"
)

// AppendGraph appends the graph format `json` (and `std.json`): a row per time,
// a column per line. The first row is stamped Start + Step.
func AppendGraph(dst []byte, g *query.Result) []byte {
	dst = append(dst, `{"start":`...)
	dst = strconv.AppendInt(dst, g.Start+g.Step, 10)
	dst = append(dst, `,"step":`...)
	dst = strconv.AppendInt(dst, g.Step, 10)
	dst = appendHeads(append(dst, ','), g)
	dst = append(dst, `,"values":[`...)
	for i := range rows(g) {
		dst = append(comma(dst, i), '[')
		for j := range g.Lines {
			dst = comma(dst, j)
			dst = AppendQuotedNumber(dst, g.Lines[j].Values[i])
		}
		dst = append(dst, ']')
	}
	dst = append(dst, `],"notices":`...)
	dst = AppendStrings(dst, g.Notices)
	dst = append(dst, `,"explain":`...)
	dst = appendExplain(dst, &g.Explain)
	return append(dst, '}')
}

func rows(g *query.Result) int { return int((g.End - g.Start) / g.Step) }

func comma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}

func appendExplain(dst []byte, x *query.Explain) []byte {
	for i, f := range []struct {
		key string
		n   int64
	}{
		{"dataFetchTime", x.DataFetchMs}, {"inputLines", x.InputLines}, {"intermediateLines", x.IntermediateLines},
		{"graphLines", x.GraphLines}, {"inputDatapoints", x.InputDatapoints},
		{"intermediateDatapoints", x.IntermediateDatapoints}, {"graphDatapoints", x.GraphDatapoints},
	} {
		if i == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), f.key...), `":`...)
		dst = strconv.AppendInt(dst, f.n, 10)
	}
	return append(dst, '}')
}

// AppendTable appends the formats `csv` (separator ',') and `txt` ('\t'): a
// header, then a line per time with six decimals. Cells that a spreadsheet
// would run as a formula are guarded with a quote.
func AppendTable(dst []byte, g *query.Result, separator byte, zone *time.Location) []byte {
	dst = append(dst, `"timestamp"`...)
	for i := range g.Lines {
		dst = append(dst, separator)
		dst = appendCell(dst, g.Lines[i].Legend)
	}
	dst = append(dst, '\n')
	for i := range rows(g) {
		t := time.UnixMilli(g.Start + int64(i+1)*g.Step).In(zone)
		dst = t.AppendFormat(dst, time.RFC3339Nano) // whole seconds without a fraction
		for j := range g.Lines {
			dst = query.AppendFixed(append(dst, separator), g.Lines[j].Values[i], 6)
		}
		dst = append(dst, '\n')
	}
	return dst
}

func appendCell(dst []byte, text string) []byte {
	dst = append(dst, '"')
	if text != "" && strings.IndexByte("=+-@\t\r", text[0]) >= 0 {
		dst = append(dst, '\'')
	}
	for _, r := range text {
		switch {
		case r == '"':
			dst = append(dst, '"', '"')
		case r < 0x20 || r == 0x7f:
			dst = append(dst, ' ')
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}
