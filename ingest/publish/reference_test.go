package publish_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"pulse/ingest/publish"
	"pulse/store/tags"
)

// The slow reader: it cuts the text into tokens by regular expressions, builds a
// tree of it and reads the tree. It shares no code with the scanner.

type object []member

type member struct {
	name  string
	value any
}

type literal string // true, false, null, a number or a bare word, as written

var tokens = regexp.MustCompile(`^(?s:` +
	`([ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)` + // 1: nothing
	`|("(?:[^"\\]|\\.)*")` + // 2: a string
	`|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|NaN|[-+]?Infinity|[-+]?INF|true|false|null)` + // 3
	`|([{}\[\],:]))`) // 4

var errSlow = errors.New("unreadable")

func tokenize(text []byte) ([]string, error) {
	if !utf8.Valid(text) {
		return nil, errSlow
	}
	text = bytes.TrimPrefix(text, []byte("\xEF\xBB\xBF"))
	var out []string
	for len(text) > 0 {
		m := tokens.FindSubmatch(text)
		if m == nil {
			return nil, errSlow
		}
		if m[1] == nil {
			out = append(out, string(m[0]))
		}
		text = text[len(m[0]):]
	}
	return out, nil
}

type tree struct {
	tokens []string
	depth  int
}

func (t *tree) peek() string {
	if len(t.tokens) == 0 {
		return ""
	}
	return t.tokens[0]
}

func (t *tree) take() string {
	tok := t.peek()
	if tok != "" {
		t.tokens = t.tokens[1:]
	}
	return tok
}

func (t *tree) text(tok string) (string, error) {
	var s string
	if !strings.HasPrefix(tok, `"`) || json.Unmarshal([]byte(tok), &s) != nil {
		return "", errSlow
	}
	return s, nil
}

func (t *tree) value() (any, error) {
	switch tok := t.take(); {
	case strings.HasPrefix(tok, `"`):
		return t.text(tok)
	case tok == "{" || tok == "[":
		if t.depth++; t.depth > 32 {
			return nil, errSlow
		}
		defer func() { t.depth-- }()
		if tok == "{" {
			return t.object()
		}
		return t.list()
	case tok == "" || strings.Contains("{}[],:", tok):
		return nil, errSlow
	default:
		return literal(tok), nil
	}
}

func (t *tree) object() (object, error) {
	o := object{}
	if t.peek() == "}" {
		t.take()
		return o, nil
	}
	for {
		name, err := t.text(t.take())
		if err != nil || t.take() != ":" {
			return nil, errSlow
		}
		v, err := t.value()
		if err != nil {
			return nil, err
		}
		o = append(o, member{name, v})
		switch t.take() {
		case "}":
			return o, nil
		case ",":
		default:
			return nil, errSlow
		}
	}
}

func (t *tree) list() ([]any, error) {
	l := []any{}
	if t.peek() == "]" {
		t.take()
		return l, nil
	}
	for {
		v, err := t.value()
		if err != nil {
			return nil, err
		}
		l = append(l, v)
		switch t.take() {
		case "]":
			return l, nil
		case ",":
		default:
			return nil, errSlow
		}
	}
}

func slowTree(body []byte) (any, error) {
	toks, err := tokenize(body)
	if err != nil {
		return nil, err
	}
	t := &tree{tokens: toks}
	v, err := t.value()
	if err == nil && len(t.tokens) > 0 {
		err = errSlow
	}
	return v, err
}

// slowDecode is Decode by the slow reader.
func slowDecode(body []byte, limit int) ([]publish.Point, error) {
	v, err := slowTree(body)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case object:
		return slowPayload(v, limit)
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
		if _, ok := v[0].(object); !ok {
			return slowCompact(v, limit)
		}
		return slowMetrics(nil, v, limit)
	}
	return nil, errSlow
}

func slowPayload(o object, limit int) ([]publish.Point, error) {
	common := map[string]string{}
	var list []any
	for _, m := range o {
		var err error
		switch m.name {
		case "tags":
			common, err = slowTags(m.value)
		case "metrics":
			if m.value == literal("null") {
				continue
			}
			l, ok := m.value.([]any)
			if !ok {
				return nil, errSlow
			}
			list = append(list, l...)
		default:
			return nil, errSlow
		}
		if err != nil {
			return nil, err
		}
	}
	return slowMetrics(common, list, limit)
}

func slowMetrics(common map[string]string, list []any, limit int) ([]publish.Point, error) {
	var out []publish.Point
	for _, x := range list {
		o, ok := x.(object)
		if !ok {
			return nil, errSlow
		}
		p := publish.Point{Time: -1, Value: math.NaN()}
		own := map[string]string{}
		for _, m := range o {
			var err error
			switch m.name {
			case "tags":
				own, err = slowTags(m.value)
			case "timestamp", "start":
				p.Time, err = slowInt(m.value)
			case "value":
				p.Value, err = slowDouble(m.value)
			case "values":
				p.Value, err = slowFirst(m.value)
			}
			if err != nil {
				return nil, err
			}
		}
		all := maps.Clone(common)
		if all == nil {
			all = own
		}
		maps.Copy(all, own)
		p.Tags = tags.FromMap(all)
		out = append(out, p)
	}
	if len(out) > limit {
		return nil, errSlow
	}
	return out, nil
}

