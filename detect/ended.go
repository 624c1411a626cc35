package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// ErrDamaged says that what is stored about an incident cannot be read.
var ErrDamaged = errors.New("the record of the incident is damaged")

func (r *filed) damaged(err error) error {
	return fmt.Errorf("%w: %q: %w", ErrDamaged, clip(r.id, 80), err)
}

func (r *filed) anothers(id string) error { return fmt.Errorf("it is of incident %q", clip(id, 80)) }

// damage is the records of incidents that cannot be read. They stay where they are, and
// whoever reads the others passes by them. It is safe for concurrent use.
type damage struct {
	mu   sync.Mutex
	seen map[string]error // by id, or the key of a pack
	tell func(error)      // of each once; nil: not yet, what was seen before is told when it is set
}

// mostDamage bounds how many are told apart.
const mostDamage = maxResolved

// found notes that a record cannot be read.
func (d *damage) found(id string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen[id] != nil || len(d.seen) >= mostDamage {
		return
	}
	if d.seen == nil {
		d.seen = map[string]error{}
	}
	d.seen[id] = err
	if d.tell != nil {
		d.tell(err)
	}
}

// telling has every one told by f.
func (d *damage) telling(f func(error)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.tell = f
	for _, err := range d.seen {
		f(err)
	}
}

// count returns how many are known.
func (d *damage) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.seen)
}

// ended returns up to limit ended incidents, newest first, without those whose records
// are damaged.
func (j *journal) ended(limit int) ([]*incident, error) {
	var out []*incident
	err := j.eachEnded(func(_ int64, list []filed) (more bool) {
		for _, r := range slices.Backward(list) {
			if len(out) == limit {
				return false
			}
			if in, err := r.read(); err != nil {
				j.damage.found(r.id, err)
			} else {
				out = append(out, in)
			}
		}
		return true
	})
	return out, err
}

// endedByID returns one ended incident, nil when there is none of that id. Only
// its own record is read; it is ErrDamaged where that cannot be.
func (j *journal) endedByID(id string) (in *incident, err error) {
	var wrong error
	err = j.eachEnded(func(_ int64, list []filed) (more bool) {
		for _, r := range list {
			if r.id == id {
				if in, wrong = r.read(); wrong != nil {
					j.damage.found(r.id, wrong)
				}
				return false
			}
		}
		return true
	})
	return in, errors.Join(err, wrong)
}

// endedIDs returns the ids of all ended incidents.
func (j *journal) endedIDs() (map[string]bool, error) {
	out := make(map[string]bool, j.resolved)
	err := j.eachEnded(func(_ int64, list []filed) (more bool) {
		for _, r := range list {
			out[r.id] = true
		}
		return true
	})
	return out, err
}

// eachEnded calls f with records that are stored together, and when they ended, the
// newest first, until it answers no. Packs that are damaged are left out.
func (j *journal) eachEnded(f func(at int64, list []filed) (more bool)) error {
	return j.db.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(keyDetect).Bucket(keyResolved).Cursor()
		for key, value := cursor.Last(); key != nil; key, value = cursor.Prev() {
			list, err := readResolved(key, value)
			if err != nil {
				j.damage.found(fmt.Sprintf("ended %x", key), fmt.Errorf("%w: incidents that ended, %x: %w", ErrDamaged, key, err))
				continue
			}
			var at [8]byte
			copy(at[:], key)
			if !f(int64(binary.BigEndian.Uint64(at[:])), list) {
				break
			}
		}
		return nil
	})
}
