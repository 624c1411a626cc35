package detect

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"pulse/store/field"
)

// A delta is what one state of a judge has that another has not. Most of what a
// detector knows stays the same for hours, so it takes a small part of the state.
//
//	version  1 byte
//	groups   uvarint
//	per group, in the order of the state:
//	  from   uvarint: 0, the group is not in the other state: tags and state as there;
//	         n, it is the n-th after the one before, counted from 1; then
//	  length uvarint, of its state
//	  runs   of bytes that differ, until one is empty: uvarint of those that are the same,
//	         uvarint of how many, and they themselves; what follows the last is the same
const deltaVersion = 1

// record is a group in a state of a judge.
type record struct {
	tags  []byte // with their number
	state []byte
}

// records reads the groups of a state.
func records(state []byte) (out []record, rest []byte, err error) {
	r := field.Reader{Rest: state}
	if v := r.Byte(); !r.Bad && v != judgeVersion {
		return nil, nil, fmt.Errorf("%w: version %d, expected %d", errCheckpoint, v, judgeVersion)
	}
	out = make([]record, 0, min(r.Number(maxGroups), len(state)/3))
	for range cap(out) {
		out = append(out, readRecord(&r))
	}
	if r.Bad {
		return nil, nil, errShort
	}
	return out, r.Rest, nil
}

// readRecord reads one group.
func readRecord(r *field.Reader) record {
	begin := r.Rest
	for range 2 * r.Count(2) {
		r.Text()
	}
	t := begin[:len(begin)-len(r.Rest)]
	return record{t, r.Text()}
}

// appendDelta appends what makes next out of base; both are states of a judge.
func appendDelta(dst, base, next []byte) ([]byte, error) {
	old, _, err := records(base)
	if err != nil {
		return nil, err
	}
	now, _, err := records(next)
	if err != nil {
		return nil, err
	}
	var places map[string]int
	dst = append(dst, deltaVersion)
	dst = binary.AppendUvarint(dst, uint64(len(now)))
	at := 0
	for _, x := range now {
		n := at
		if n >= len(old) || !bytes.Equal(old[n].tags, x.tags) {
			if places == nil {
				places = make(map[string]int, len(old))
				for i := range old {
					places[string(old[i].tags)] = i
				}
			}
			var known bool
			if n, known = places[string(x.tags)]; !known || n < at {
				dst = append(append(dst, 0), x.tags...)
				dst = binary.AppendUvarint(dst, uint64(len(x.state)))
				dst = append(dst, x.state...)
				continue
			}
		}
		dst = binary.AppendUvarint(dst, uint64(n-at+1))
		dst = binary.AppendUvarint(dst, uint64(len(x.state)))
		dst = appendRuns(dst, old[n].state, x.state)
		at = n + 1
	}
	return dst, nil
}

// nearRuns is how many equal bytes between two runs make it one.
const nearRuns = 2

// appendRuns appends the bytes of next that differ from base.
func appendRuns(dst, base, next []byte) []byte {
	same := func(i int) bool { return i < len(base) && base[i] == next[i] }
	both := min(len(base), len(next))
	for i, done := 0, 0; ; {
		for i+8 <= both && binary.LittleEndian.Uint64(base[i:]) == binary.LittleEndian.Uint64(next[i:]) {
			i += 8
		}
		for i < len(next) && same(i) {
			i++
		}
		if i == len(next) {
			return append(dst, 0, 0)
		}
		begin, end := i, i+1
		for i++; i < len(next) && i-end <= nearRuns; i++ {
			if !same(i) {
				end = i + 1
			}
		}
		dst = binary.AppendUvarint(dst, uint64(begin-done))
		dst = binary.AppendUvarint(dst, uint64(end-begin))
		dst = append(dst, next[begin:end]...)
		i, done = end, end
	}
}

// appendPatched appends the state that a delta makes out of base.
func appendPatched(dst, base, delta []byte) ([]byte, error) {
	old, _, err := records(base)
	if err != nil {
		return nil, err
	}
	r := field.Reader{Rest: delta}
	if v := r.Byte(); !r.Bad && v != deltaVersion {
		return nil, fmt.Errorf("%w: version %d, expected %d", errCheckpoint, v, deltaVersion)
	}
	n := r.Number(maxGroups)
	dst = append(dst, judgeVersion)
	dst = binary.AppendUvarint(dst, uint64(n))
	at := 0
	for range n {
		from := r.Number(len(old) - at)
		if r.Bad {
			return nil, errShort
		}
		if from == 0 {
			x := readRecord(&r)
			dst = append(dst, x.tags...)
			dst = binary.AppendUvarint(dst, uint64(len(x.state)))
			dst = append(dst, x.state...)
			continue
		}
		at += from
		size := r.Number(len(old[at-1].state) + len(r.Rest)) // what is longer is in runs
		dst = append(dst, old[at-1].tags...)
		dst = binary.AppendUvarint(dst, uint64(size))
		dst = appendRan(dst, old[at-1].state, &r, size)
	}
	if r.Bad || len(r.Rest) > 0 {
		return nil, errShort
	}
	return dst, nil
}

// appendRan appends size bytes: base with the runs that r has.
func appendRan(dst, base []byte, r *field.Reader, size int) []byte {
	begin := len(dst)
	dst = append(dst, base[:min(len(base), size)]...)
	if more := size - len(base); more > 0 {
		dst = append(dst, make([]byte, more)...)
	}
	for left := dst[begin:]; ; {
		same, n := r.Number(len(left)), r.Number(len(left))
		if n == 0 {
			return dst
		}
		b := r.Bytes(n)
		if same+n > len(left) {
			r.Fail()
			return dst
		}
		copy(left[same:], b)
		left = left[same+n:]
	}
}
