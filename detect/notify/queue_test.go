package notify

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pulse/detect/secret"
	"pulse/store/clock"
)

func TestBegunIncidentsAreBounded(t *testing.T) {
	q := newQueue(10, 1000, 60)
	q.limitOpen = 3
	for i := range 5 {
		if got := q.begin(fmt.Sprint(i)); got != (i < 3) {
			t.Errorf("incident %d: %v", i, got)
		}
	}
	if !q.begin("2") || len(q.open) != 3 {
		t.Errorf("%d are noted", len(q.open))
	}
}

// A commit's hook may run after that of a later commit, or twice for what was
// loaded: order is that of the sequence.
func TestInsertOutOfOrder(t *testing.T) {
	q := newQueue(10, 1000, 60)
	add := func(seq uint64, kind, incident string) {
		q.insert(&item{Seq: seq, ID: fmt.Sprint(seq), Type: kind, Incident: incident, Bytes: 1, Enqueued: 1})
	}
	add(3, TypeFiring, "b")
	add(1, TypeFiring, "a")
	add(2, TypeTest, "")
	add(3, TypeFiring, "b")
	p := q.plan(1)
	var got []uint64
	for _, st := range p.start {
		got = append(got, st.items[0].Seq)
	}
	if fmt.Sprint(got) != "[1 2 3]" || q.bytes != 3 {
		t.Errorf("order %v, %d bytes", got, q.bytes)
	}
}

// The end of an incident that is given up is its end all the same: what is not
// forgotten then stays for ever.
func TestGivenUpEndsAreForgotten(t *testing.T) {
	q := newQueue(10, 1000, 60)
	q.begin("a")
	q.insert(&item{Seq: 1, ID: "1", Type: TypeResolved, Incident: "a", Bytes: 1, Enqueued: 1})
	p := q.plan(1 + keepTrying.Milliseconds())
	if len(p.drops) != 1 || !p.drops[0].bury || !p.drops[0].over || len(q.open) != 0 {
		t.Errorf("drops %+v, open %v", p.drops, q.open)
	}
}

// An answer of 410 that arrives after the operator has put another URL does not
// speak for that one.
func TestGoneOfAnOldURL(t *testing.T) {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := New(Options{DB: db, Clock: clock.NewManual(time.UnixMilli(1_700_000_000_000))})
	if err != nil {
		t.Fatal(err)
	}
	const was, is = "http://93.184.216.34/was", "http://93.184.216.34/is"
	for _, url := range []string{was, is} {
		if err := s.PutReceiver(Receiver{Name: "a", URL: secret.NewURL(url)}); err != nil {
			t.Fatal(err)
		}
	}
	former := s.channel("a").snapshot()
	former.URL = secret.NewURL(was)
	s.disable(s.channel("a"), former, 1)
	if r := s.channel("a").snapshot(); r.Disabled {
		t.Error("disabled by its former URL")
	}
	s.disable(s.channel("a"), s.channel("a").snapshot(), 1)
	if r := s.channel("a").snapshot(); !r.Disabled {
		t.Error("not disabled by its own")
	}
}

// What is too old while it is in flight leaves when its attempt ends; nothing is
// to be done before.
func TestInFlightDoesNotWake(t *testing.T) {
	q := newQueue(10, 1000, 60)
	q.insert(&item{Seq: 1, ID: "1", Type: TypeFiring, Incident: "a", Bytes: 1, Enqueued: 1})
	if p := q.plan(1); len(p.start) != 1 {
		t.Fatalf("%+v", p)
	}
	if p := q.plan(keepTrying.Milliseconds() + 5000); p.wake != 0 || len(p.drops) != 0 {
		t.Errorf("%+v", p)
	}
}
