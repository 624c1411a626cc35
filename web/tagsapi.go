package web

import (
	"context"
	"math"
	"strconv"
	"strings"

	"pulse/query"
	"pulse/store/match"
	"pulse/web/render"
)

const (
	tagPage    = 1000    // items of a page of the tags API when nothing is said
	maxTagPage = 100_000 // items of the largest page
	tagText    = 64      // bytes of an item in an answer, besides its texts
)

// nextOffset is the header that says where the next page starts.
const nextOffset = "x-nflx-atlas-next-offset"

// tagRequest is what is asked of the tags API: keys, the values of a key, or tags
// with how many series have each.
type tagRequest struct {
	query  match.Query
	key    string // "" for all
	counts bool   // tags, with how many series each has
	after  string // the last item of the page before; of tags the value
	from   string // of tags of all keys: the key of that
	limit  int
}

// tagItem is one line of the answer. Items without a key are texts.
type tagItem struct {
	key, text string
	count     int
}

// tagKeys lists the keys of the series that q matches, in order.
func (s *Server) tagKeys(r *request) { s.listTags(r, "") }

// tagValues lists the values of one key.
func (s *Server) tagValues(r *request) { s.listTags(r, r.vars["key"]) }

func (s *Server) listTags(r *request, key string) {
	asked, err := s.readTags(r, key)
	if err != nil {
		r.fail(err)
		return
	}
	lease := s.opts.Query.Lease()
	defer func() { leaseAnswer(r.ctx, lease) }()
	items, err := s.findTags(r.query, asked)
	if err == nil {
		size := int64(0)
		for _, i := range items {
			size += int64(len(i.key) + len(i.text) + tagText)
		}
		err = lease.Take(2 * size) // and the answer
	}
	if err != nil {
		r.fail(query.InTime(r.query, err))
		return
	}
	if n := len(items); n == asked.limit {
		last := items[n-1]
		next := last.text
		if asked.counts {
			next = last.key + "," + next
		}
		r.ctx.Response.Header.Set(nextOffset, next)
	}
	s.sendTags(r, items)
}

// readTags reads the parameters.
func (s *Server) readTags(r *request, key string) (tagRequest, error) {
	limit, err := r.number("limit", tagPage, 1, math.MaxInt32)
	if err != nil {
		return tagRequest{}, err
	}
	switch r.param("format") {
	case "", "json", "txt":
	default:
		return tagRequest{}, badRequest("parameter format is " + clip(r.param("format"), 40) + ", must be json or txt")
	}
	asked := tagRequest{query: match.True, key: key, counts: r.flag("verbose"), after: r.param("offset"), limit: int(min(limit, maxTagPage))}
	if k, v, ok := strings.Cut(asked.after, ","); asked.counts && ok && (k == key || key == "") {
		asked.from, asked.after = k, v
	}
	if r.has("q") {
		if asked.query, err = s.opts.Query.Interpreter().ParseQuery(r.param("q")); err != nil {
			return tagRequest{}, err
		}
	}
	return asked, nil
}

// findTags returns a page of what is asked for.
func (s *Server) findTags(ctx context.Context, asked tagRequest) ([]tagItem, error) {
	st := s.opts.Store
	var out []tagItem
	if asked.key == "" && !asked.counts {
		keys, err := st.FindKeys(ctx, asked.query, asked.after, asked.limit)
		for _, k := range keys {
			out = append(out, tagItem{text: k})
		}
		return out, err
	}
	keys := []string{asked.key}
	if asked.key == "" {
		var err error
		if keys, err = st.FindKeys(ctx, asked.query, "", 0); err != nil {
			return nil, err
		}
	}
	for _, k := range keys {
		after := asked.after
		switch {
		case asked.key != "":
		case k < asked.from:
			continue
		case k > asked.from:
			after = ""
		}
		values, err := st.FindValues(ctx, k, asked.query, after, asked.limit-len(out))
		if err != nil {
			return nil, err
		}
		for _, v := range values {
			item := tagItem{text: v.Value}
			if asked.counts {
				item.key, item.count = k, v.Count
			}
			out = append(out, item)
		}
		if len(out) == asked.limit {
			break
		}
	}
	return out, nil
}

// sendTags answers with a JSON array, or with an item on each line for format=txt.
func (s *Server) sendTags(r *request, items []tagItem) {
	text := r.param("format") == "txt"
	var b []byte
	for i, item := range items {
		switch {
		case text && item.key == "":
			b = append(append(b, item.text...), '\n')
		case text:
			b = append(append(append(append(b, item.key...), '\t'), item.text...), '\t')
			b = append(strconv.AppendInt(b, int64(item.count), 10), '\n')
		default:
			b = appendTagItem(append(b, "[,"[min(i, 1)]), &item)
		}
	}
	switch {
	case text:
		r.body("text/plain; charset=utf-8", b)
	case len(items) == 0:
		r.body("application/json", []byte("[]"))
	default:
		r.body("application/json", append(b, ']'))
	}
	if s.tooLarge(r, "a smaller limit") {
		return
	}
	compress(r.ctx)
}

func appendTagItem(b []byte, item *tagItem) []byte {
	if item.key == "" {
		return render.AppendString(b, item.text)
	}
	b = render.AppendString(append(b, `{"key":`...), item.key)
	b = render.AppendString(append(b, `,"value":`...), item.text)
	return append(strconv.AppendInt(append(b, `,"count":`...), int64(item.count), 10), '}')
}
