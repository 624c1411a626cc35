package detect

import (
	"fmt"
	"testing"

	"go.etcd.io/bbolt"
)

// TestDamagedRecords: a record of an incident that cannot be read costs that record, and
// a pack its own, but not the start: nobody would be paged at all.
func TestDamagedRecords(t *testing.T) {
	db := openDB(t)
	j, _, err := openJournal(db, silent{})
	if err != nil {
		t.Fatal(err)
	}
	m := &journalModel{t: t, j: j, open: map[string]int64{}, ended: map[string]int64{}}
	m.change(2*packRecords, 0, 0, 0)
	m.change(3, 60, 0, 0) // alone, and bits of packs
	left := len(m.open)
	for i, damage := range []struct {
		bucket   []byte
		key      string // begins with that
		from, to int    // incidents that it costs
	}{
		{keyIncidents, fmt.Sprintf("%032x", 2*packRecords+1), 1, 1},
		{keyPacks, "\x00\x00\x00\x00\x00\x00\x00\x01\x00", packRecords - 60, packRecords},
		{keyPacks, "\x00\x00\x00\x00\x00\x00\x00\x02", packRecords - 60, packRecords},
	} {
		err := db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(keyDetect).Bucket(damage.bucket)
			key, value := b.Cursor().Seek([]byte(damage.key))
			return b.Put(key, value[:len(value)/2])
		})
		if err != nil {
			t.Fatal(err)
		}
		j, r, err := openJournal(db, silent{})
		if err != nil {
			t.Fatal(err)
		}
		if lost := left - len(r.incidents); lost < damage.from || lost > damage.to || j.damage.count() != i+1 {
			t.Errorf("damage %d: %d are lost, %v", i, lost, j.damage.seen)
		}
		left = len(r.incidents)
	}
}