func slowTags(v any) (map[string]string, error) {
	out := map[string]string{}
	if v == literal("null") {
		return out, nil
	}
	o, ok := v.(object)
	if !ok {
		return nil, errSlow
	}
	for _, m := range o {
		switch s := m.value.(type) {
		case string:
			out[m.name] = s
		default:
			if s != literal("null") {
				return nil, errSlow
			}
		}
	}
	return out, nil
}

func slowInt(v any) (int64, error) {
	l, ok := v.(literal)
	if !ok || !regexp.MustCompile(`^-?[0-9]+$`).MatchString(string(l)) {
		return 0, errSlow
	}
	n, err := strconv.ParseInt(string(l), 10, 64)
	if n == math.MinInt64 {
		err = errSlow // its digits alone do not fit
	}
	return n, err
}

var bare = map[string]float64{
	"NaN": math.NaN(), "INF": math.Inf(1), "+INF": math.Inf(1), "-INF": math.Inf(-1),
	"Infinity": math.Inf(1), "+Infinity": math.Inf(1), "-Infinity": math.Inf(-1),
}

var decimal = regexp.MustCompile(`^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$`)

func slowDouble(v any) (float64, error) {
	var text string
	switch v := v.(type) {
	case literal:
		if v == "null" {
			return math.NaN(), nil
		}
		text = string(v)
	case string:
		text = strings.Trim(v, " \t\r\n")
	default:
		return 0, errSlow
	}
	if f, ok := bare[text]; ok {
		return f, nil
	}
	if !decimal.MatchString(text) {
		return 0, errSlow
	}
	f, _ := strconv.ParseFloat(text, 64)
	return f, nil
}

func slowFirst(v any) (float64, error) {
	if l, ok := v.([]any); ok {
		if len(l) == 0 {
			return math.NaN(), nil
		}
		v = l[0]
	}
	return slowDouble(v)
}

// slowReader takes the elements of a flat array one by one. The first that is
// missing or of another kind sets err.
type slowReader struct {
	list  []any
	table []string
	err   error
}

func (r *slowReader) next() any {
	if len(r.list) == 0 {
		r.err = errSlow
		return nil
	}
	v := r.list[0]
	r.list = r.list[1:]
	return v
}

func (r *slowReader) int() int64 {
	n, err := slowInt(r.next())
	if err != nil {
		r.err = err
	}
	return n
}

func (r *slowReader) double() float64 {
	f, err := slowDouble(r.next())
	if err != nil {
		r.err = err
	}
	return f
}

func (r *slowReader) size() int {
	n := r.int()
	if n < 0 || n > 100_000 {
		r.err = errSlow
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *slowReader) str() string {
	s, ok := r.next().(string)
	if !ok {
		r.err = errSlow
	}
	return s
}

func (r *slowReader) strings() {
	for range r.size() {
		if r.table = append(r.table, r.str()); r.err != nil {
			return
		}
	}
}

func (r *slowReader) tags() map[string]string {
	out := map[string]string{}
	for range r.size() {
		k, v := r.int(), r.int()
		if n := int64(len(r.table)); r.err != nil || k < 0 || v < 0 || k >= n || v >= n {
			r.err = errSlow
			return nil
		}
		out[r.table[k]] = r.table[v]
	}
	return out
}

func slowCompact(list []any, limit int) ([]publish.Point, error) {
	r := &slowReader{list: list}
	r.strings()
	n := r.int()
	if r.err != nil || n < 0 || n > int64(limit) {
		return nil, errSlow
	}
	var out []publish.Point
	for ; n > 0 && r.err == nil; n-- {
		r.str()
		p := publish.Point{Tags: tags.FromMap(r.tags())}
		p.Time = r.int()
		p.Value = r.double()
		out = append(out, p)
	}
	if len(r.list) > 0 {
		r.err = errSlow
	}
	return out, r.err
}

// slowUpdate is DecodeUpdate by the slow reader.
func slowUpdate(body []byte, limit int) ([]publish.Point, error) {
	v, err := slowTree(body)
	if err != nil {
		return nil, err
	}
	list, ok := v.([]any)
	if !ok {
		return nil, errSlow
	}
	r := &slowReader{list: list}
	r.strings()
	var out []publish.Point
	for len(r.list) > 0 && r.err == nil {
		set := r.tags()
		if r.err != nil {
			break
		}
		var p publish.Point
		switch r.int() {
		case 0:
			p.Op = publish.Add
			set["atlas.dstype"] = "sum"
		case 10:
			p.Op = publish.Max
			set["atlas.dstype"] = "gauge"
		default:
			return nil, errSlow
		}
		p.Tags = tags.FromMap(set)
		p.Value = r.double()
		out = append(out, p)
	}
	if len(out) > limit {
		r.err = errSlow
	}
	return out, r.err
}

// differ describes how two readings of a body differ; it is empty when they agree.
func differ(got []publish.Point, gotErr error, want []publish.Point, wantErr error) string {
	if (gotErr == nil) != (wantErr == nil) {
		return fmt.Sprintf("error %v, reference %v", gotErr, wantErr)
	}
	if gotErr != nil {
		return ""
	}
	if len(got) != len(want) {
		return fmt.Sprintf("%d points, reference %d", len(got), len(want))
	}
	for i := range got {
		g, w := got[i], want[i]
		same := g.Time == w.Time && g.Op == w.Op && g.Tags.Equal(w.Tags) &&
			(g.Value == w.Value || g.Value != g.Value && w.Value != w.Value)
		if !same {
			return fmt.Sprintf("point %d: %v, reference %v", i, g, w)
		}
	}
	return ""
}
