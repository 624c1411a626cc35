package detect

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/klauspost/compress/s2"
	"go.etcd.io/bbolt"
)

// A storm in the database. Records of incidents that are stored together are nearly
// alike, and how many bytes and pages a transaction has decides how soon the first
// page leaves. So many of them go as packs: one value with the records of up to
// packRecords incidents, compressed. A pack is never changed. What becomes of one of
// its incidents is stored by itself, as ever, and a bit says that the pack's record
// does not count any more. A pack of which few records count is given up for records of
// their own, so that what does not count is at most three times what does.
//
// A pack is a block of s2 with, for each record, the length of the id, the id, the
// length of the record, and the record; lengths are uvarints.
const (
	manyRecords = 100 // from so many on, a transaction packs them
	packRecords = 256
	fewRecords  = packRecords / 4
	packBytes   = 4 << 20  // from so many on, unpacked, a pack takes no more records
	maxPack     = 64 << 20 // bytes, unpacked, that are read
)

var errPack = errors.New("records of incidents that were stored together cannot be read")

// filed is the record of an incident.
type filed struct {
	id   string
	text []byte // nil: there is none any more
}

// fitting returns how many records from the front of list go into one pack.
func fitting(list []filed) (n int) {
	for size := 0; n < min(len(list), packRecords) && size < packBytes; n++ {
		size += len(list[n].id) + len(list[n].text)
	}
	return n
}

// packer makes packs.
type packer struct{ plain, packed []byte }

func (p *packer) pack(list []filed) []byte {
	p.plain = p.plain[:0]
	for _, r := range list {
		p.plain = binary.AppendUvarint(p.plain, uint64(len(r.id)))
		p.plain = append(p.plain, r.id...)
		p.plain = binary.AppendUvarint(p.plain, uint64(len(r.text)))
		p.plain = append(p.plain, r.text...)
	}
	p.packed = s2.Encode(p.packed[:cap(p.packed)], p.plain)
	return bytes.Clone(p.packed)
}

// readPack returns the records of a pack, in their order.
func readPack(pack []byte) (list []filed, err error) {
	if n, err := s2.DecodedLen(pack); err != nil || n > maxPack {
		return nil, errPack
	}
	src, err := s2.Decode(nil, pack)
	if err != nil {
		return nil, errPack
	}
	next := func() []byte {
		n, size := binary.Uvarint(src)
		if size <= 0 || n > uint64(len(src)-size) {
			err = errPack
			return nil
		}
		out := src[size : size+int(n)]
		src = src[size+int(n):]
		return out
	}
	for len(src) > 0 && err == nil {
		id := string(next())
		if err == nil {
			list = append(list, filed{id, next()})
		}
	}
	if err != nil || len(list) > packRecords {
		return nil, errPack
	}
	return list, nil
}

// pack is a pack of open incidents.
type pack struct {
	key  [8]byte
	left int    // records that count
	gone []byte // bits of those that do not
}

func (p *pack) clone() *pack {
	c := *p
	c.gone = slices.Clone(p.gone)
	return &c
}

func (p *pack) counts(at int) bool { return p.gone[at/8]>>(at%8)&1 == 0 }

func (p *pack) drop(at int) {
	if p.counts(at) {
		p.gone[at/8] |= 1 << (at % 8)
		p.left--
	}
}

// bitsKey is where gone is stored, right after the pack.
func (p *pack) bitsKey() []byte { return append(bytes.Clone(p.key[:]), 0) }

// place is where the record of an open incident is: in a pack, or by itself.
type place struct {
	pack *pack // nil: by itself
	at   int
}

// packing is what a transaction does to the records of open incidents. It takes effect
// when the transaction is committed.
type packing struct {
	places  map[string]place // as they are
	changed map[*pack]*pack  // as they will be
	left    []string         // ids whose record is no longer there
	made    map[string]place
	packer  packer
}

// leave says that the record of an incident does not count any more, and reports
// whether it is there by itself.
func (x *packing) leave(id string) (alone bool) {
	at, known := x.places[id]
	if !known {
		return false
	}
	x.left = append(x.left, id)
	if at.pack == nil {
		return true
	}
	p := x.changed[at.pack]
	if p == nil {
		if p = at.pack.clone(); x.changed == nil {
			x.changed = map[*pack]*pack{}
		}
		x.changed[at.pack] = p
	}
	p.drop(at.at)
	return false
}

// update stores which records in packs do not count any more, and gives up packs of
// which few are left.
func (x *packing) update(packs, open *bbolt.Bucket) error {
	for _, p := range x.changed {
		if p.left > fewRecords {
			if err := packs.Put(p.bitsKey(), p.gone); err != nil {
				return err
			}
			continue
		}
		if p.left > 0 {
			if err := x.takeOut(p, packs, open); err != nil {
				return err
			}
		}
		if err := errors.Join(packs.Delete(p.key[:]), packs.Delete(p.bitsKey())); err != nil {
			return err
		}
	}
	return nil
}

