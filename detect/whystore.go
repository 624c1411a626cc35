package detect

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"go.etcd.io/bbolt"
)

// What alerts were decided on is a bucket of its own beside their records: it is
// larger, is read for one alert at a time, and is not on the way of a page. A
// record is the JSON of a Why, packed with flate, under the alert's first step, 8 bytes
// big endian, and its id.

const (
	maxWhys      = 2_000   // alerts; those that began first go first
	maxWhyRecord = 1 << 20 // bytes, unpacked
)

var keyWhys = []byte("whys")

func whyKey(began int64, id string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(began)), id...)
}

// whyRecord is a packed Why under its key.
type whyRecord struct{ key, packed []byte }

// keepWhys adds what is known about a batch of alerts to what is stored. One
// caller at a time. Records are packed before the transaction begins, since pages may
// wait for its end.
func (j *journal) keepWhys(batch []unsaved) error {
	records, err := j.packWhys(batch)
	if err != nil || len(records) == 0 {
		return err
	}
	err = j.db.Update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(keyDetect).Bucket(keyWhys)
		for _, r := range records {
			if err := bucket.Put(r.key, r.packed); err != nil {
				return err
			}
		}
		return trimWhys(bucket)
	})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotStored, err)
	}
	return nil
}

func (j *journal) packWhys(batch []unsaved) ([]whyRecord, error) {
	packer, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		return nil, err
	}
	records := make([]whyRecord, 0, len(batch))
	for i := range batch {
		w, err := j.why(batch[i].began, batch[i].id)
		if err != nil || w == nil { // one that cannot be read is of no use
			w = &Why{}
		}
		w.merge(&batch[i].why)
		packed, err := packWhy(packer, w)
		if err != nil {
			return nil, err
		}
		records = append(records, whyRecord{whyKey(batch[i].began, batch[i].id), packed})
	}
	return records, nil
}

// trimWhys drops the oldest beyond maxWhys.
func trimWhys(bucket *bbolt.Bucket) error {
	n := 0
	cursor := bucket.Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		n++
	}
	for ; n > maxWhys; n-- {
		if key, _ := cursor.First(); key == nil {
			break
		}
		if err := cursor.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// why returns what is stored about an alert, nil when nothing is.
func (j *journal) why(began int64, id string) (w *Why, err error) {
	err = j.db.View(func(tx *bbolt.Tx) error {
		w, err = unpackWhy(tx.Bucket(keyDetect).Bucket(keyWhys).Get(whyKey(began, id)))
		return err
	})
	return w, err
}

func packWhy(packer *flate.Writer, w *Why) ([]byte, error) {
	text, err := json.Marshal(w)
	if err != nil {
		return nil, fmt.Errorf("store what an alert was decided on: %w", err)
	}
	var packed bytes.Buffer
	packer.Reset(&packed)
	if _, err := packer.Write(text); err != nil {
		return nil, err
	}
	if err := packer.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}

func unpackWhy(packed []byte) (*Why, error) {
	if packed == nil {
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxWhyRecord))
	if err != nil {
		return nil, fmt.Errorf("read what an alert was decided on: %w", err)
	}
	w := &Why{}
	if err := json.Unmarshal(text, w); err != nil {
		return nil, fmt.Errorf("read what an alert was decided on: %w", err)
	}
	return w, nil
}
