package index

import (
	"errors"
	"fmt"
	"testing"

	"pulse/store/match"
	"pulse/store/tags"
)

// Trying predicates on values ends when it is told to, soon.
func TestSelectUntil(t *testing.T) {
	x := New(Limits{Keys: 10, Values: 10_000, Pairs: 10_000})
	for i := range 5000 {
		pairs, err := x.Intern(nil, tags.Of("node", fmt.Sprintf("i-%d", i)))
		if err != nil {
			t.Fatal(err)
		}
		x.Add(uint32(i), pairs)
	}
	re, err := match.NewRegex("node", ".*7.*9", false)
	if err != nil {
		t.Fatal(err)
	}
	q := match.NewOr(re, match.NewNot(re))
	stop := errors.New("stop")
	for _, after := range []int{0, 1, 50, 1 << 30} {
		asked := 0
		ask := func() error {
			if asked++; asked > after {
				return stop
			}
			return nil
		}
		found, err := x.SelectUntil(q, ask)
		keys, kerr := x.KeysUntil(q, "", 0, ask)
		values, verr := x.ValuesUntil("node", q, "", 0, ask)
		if after == 1<<30 {
			if err != nil || kerr != nil || verr != nil || found.GetCardinality() != 5000 || len(keys) != 1 || len(values) != 5000 {
				t.Errorf("found %d, %d keys, %d values, %v %v %v", found.GetCardinality(), len(keys), len(values), err, kerr, verr)
			}
			if asked < 3*2*5000/64 {
				t.Errorf("asked %d times", asked)
			}
			continue
		}
		if err != stop || kerr != stop || verr != stop || asked > after+3 {
			t.Errorf("after %d: %v %v %v, asked %d times", after, err, kerr, verr, asked)
		}
	}
}
