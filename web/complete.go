package web

import (
	"context"
	"strconv"
	"strings"

	"pulse/query"
	"pulse/query/asl"
)

// How many keys and how many values are offered: when nothing is said, and at most.
const (
	typedTexts = 100
	maxTexts   = 1000
)

// candidate is one way to go on with an expression.
type candidate struct {
	Name        string   `json:"name"`
	Signature   string   `json:"signature"`
	Description string   `json:"description"`
	Examples    []string `json:"examples,omitempty"`
	Kind        string   `json:"kind,omitempty"` // word, key or value
}

// exprComplete lists the words that fit the stack. With typed=1 the last token is
// taken to be half written: what begins with it is listed, words as well as the
// tag keys and values of the series that the expression selects.
func (s *Server) exprComplete(r *request) {
	if !r.flag("typed") {
		in, _, err := s.interpreter(r)
		if err != nil {
			r.fail(err)
			return
		}
		words, err := in.Complete(r.param("q"), anyWord())
		if err != nil {
			r.fail(err)
			return
		}
		r.json(appendWords([]candidate{}, words, ""))
		return
	}
	limit, err := r.number("limit", typedTexts, 1, maxTexts)
	if err != nil {
		r.fail(err)
		return
	}
	in, err := s.typing(r)
	if err != nil {
		r.fail(err)
		return
	}
	t, err := in.Typing(r.param("q"), exprOptions(r))
	if err != nil {
		r.fail(err)
		return
	}
	out := appendWords([]candidate{}, t.Words, "word")
	if t.Text {
		if out, err = s.appendTexts(r.query, out, t, int(limit)); err != nil {
			r.fail(query.InTime(r.query, err))
			return
		}
	}
	r.json(out)
}

func appendWords(out []candidate, words []asl.Word, kind string) []candidate {
	for _, w := range words {
		out = append(out, candidate{w.Name, w.Signature, strings.TrimSpace(w.Doc), w.Examples, kind})
	}
	return out
}

// appendTexts appends the values of the key before, if it is one, and else the
// keys, that begin with what was typed, limit of each.
func (s *Server) appendTexts(ctx context.Context, out []candidate, t *asl.Typing, limit int) ([]candidate, error) {
	typed := asl.Unescape(t.Token)
	if t.Key != "" {
		values, err := s.opts.Store.FindValues(ctx, t.Key, t.Query, before(typed), limit)
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			if !strings.HasPrefix(v.Value, typed) {
				break
			}
			out = append(out, candidate{Name: asl.Escape(v.Value), Signature: t.Key, Description: countText(v.Count), Kind: "value"})
		}
	}
	keys, err := s.opts.Store.FindKeys(ctx, t.Query, before(typed), limit)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, typed) {
			break
		}
		out = append(out, candidate{Name: asl.Escape(key), Signature: "tag key", Kind: "key"})
	}
	return out, nil
}

func countText(n int) string {
	if n == 1 {
		return "1 series"
	}
	return strconv.Itoa(n) + " series"
}

// before returns a text that stands before all that begin with prefix and behind
// whatever stands before them.
func before(prefix string) string {
	n := len(prefix)
	if n == 0 {
		return ""
	}
	if prefix[n-1] == 0 {
		return prefix[:n-1]
	}
	return prefix[:n-1] + string([]byte{prefix[n-1] - 1, 0xff})
}
