package stream_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"pulse/query/stream"
	"pulse/store"
	"pulse/store/tags"
)

// What would hold up others is not followed: large queries, and those that take
// longer than there is time.
func TestTry(t *testing.T) {
	st, err := store.New(store.Options{Step: 1000})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ts := tags.Of("name", "load", "node", "a")
	if _, err := st.Resolve(st.HashTags(store.Hash{}, ts.AppendKey(nil)), ts, 1000); err != nil {
		t.Fatal(err)
	}
	h := stream.NewHub(st)
	ctx, cancel := context.WithCancel(context.Background())
	many := "node,(.*a){9}$,:re" + strings.Repeat(",node,(.*a){9}$,:re,:or", 100)
	for program, want := range map[string]string{
		"name,load,:eq,node,.*a,:re,:and,(,node,),:by": "", "1,2,:add": "",
		many: "a query of a stream is too large", "1," + many + ",:add": "a query of a stream is too large",
		":nope": "unknown word ':nope'", "name": "expecting time series expr",
	} {
		if err := h.Try(ctx, program); (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.50s: %v, want %q", program, err, want)
		}
	}
	cancel()
	if err := h.Try(ctx, "node,.*a,:re"); !errors.Is(err, context.Canceled) {
		t.Errorf("without time: %v", err)
	}
}
