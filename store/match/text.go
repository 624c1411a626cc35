package match

import "strings"

func (q Const) String() string    { return string(q.AppendText(nil)) }
func (q *Has) String() string     { return string(q.AppendText(nil)) }
func (q *Equal) String() string   { return string(q.AppendText(nil)) }
func (q *In) String() string      { return string(q.AppendText(nil)) }
func (q *Compare) String() string { return string(q.AppendText(nil)) }
func (q *Regex) String() string   { return string(q.AppendText(nil)) }
func (q *And) String() string     { return string(q.AppendText(nil)) }
func (q *Or) String() string      { return string(q.AppendText(nil)) }
func (q *Not) String() string     { return string(q.AppendText(nil)) }

func (q Const) AppendText(dst []byte) []byte {
	if q {
		return append(dst, ":true"...)
	}
	return append(dst, ":false"...)
}

func (q *Has) AppendText(dst []byte) []byte {
	return append(AppendEscaped(dst, q.Key), ",:has"...)
}

func (q *Equal) AppendText(dst []byte) []byte { return appendPair(dst, q.Key, q.Value, ",:eq") }

func (q *In) AppendText(dst []byte) []byte {
	dst = append(AppendEscaped(dst, q.Key), ",(,"...)
	for _, v := range q.Values {
		dst = append(AppendEscaped(dst, v), ',')
	}
	return append(dst, "),:in"...)
}

func (q *Compare) AppendText(dst []byte) []byte {
	return appendPair(dst, q.Key, q.Value, [...]string{",:lt", ",:le", ",:gt", ",:ge"}[q.Op])
}

func (q *Regex) AppendText(dst []byte) []byte {
	word := ",:re"
	if q.IgnoreCase {
		word = ",:reic"
	}
	return appendPair(dst, q.Key, q.Pattern, word)
}

func (q *And) AppendText(dst []byte) []byte {
	dst = append(q.L.AppendText(dst), ',')
	return append(q.R.AppendText(dst), ",:and"...)
}

func (q *Or) AppendText(dst []byte) []byte {
	dst = append(q.L.AppendText(dst), ',')
	return append(q.R.AppendText(dst), ",:or"...)
}

func (q *Not) AppendText(dst []byte) []byte { return append(q.Q.AppendText(dst), ",:not"...) }

func appendPair(dst []byte, key, value, word string) []byte {
	dst = append(AppendEscaped(dst, key), ',')
	return append(AppendEscaped(dst, value), word...)
}

func (q Const) Label() string {
	if q {
		return "true"
	}
	return "false"
}

func (q *Has) Label() string   { return "has(" + q.Key + ")" }
func (q *Equal) Label() string { return q.Key + "=" + q.Value }
func (q *In) Label() string    { return q.Key + " in (" + strings.Join(q.Values, ",") + ")" }
func (q *Compare) Label() string {
	return q.Key + [...]string{"<", "<=", ">", ">="}[q.Op] + q.Value
}

func (q *Regex) Label() string {
	label := q.Key + "~/^" + q.Pattern + "/"
	if q.IgnoreCase {
		label += "i"
	}
	return label
}

func (q *And) Label() string { return "(" + q.L.Label() + ") and (" + q.R.Label() + ")" }
func (q *Or) Label() string  { return "(" + q.L.Label() + ") or (" + q.R.Label() + ")" }
func (q *Not) Label() string { return "not(" + q.Q.Label() + ")" }
