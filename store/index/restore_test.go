package index_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"pulse/store/index"
	"pulse/store/match"
	"pulse/store/tags"
)

// Series that are restored together are found like those that came one by one.
func TestRestoreMany(t *testing.T) {
	const n = 70_000 // more than are gathered at once
	one, many := index.New(index.Limits{Keys: 10, Values: n, Pairs: 2 * n}), index.New(index.Limits{})
	r := rand.New(rand.NewPCG(1, 2))
	var texts []tags.Tag
	var users []int32
	at := map[tags.Tag]int{}
	var sets []tags.Tags
	var refs []uint32
	for i := range n {
		set := tags.Of("id", fmt.Sprint(i/3), "name", fmt.Sprint("m", r.IntN(20)))
		if r.IntN(2) == 0 {
			set = tags.Of("name", "other")
		}
		for _, tag := range set {
			if _, known := at[tag]; !known {
				at[tag] = len(texts)
				texts, users = append(texts, tag), append(users, 0)
			}
			users[at[tag]]++
		}
		sets, refs = append(sets, set), append(refs, uint32(i)*3)
		pairs, err := one.Intern(nil, set)
		if err != nil {
			t.Fatal(err)
		}
		one.Add(refs[i], pairs)
	}
	texts, users = append(texts, tags.Tag{Key: "unused", Value: "x"}), append(users, 0)
	numbers := many.RestoreMany(texts, users)
	pairsOf := func(set tags.Tags) (pairs []uint32) {
		for _, tag := range set {
			pairs = append(pairs, numbers[at[tag]])
		}
		return pairs
	}
	many.AddMany(func(yield func(uint32, []uint32) bool) {
		for i, ref := range refs {
			yield(ref, pairsOf(sets[i]))
		}
	})
	if a, b := one.Stats(), many.Stats(); a != b {
		t.Errorf("%+v one by one, %+v together", a, b)
	}
	for _, key := range []string{"id", "name", "unused"} {
		if a, b := one.Values(key, match.True, "", 0), many.Values(key, match.True, "", 0); !reflect.DeepEqual(a, b) {
			t.Errorf("values of %s differ", key)
		}
	}
	for i, set := range sets { // every user is there to be released, and no more
		many.Remove(refs[i], pairsOf(set))
	}
	for _, set := range sets {
		many.Release(pairsOf(set))
	}
	if st := many.Stats(); st != (index.Stats{}) {
		t.Errorf("%+v when all are gone", st)
	}
}
