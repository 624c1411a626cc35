package detect

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
)

// silent is an outbox that nobody reads.
type silent struct{}

func (silent) EnqueueAll(*bbolt.Tx, []notify.Notification) []error { return nil }
func (silent) Quiet(*bbolt.Tx, []notify.Quiet) error               { return nil }

func (silent) Withdraw(*bbolt.Tx, []string) ([]notify.Withdrawn, error) { return nil, nil }
func (silent) Wake()                                                    {}
func (silent) Attempts(string) []notify.Attempt                         { return nil }

func openDB(t testing.TB) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// journalModel is what a journal should remember.
type journalModel struct {
	t     *testing.T
	j     *journal
	open  map[string]int64 // incident → At
	ended map[string]int64 // incident → EndsAt
	made  int
	clock int64
}

func (m *journalModel) incident(id string) *incident {
	in := &incident{ID: id, Rule: "r", State: StateFiring, At: m.clock, Events: []Event{{m.clock, "firing", "value 1"}}}
	in.Sent.ID, in.Sent.Incident, in.Sent.Tags = id+"-firing", id, map[string]string{"group": id}
	return in
}

// change is one transaction: some begin, some that are open change, some end and some
// are forgotten.
func (m *journalModel) change(begin, touch, end, forget int) {
	m.t.Helper()
	m.clock++
	var e entry
	check := func(err error) {
		m.t.Helper()
		if err != nil {
			m.t.Fatal(err)
		}
	}
	ids := slices.Sorted(maps.Keys(m.open))
	rand.New(rand.NewPCG(uint64(m.clock), 1)).Shuffle(len(ids), func(i, k int) { ids[i], ids[k] = ids[k], ids[i] })
	take := func(n int) (out []string) {
		n = min(n, len(ids))
		out, ids = ids[:n], ids[n:]
		return out
	}
	for range begin {
		m.made++
		id := fmt.Sprintf("%032x", m.made)
		check(e.put(m.incident(id)))
		m.open[id] = m.clock
	}
	for _, id := range take(touch) {
		check(e.put(m.incident(id)))
		m.open[id] = m.clock
	}
	for _, id := range take(end) {
		in := m.incident(id)
		in.end(m.clock)
		check(e.put(m.incident(id))) // changes once more before
		check(e.resolve(in))
		delete(m.open, id)
		m.ended[id] = m.clock
	}
	for _, id := range take(forget) {
		e.drop(id)
		delete(m.open, id)
	}
	_, err := m.j.commit(&e)
	check(err)
}

// check compares what a restart reads, and how much is stored for it.
func (m *journalModel) check() {
	m.t.Helper()
	j, r, err := openJournal(m.j.db, m.j.outbox)
	if err != nil {
		m.t.Fatal(err)
	}
	got := map[string]int64{}
	for _, in := range r.incidents {
		if _, twice := got[in.ID]; twice {
			m.t.Errorf("%s is open twice", in.ID)
		}
		got[in.ID] = in.At
	}
	if !maps.Equal(got, m.open) {
		m.t.Fatalf("%d incidents are open, want %d", len(got), len(m.open))
	}
	if len(m.ended) <= maxResolved {
		ids, err := j.endedIDs()
		if err != nil || len(ids) != len(m.ended) || j.resolved != len(m.ended) {
			m.t.Fatalf("%d have ended, counted %d, want %d; %v", len(ids), j.resolved, len(m.ended), err)
		}
	}
	if j.resolved != m.j.resolved || len(j.places) != len(m.j.places) {
		m.t.Errorf("%d ended and %d open records after a restart, %d and %d before", j.resolved, len(j.places), m.j.resolved, len(m.j.places))
	}
	list, err := j.ended(maxListed)
	if err != nil || len(list) != min(len(m.ended), maxListed) {
		m.t.Fatalf("%d of %d ended are listed, %v", len(list), len(m.ended), err)
	}
	if !slices.IsSortedFunc(list, func(a, b *incident) int { return int(b.Sent.EndsAt - a.Sent.EndsAt) }) {
		m.t.Error("the newest do not come first")
	}
	for _, in := range list[:min(len(list), 3)] {
		if one, err := j.endedByID(in.ID); err != nil || one == nil || one.Sent.EndsAt != m.ended[in.ID] {
			m.t.Errorf("%s: %+v, %v", in.ID, one, err)
		}
	}
	stored := 0
	err = m.j.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(keyDetect).Bucket(keyPacks).ForEach(func(key, value []byte) error {
			if len(key) == 8 {
				list, err := readPack(value)
				stored += len(list)
				return err
			}
			return nil
		})
	})
	if err != nil || stored > 4*len(m.open) {
		m.t.Errorf("%d records in packs for %d open incidents, %v", stored, len(m.open), err)
	}
}

// TestPacks: however incidents begin, change and end, alone or many together, a
// restart finds those that are open as they were stored last, and those that ended.
func TestPacks(t *testing.T) {
	for seed := range uint64(3) {
		random := rand.New(rand.NewPCG(seed, 7))
		m := &journalModel{t: t, open: map[string]int64{}, ended: map[string]int64{}}
		j, _, err := openJournal(openDB(t), silent{})
		if err != nil {
			t.Fatal(err)
		}
		m.j = j
		some := func() int {
			return []int{0, 0, 0, 1, 3, manyRecords - 1, manyRecords, 2*packRecords + 1}[random.IntN(8)]
		}
		for i := range 30 {
			if m.change(some(), some(), some(), some()); i%3 == 0 {
				m.check()
			}
			if random.IntN(10) == 0 {
				if m.j, _, err = openJournal(m.j.db, m.j.outbox); err != nil {
					t.Fatal(err)
				}
			}
		}
		m.change(0, 0, len(m.open), 0)
		m.check()
	}
}

