package index_test

import (
	"fmt"
	"testing"

	"pulse/store/match"
	"pulse/store/tags"
)

// TestFewValues: the answer is that of Values, or none when there are more.
func TestFewValues(t *testing.T) {
	w := newWorld()
	for i := range 60 {
		w.add(t, uint32(i), tags.Of("name", "sps", "node", fmt.Sprint(i), "region", fmt.Sprint(i%3)))
	}
	x := w.x
	all := &match.Equal{Key: "name", Value: "sps"}
	f := func(key string, q match.Query, most int, few bool) {
		t.Helper()
		want := x.Values(key, q, "", 0)
		if !few {
			want = nil
		}
		got, ok := x.FewValues(key, q, most)
		if ok != few || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s at most %d: %v %v, want %v %v", key, most, got, ok, want, few)
		}
	}
	f("region", all, 3, true)
	f("region", all, 2, false)
	f("node", all, 59, false)
	f("node", all, 60, true)
	f("node", &match.Equal{Key: "region", Value: "1"}, 20, true)
	f("nosuch", all, 1, true)
}
