package query_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pulse/query"
	"pulse/store/budget"
	"pulse/store/tags"
)

// All queries share one budget: what one holds another cannot have, and
// everything is given back.
func TestQueriesShareMemory(t *testing.T) {
	st := open(t)
	for i := range 100 {
		load(t, st, 60_000, tags.Of("name", "m", "id", fmt.Sprint(i)), 1, 2, 3)
	}
	ask := func(e *query.Engine, program string, l *query.Lease) error {
		_, err := e.Eval(context.Background(), query.Request{Program: program, Start: 0, End: 60 * 60_000, Step: 60_000, Lease: l})
		return err
	}
	const all, one = "name,m,:eq,(,id,),:by", "name,m,:eq,:sum"
	const size = 100 * (256 + 60*8)
	b := budget.New(3 * size)
	e := query.New(st, query.Options{Memory: b})
	lease := e.Lease()
	if err := ask(e, all, lease); err != nil {
		t.Fatal(err)
	}
	if b.Used() < size || b.Used() > 2*size {
		t.Errorf("%d bytes in use of a result of %d", b.Used(), size)
	}
	for _, program := range []string{all + ",:dup,:mul", all + "," + all + ",:add"} {
		if err := ask(e, program, nil); !errors.Is(err, query.ErrBusy) {
			t.Errorf("%s beside it: %v, want ErrBusy", program, err)
		}
	}
	if err := ask(e, one, nil); err != nil {
		t.Errorf("a small query beside it: %v", err)
	}
	held := b.Used()
	lease.Keep(1000)
	if b.Used() != 1000 || held < size {
		t.Errorf("%d bytes are kept, %d before", b.Used(), held)
	}
	lease.Release()
	if b.Used() != 0 {
		t.Errorf("%d bytes are not given back", b.Used())
	}
	if err := ask(e, all+",2,:mul", nil); err != nil || b.Used() != 0 {
		t.Errorf("alone: %v, %d bytes in use", err, b.Used())
	}
}
