package notify

import (
	"fmt"
	"testing"
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
	for _, it := range p.start {
		got = append(got, it.Seq)
	}
	if fmt.Sprint(got) != "[1 2 3]" || q.bytes != 3 {
		t.Errorf("order %v, %d bytes", got, q.bytes)
	}
}