// TestPacksOfAFailedTransaction: what was not committed changes nothing, and is stored
// with the next transaction.
func TestPacksOfAFailedTransaction(t *testing.T) {
	m := &journalModel{t: t, open: map[string]int64{}, ended: map[string]int64{}}
	db := openDB(t)
	j, _, err := openJournal(db, silent{})
	if err != nil {
		t.Fatal(err)
	}
	m.j = j
	m.change(600, 0, 0, 0)
	var e entry
	for id := range m.open {
		in := m.incident(id)
		in.end(9)
		if err := e.resolve(in); err != nil {
			t.Fatal(err)
		}
	}
	broken := openDB(t)
	broken.Close()
	j.db = broken
	if _, err := j.commit(&e); !errors.Is(err, ErrNotStored) {
		t.Fatalf("stored in a closed database: %v", err)
	}
	j.db = db
	m.check()
	if _, err := j.commit(&e); err != nil {
		t.Fatal(err)
	}
	for id := range m.open {
		m.ended[id] = 9
	}
	clear(m.open)
	m.check()
}

// TestStormIsASmallTransaction: how soon the first page of a storm leaves hangs on how
// much the transaction writes.
func TestStormIsASmallTransaction(t *testing.T) {
	db := openDB(t)
	j, _, err := openJournal(db, silent{})
	if err != nil {
		t.Fatal(err)
	}
	m := &journalModel{t: t, j: j, open: map[string]int64{}, ended: map[string]int64{}}
	const most = 2 << 20
	for _, what := range []string{"beginning", "end"} {
		stats := db.Stats().TxStats
		before := stats.GetPageAlloc()
		if what == "end" {
			m.change(0, 0, maxAlerts, 0)
		} else {
			m.change(maxAlerts, 0, 0, 0)
		}
		stats = db.Stats().TxStats
		if got := stats.GetPageAlloc() - before; got > most {
			t.Errorf("the %s of %d alerts takes %d bytes of pages, want at most %d", what, maxAlerts, got, most)
		}
	}
	m.check()
}

// TestPacksOfLargeRecords: whatever is packed is read back, however large each record is.
func TestPacksOfLargeRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("stores 77 MB twice")
	}
	j, _, err := openJournal(openDB(t), silent{})
	if err != nil {
		t.Fatal(err)
	}
	large := func(i int) *incident {
		in := &incident{ID: fmt.Sprintf("%032x", i), Rule: "r", State: StateFiring}
		in.Sent.Annotations = map[string]string{"runbook": strings.Repeat("<", 50_000)} // is six times as long in a record
		return in
	}
	var begin, end entry
	for i := range packRecords {
		if err := errors.Join(begin.put(large(i)), end.resolve(large(i))); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []*entry{&begin, &end} {
		if _, err := j.commit(e); err != nil {
			t.Fatal(err)
		}
		again, r, err := openJournal(j.db, silent{})
		if err != nil {
			t.Fatal(err)
		}
		ended, err := again.endedIDs()
		if n := len(r.incidents) + len(ended); n != packRecords || err != nil {
			t.Fatalf("%d of %d are read back, %v", n, packRecords, err)
		}
	}
}

// TestOldestEndedGo: of those that ended so many are kept, and less than a pack more.
func TestOldestEndedGo(t *testing.T) {
	j, _, err := openJournal(openDB(t), silent{})
	if err != nil {
		t.Fatal(err)
	}
	m := &journalModel{t: t, j: j, open: map[string]int64{}, ended: map[string]int64{}}
	for _, n := range []int{5, 3 * packRecords, maxResolved, 1, 1, 200} {
		m.change(n, 0, 0, 0)
		m.change(0, 0, n, 0)
		if j.resolved > maxResolved+packRecords || j.resolved < min(len(m.ended), maxResolved) {
			t.Errorf("%d records of %d that ended", j.resolved, len(m.ended))
		}
		m.check()
	}
}

// FuzzReadPack: any bytes are read or refused, and what is read is written alike.
func FuzzReadPack(f *testing.F) {
	var p packer
	f.Add([]byte{})
	f.Add(p.pack(nil))
	f.Add(p.pack([]filed{{"a", []byte("{}")}, {"", nil}}))
	f.Add(p.pack([]filed{{"a", []byte("{}")}})[:3])
	f.Fuzz(func(t *testing.T, src []byte) {
		list, err := readPack(src)
		if err != nil {
			return
		}
		again, err := readPack(p.pack(list))
		if err != nil || len(again) != len(list) {
			t.Fatalf("%d records, then %d, %v", len(list), len(again), err)
		}
		for i := range list {
			if again[i].id != list[i].id || string(again[i].text) != string(list[i].text) {
				t.Errorf("record %d: %q, then %q", i, list[i], again[i])
			}
		}
	})
}
