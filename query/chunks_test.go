package query_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pulse/query"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/clock"
	"pulse/store/tags"
)

// world is 300 minutes of three series with gaps, one of which ends half way.
func world(t *testing.T) *store.Store {
	st := open(t)
	for k, node := range []string{"a", "b", "c"} {
		values := make([]float64, 300/(k+1))
		for i := range values {
			values[i] = float64((i*7+k*13)%19) - 3
			if i%11 == k {
				values[i] = math.NaN()
			}
		}
		load(t, st, 60_000, tags.Of("name", "m", "node", node, "atlas.dstype", "gauge"), values...)
	}
	return st
}

// A range evaluated in pieces has the values of one evaluation, bit for bit.
func TestPiecesAreTheWhole(t *testing.T) {
	e := query.New(world(t), query.Options{})
	for _, program := range []string{
		"name,m,:eq", "name,m,:eq,(,node,),:by", "name,m,:eq,:avg,5,3,:rolling-mean", "name,m,:eq,(,node,),:by,:integral",
		"name,m,:eq,(,node,),:by,10,0.1,0.5,:sdes", "name,m,:eq,20,:delay,name,m,:eq,30m,:offset,:sub",
		"name,m,:eq,:des-fast,1,:add,:dup,7,:gt", "name,m,:eq,(,node,),:by,avg,1,:topk", "e-30m,ge,:time-span",
		"name,m,:eq,(,node,),:by,:dup,:max,:div,max,:stat", "minutes,:time,:random", "name,none,:eq,name,m,:eq",
	} {
		r := query.Request{Program: program, Start: 0, End: 300 * 60_000, Step: 60_000, Now: 300 * 60_000}
		whole, err := e.Eval(context.Background(), r)
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		want := map[string][]float64{}
		for _, l := range whole.Lines {
			want[l.Style.String()+l.Label] = l.Values
		}
		for _, steps := range []int{60, 1, 7, 1000} {
			p, err := e.Plan(r)
			if err != nil {
				t.Fatal(err)
			}
			got, at := map[string][]float64{}, r.Start
			err = p.Run(context.Background(), steps, func(piece *query.Result) error {
				if piece.Start != at || piece.End-piece.Start > int64(steps)*r.Step {
					t.Fatalf("%s: piece from %d to %d after %d", program, piece.Start, piece.End, at)
				}
				for _, l := range piece.Lines {
					key := l.Style.String() + l.Label
					for int64(len(got[key])) < (at-r.Start)/r.Step {
						got[key] = append(got[key], math.NaN())
					}
					got[key] = append(got[key], l.Values...)
				}
				at = piece.End
				return nil
			})
			if err != nil || at != r.End {
				t.Fatalf("%s in pieces of %d: ends at %d, %v", program, steps, at, err)
			}
			for key, values := range want {
				same := slices.EqualFunc(values, got[key], func(a, b float64) bool { return a == b || a != a && b != b })
				if !same {
					t.Errorf("%s in pieces of %d, line %s:\n got %s\nwant %s", program, steps, key, format(got[key]), format(values))
				}
			}
		}
	}
}

