package stream_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"pulse/query/stream"
	"pulse/store"
	"pulse/store/tags"
)

func TestDataExpressionsAreShared(t *testing.T) {
	w := newWorld(t, 3)
	hub := stream.NewHub(w.st)
	a := w.open(hub, "name,sps,:eq,(,region,),:by,name,sps,:eq,:cf-max,(,region,),:by", second, stream.Options{})
	b := w.open(hub, "name,sps,:eq,(,region,),:by,2,:mul,name,sps,:eq,1m,:offset", 5*second, stream.Options{})
	if n := hub.Sources(); n != 2 {
		t.Errorf("%d sources, want 2", n)
	}
	_ = a
	b2, err := hub.OpenProgram("name,other,:eq", second, stream.Options{})
	if err != nil || hub.Sources() != 3 {
		t.Errorf("%d sources, %v, want 3", hub.Sources(), err)
	}
	b2.Close()
	if n := hub.Sources(); n != 2 {
		t.Errorf("%d sources after close, want 2", n)
	}
	_ = b
}

// What is written between two reads of a step is seen by the second.
func TestSharedColumnIsNeverStale(t *testing.T) {
	w := newWorld(t, 0)
	w.add("sps", 1)
	hub := stream.NewHub(w.st)
	a, b := w.open(hub, "name,sps,:eq", second, stream.Options{}), w.open(hub, "name,sps,:eq", second, stream.Options{})
	at := start + second
	send := func(v float64) {
		batch := store.Batch{Source: w.source, Arrival: at}
		batch.Add(w.refs[0], at, v)
		w.st.Append(&batch, at)
	}
	send(3)
	if lines, err := a.Step(at); err != nil || lines[0].Value != 3 {
		t.Fatalf("%v, %v, want 3", lines, err)
	}
	send(4)
	if lines, err := b.Step(at); err != nil || lines[0].Value != 7 {
		t.Fatalf("%v, %v, want 7", lines, err)
	}
}

func TestSeriesThatAppearsLater(t *testing.T) {
	w := newWorld(t, 0)
	hub := stream.NewHub(w.st)
	sum := w.open(hub, "name,sps,:eq", second, stream.Options{})
	by := w.open(hub, "name,sps,:eq,(,node,),:by,$node,:legend", second, stream.Options{})
	w.now += second
	f := func(want string) {
		t.Helper()
		a, err := sum.Step(w.now)
		if err != nil {
			t.Fatal(err)
		}
		b, err := by.Step(w.now)
		if err != nil {
			t.Fatal(err)
		}
		var labels []string
		for _, l := range append(append([]stream.Line{}, a...), b...) {
			labels = append(labels, l.Label)
		}
		if got := strings.Join(labels, "|"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f("NO DATA")
	w.add("sps", 7)
	w.tick()
	f("sum(name=sps)|7")
	w.add("sps", 3)
	w.add("other", 1)
	w.tick()
	f("sum(name=sps)|3|7")
}

func TestCompletenessAndSources(t *testing.T) {
	w := newWorld(t, 4)
	s := w.open(stream.NewHub(w.st), "name,sps,:eq,(,node,),:by,name,sps,:eq,:add", second, stream.Options{})
	for range 10 {
		if _, err := s.Step(w.tick()); err != nil {
			t.Fatal(err)
		}
	}
	if c := s.Completeness(w.now-second, w.now); c.Expected == 0 || c.Reported != c.Expected {
		t.Errorf("completeness %+v", c)
	}
	if c := s.Completeness(w.now+5*second, w.now+5*second); c.Reported != 0 || len(c.Silent) != 1 {
		t.Errorf("completeness of a step to come %+v", c)
	}
	one := tags.Of("name", "sps", "node", "1")
	if s.SourceInterval(one) != second {
		t.Errorf("interval %d", s.SourceInterval(one))
	}
	if s.SourceInterval(tags.Of("node", "none")) != second {
		t.Error("an unknown group has no interval")
	}
}

// A stream of stored values follows no series, and gives what others do.
func TestStoredStreamFollowsNothing(t *testing.T) {
	for _, program := range programs {
		w := newWorld(t, 10)
		hub := stream.NewHub(w.st)
		live := w.open(hub, program, second, stream.Options{ZeroFill: true})
		for range 200 {
			w.tick()
		}
		followed := hub.Sources()
		stored := w.open(hub, program, second, stream.Options{ZeroFill: true, Stored: true})
		of := func(s *stream.Stream) string {
			var out strings.Builder
			err := s.History(context.Background(), start+50*second, w.now-second, func(at int64, lines []stream.Line) error {
				out.WriteString(text(at, lines) + "\n")
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			lines, err := s.Step(w.now)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString(text(w.now, lines) + "\n")
			for _, l := range lines {
				fmt.Fprintln(&out, l.Label, s.SourceInterval(l.Tags))
			}
			return out.String()
		}
		if got, want := of(stored), of(live); got != want {
			t.Errorf("%s: %s", program, firstDifference(got, want))
		}
		if n := hub.Sources(); n != followed {
			t.Errorf("%s: %d data expressions are followed, %d before", program, n, followed)
		}
	}
}

// The interval of a line is that of its own sources, also where every series is a
// line.
func TestIntervalOfEveryLine(t *testing.T) {
	for _, c := range []struct{ program, key string }{
		{"name,sps,:eq,(,node,),:by", "node"},
		{"name,sps,:eq,:all", "node"},
	} {
		w := newWorld(t, 0)
		slow := w.st.Source("slow", start)
		w.add("sps", 0)
		w.add("sps", 1)
		hub := stream.NewHub(w.st)
		live := w.open(hub, c.program, second, stream.Options{})
		for i := range 60 {
			at := w.tick()
			if i%10 == 0 {
				b := store.Batch{Source: slow, Arrival: at}
				w.add("sps", 2)
				b.Add(w.refs[2], at, 1)
				w.refs = w.refs[:2]
				w.st.Append(&b, at)
			}
			if _, err := live.Step(at); err != nil {
				t.Fatal(err)
			}
		}
		stored := w.open(hub, c.program, second, stream.Options{Stored: true})
		lines, err := stored.Step(w.now)
		if err != nil || len(lines) != 3 {
			t.Fatalf("%d lines, %v", len(lines), err)
		}
		for _, l := range lines {
			want := second
			if node, _ := l.Tags.Get(c.key); node == "2" {
				want = 10 * second
			}
			for kind, s := range map[string]*stream.Stream{"live": live, "stored": stored} {
				if got := s.SourceInterval(l.Tags); got != want {
					t.Errorf("%s, %s: interval of %s is %d, want %d", c.program, kind, l.Tags, got, want)
				}
			}
		}
	}
}
