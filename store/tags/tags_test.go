package tags_test

import (
	"fmt"
	"slices"
	"testing"

	"pulse/store/tags"
)

func TestNormalize(t *testing.T) {
	for _, c := range []struct{ in, want tags.Tags }{
		{nil, nil},
		{tags.Tags{{"b", "1"}, {"a", "2"}}, tags.Tags{{"a", "2"}, {"b", "1"}}},
		{tags.Tags{{"a", "1"}, {"b", "1"}, {"a", "2"}, {"a", "3"}}, tags.Tags{{"a", "3"}, {"b", "1"}}},
		{tags.Tags{{"a", "1"}, {"a", ""}}, tags.Tags{{"a", ""}}},
	} {
		in := fmt.Sprint(c.in)
		if got := tags.Normalize(c.in); !got.Equal(c.want) {
			t.Errorf("Normalize(%s) = %v, want %v", in, got, c.want)
		}
	}
	if got := tags.Of("b", "1", "a", "1", "b", "2"); got.String() != "a=1,b=2" {
		t.Errorf("Of = %v", got)
	}
}

func TestChangesAreCopies(t *testing.T) {
	base := tags.FromMap(map[string]string{"name": "sps", "app": "www"})
	for _, c := range []struct {
		got  tags.Tags
		want string
	}{
		{base.With("zone", "a"), "app=www,name=sps,zone=a"},
		{base.With("app", "x"), "app=x,name=sps"},
		{base.With("a", "1"), "a=1,app=www,name=sps"},
		{base.Without("app"), "name=sps"},
		{base.Without("none"), "app=www,name=sps"},
	} {
		if c.got.String() != c.want {
			t.Errorf("got %v, want %s", c.got, c.want)
		}
		clear(c.got)
	}
	if base.String() != "app=www,name=sps" {
		t.Errorf("the original became %v", base)
	}
	if v, ok := base.Get("app"); !ok || v != "www" {
		t.Errorf("Get = %q, %v", v, ok)
	}
	if _, ok := base.Get("ap"); ok {
		t.Error("a beginning of a key is no key")
	}
	if got := tags.FromMap(base.Map()); !got.Equal(base) {
		t.Errorf("through a map: %v", got)
	}
}

// Data outlives the process and is shared by many: neither the id nor the
// partition of a series may ever change.
func TestIDAndHashAreFixed(t *testing.T) {
	for _, c := range []struct {
		tags tags.Tags
		id   string
		hash uint64
	}{
		{tags.Of(), "da39a3ee5e6b4b0d3255bfef95601890afd80709", 0x8570e250fe4c2473},
		{tags.Of("name", "sps"), "07807df198f1613652447473f1ddbafa02665a1b", 0xe6173ffb30c0124},
		{tags.Of("nf.app", "www", "name", "sps"), "36e93972420da16a94968edeedd594aa9f58c42d", 0xbd348907739a24a2},
	} {
		if c.tags.ID() != c.id || c.tags.Hash() != c.hash {
			t.Errorf("%v: id %s, hash %#x", c.tags, c.tags.ID(), c.tags.Hash())
		}
	}
}

// Sets that read alike are still told apart.
func TestKeysAreUnambiguous(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []tags.Tags{
		tags.Of("a", "1,b=2"), tags.Of("a", "1", "b", "2"), tags.Of("a=1,b", "2"),
		tags.Of("a", ""), tags.Of("", "a"), tags.Of(), tags.Of("", ""),
	} {
		key := string(s.AppendKey(nil))
		if old, ok := seen[key]; ok {
			t.Errorf("%q and %q have one key", s, old)
		}
		seen[key] = s.String()
	}
}

func TestCompare(t *testing.T) {
	ordered := []tags.Tags{
		tags.Of(), tags.Of("a", "1"), tags.Of("a", "1", "b", "2"), tags.Of("a", "1.5"), tags.Of("a.b", "0"), tags.Of("b", ""),
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := a.Compare(b), min(1, max(-1, i-j)); got != want {
				t.Errorf("Compare(%v, %v) = %d, want %d", a, b, got, want)
			}
		}
	}
	if !slices.IsSortedFunc(ordered, tags.Tags.Compare) {
		t.Error("not sorted")
	}
}