// takeOut stores by themselves the records of a pack that count.
func (x *packing) takeOut(p *pack, packs, open *bbolt.Bucket) error {
	list, err := readPack(packs.Get(p.key[:]))
	if err != nil {
		return err
	}
	for at, r := range list {
		if p.counts(at) {
			if err := x.put(open, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// put stores a record by itself.
func (x *packing) put(open *bbolt.Bucket, r filed) error {
	x.make(r.id, place{})
	return open.Put([]byte(r.id), r.text)
}

func (x *packing) make(id string, at place) {
	if x.made == nil {
		x.made = map[string]place{}
	}
	x.made[id] = at
}

// add stores records in packs.
func (x *packing) add(packs *bbolt.Bucket, list []filed) error {
	packs.FillPercent = 1 // numbers ascend
	for len(list) > 0 {
		part := list[:fitting(list)]
		list = list[len(part):]
		number, err := packs.NextSequence()
		if err != nil {
			return err
		}
		p := newPack(len(part))
		binary.BigEndian.PutUint64(p.key[:], number)
		for at, r := range part {
			x.make(r.id, place{p, at})
		}
		if err := packs.Put(p.key[:], x.packer.pack(part)); err != nil {
			return err
		}
	}
	return nil
}

// commit brings the places to what was stored.
func (x *packing) commit() {
	for _, id := range x.left {
		delete(x.places, id)
	}
	for old, p := range x.changed {
		*old = *p
	}
	maps.Copy(x.places, x.made)
}

func newPack(records int) *pack { return &pack{left: records, gone: make([]byte, (records+7)/8)} }

// loadPacks calls f with the records that count and where they are; d is told of packs
// that cannot be read.
func loadPacks(bucket *bbolt.Bucket, f func(filed, place), d *damage) {
	cursor := bucket.Cursor()
	for key, value := cursor.First(); key != nil; key, value = cursor.Next() {
		if len(key) != 8 {
			continue // bits of a pack
		}
		list, err := readPack(value)
		p := newPack(len(list))
		copy(p.key[:], key)
		gone := bucket.Get(p.bitsKey())
		if err != nil || gone != nil && len(gone) != len(p.gone) {
			d.found(fmt.Sprintf("pack %x", key), fmt.Errorf("%w: pack %x: %w", ErrDamaged, key, errPack))
			continue
		}
		for at, r := range list {
			if gone != nil && gone[at/8]>>(at%8)&1 != 0 {
				p.drop(at)
			} else {
				f(r, place{p, at})
			}
		}
	}
}

// The incidents that have ended are stored under the time of their end, 8 bytes big
// endian, and their id; packs of those that ended at one time under that time, "+",
// which no id begins with, how many they are, 4 bytes, and a number, 8 bytes.

const packMark = '+'

// resolvedKey returns the key of an incident that ended.
func resolvedKey(endsAt int64, id string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, uint64(endsAt)), id...)
}

// resolvedUnder returns how many records are stored under a key, and whether as a pack.
func resolvedUnder(key []byte) (n int, packed bool) {
	if len(key) == 8+1+4+8 && key[8] == packMark {
		return int(binary.BigEndian.Uint32(key[9:])), true
	}
	return 1, false
}

// readResolved returns the records under a key, in order of their ids.
func readResolved(key, value []byte) ([]filed, error) {
	if _, packed := resolvedUnder(key); packed {
		return readPack(value)
	}
	return []filed{{string(key[min(8, len(key)):]), value}}, nil
}

// writeResolved stores incidents that ended and counts them in *n.
func writeResolved(ended *bbolt.Bucket, list []resolvedRecord, n *int) error {
	if len(list) < manyRecords {
		for _, r := range list {
			key := resolvedKey(r.endsAt, r.id)
			if ended.Get(key) == nil {
				*n++
			}
			if err := ended.Put(key, r.text); err != nil {
				return err
			}
		}
		return nil
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b resolvedRecord) int { return cmp.Or(cmp.Compare(a.endsAt, b.endsAt), cmp.Compare(a.id, b.id)) })
	var packer packer
	for len(list) > 0 {
		part := []filed{list[0].filed}
		for len(part) < min(len(list), packRecords) && list[len(part)].endsAt == list[0].endsAt {
			part = append(part, list[len(part)].filed)
		}
		part = part[:fitting(part)]
		number, err := ended.NextSequence()
		if err != nil {
			return err
		}
		key := binary.BigEndian.AppendUint32(resolvedKey(list[0].endsAt, string(packMark)), uint32(len(part)))
		if err := ended.Put(binary.BigEndian.AppendUint64(key, number), packer.pack(part)); err != nil {
			return err
		}
		*n += len(part)
		list = list[len(part):]
	}
	return nil
}

// trimOldest deletes what is more than maxResolved, but for less than a pack.
func trimOldest(ended *bbolt.Bucket, n *int) error {
	var keys [][]byte
	cursor := ended.Cursor()
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		records, _ := resolvedUnder(key)
		if *n-records < maxResolved {
			break
		}
		keys = append(keys, bytes.Clone(key))
		*n -= records
	}
	for _, key := range keys {
		if err := ended.Delete(key); err != nil {
			return err
		}
	}
	return nil
}