func TestPiecesHaveLimits(t *testing.T) {
	st := world(t)
	run := func(e *query.Engine, r query.Request) error {
		p, err := e.Plan(r)
		if err != nil {
			return err
		}
		return p.Run(context.Background(), 60, func(*query.Result) error { return nil })
	}
	r := query.Request{Program: "name,m,:eq", End: 300 * 60_000, Step: 60_000}
	e := query.New(st, query.Options{Limits: query.Limits{DatapointsPerLine: 100}})
	if err := run(e, r); err != nil {
		t.Errorf("a range of more steps than a graph's: %v", err)
	}
	r.Program = "name,m,:eq,max,:stat"
	if err := run(e, r); !errors.Is(err, query.ErrLimit) || !strings.Contains(err.Error(), "300 > 100") {
		t.Errorf("a word that looks at the whole of it: %v", err)
	}
	r.Program = "name,m,:eq,(,node,),:by"
	e = query.New(st, query.Options{Limits: query.Limits{DatapointsRead: 500}})
	if err := run(e, r); !errors.Is(err, query.ErrLimit) {
		t.Errorf("900 datapoints: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p, err := query.New(st, query.Options{}).Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	pieces := 0
	err = p.Run(ctx, 60, func(*query.Result) error { pieces++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || pieces != 1 {
		t.Errorf("cancelled after %d pieces: %v", pieces, err)
	}
}

// ticking is a clock that moves on by a second whenever it is asked.
type ticking struct{ *clock.Manual }

func (c ticking) Now() time.Time {
	c.Advance(time.Second)
	return c.Manual.Now()
}

// The time limit is on evaluating all pieces, not on what is done with them.
func TestPiecesHaveTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := world(t)
		run := func(limit time.Duration, clk clock.Clock) (pieces int, err error) {
			p, err := query.New(st, query.Options{Limits: query.Limits{Time: limit}, Clock: clk}).Plan(query.Request{Program: "name,m,:eq", End: 300 * 60_000, Step: 60_000})
			if err != nil {
				t.Fatal(err)
			}
			return pieces, p.Run(context.Background(), 60, func(*query.Result) error {
				pieces++
				time.Sleep(time.Hour)
				return nil
			})
		}
		for _, clk := range []clock.Clock{nil, clock.NewManual(time.UnixMilli(0))} {
			if pieces, err := run(time.Second, clk); pieces != 5 || err != nil {
				t.Errorf("a slow reader got %d pieces: %v", pieces, err)
			}
		}
		clk := ticking{clock.NewManual(time.UnixMilli(0))}
		if pieces, err := run(time.Hour, clk); pieces != 5 || err != nil {
			t.Fatalf("%d pieces in an hour: %v", pieces, err)
		}
		half := time.Duration(clk.Manual.Now().UnixMilli()) * time.Millisecond / 2
		if pieces, err := run(half, ticking{clock.NewManual(time.UnixMilli(0))}); pieces == 0 || pieces > 4 || !errors.Is(err, query.ErrTimeout) || !strings.Contains(err.Error(), half.String()) {
			t.Errorf("five pieces take %s: %d in half of it, %v", 2*half, pieces, err)
		}
	})
}

// Half the memory is for those who do not wait for their readers.
func TestPiecesHaveHalfTheMemory(t *testing.T) {
	memory := budget.New(1 << 20)
	e := query.New(world(t), query.Options{Memory: memory})
	wide := query.Request{Program: "name,m,:eq" + strings.Repeat(",10000,:delay", 5), End: 300 * 60_000, Step: 60_000}
	run := func(yield func(*query.Result) error) error {
		p, err := e.Plan(wide)
		if err != nil {
			t.Fatal(err)
		}
		return p.Run(context.Background(), 60, yield)
	}
	err := run(func(*query.Result) error {
		if used := memory.Used(); used > 512<<10 {
			t.Errorf("%d bytes are held", used)
		}
		if err := run(func(*query.Result) error { return nil }); !errors.Is(err, query.ErrBusy) {
			t.Errorf("a second one: %v", err)
		}
		_, err := e.Eval(context.Background(), wide)
		return err
	})
	if err != nil || memory.Used() != 0 {
		t.Errorf("%v, %d bytes are held in the end", err, memory.Used())
	}
}

func TestSortAxis(t *testing.T) {
	e := query.New(world(t), query.Options{})
	r, err := e.Eval(context.Background(), query.Request{Program: "3,a,:legend,5,z,:legend,1,:axis,1,c,:legend,2,b,:legend",
		End: 60_000, Step: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	f := func(axis int, mode, order, want string) {
		t.Helper()
		r.SortAxis(axis, mode, order)
		var got []string
		for _, l := range r.Lines {
			got = append(got, l.Legend)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%d %s %s: %s, want %s", axis, mode, order, s, want)
		}
	}
	f(0, "max", "", "c z b a")
	f(0, "", "asc", "c z b a")
	f(0, "", "desc", "c z b a")
	f(1, "avg", "desc", "c z b a")
	f(0, "avg", "desc", "a z b c")
	f(2, "nope", "", "a z b c")
	if r.Notices != nil {
		t.Errorf("notices %q", r.Notices)
	}
	f(0, "nope", "up", "a z b c")
	if want := []string{"Invalid order 'up'. Using default of 'asc'.", "Invalid sort mode 'nope'. Using default of 'legend'."}; !slices.Equal(r.Notices, want) {
		t.Errorf("notices %q", r.Notices)
	}
}
