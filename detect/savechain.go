package detect

import (
	"encoding/binary"
	"math"

	"go.etcd.io/bbolt"

	"pulse/store/field"
)

// link is a state of a part that the database has.
type link struct {
	turn  int
	t     int64
	state []byte // of all its groups
}

// chain is the whole state of a part and those after it.
type chain []link

// readChain reads the states of a part whose whole one is of step at.
func readChain(b *bbolt.Bucket, rule string, part int, at int64) (chain, error) {
	turn, state, err := readPart(b.Get(wholeKey(rule, part, at)))
	if err != nil {
		return nil, err
	}
	out := chain{{turn, at, state}}
	for place := range maxDeltas {
		delta := b.Get(deltaKey(rule, part, place))
		if delta == nil {
			break
		}
		in := field.Reader{Rest: delta}
		turn, base, t := in.Number(math.MaxInt32), in.Varint(), in.Varint()
		if last := &out[place]; in.Bad || base != last.t {
			return nil, errShort
		}
		state, err := appendPatched(nil, out[place].state, in.Rest)
		if err != nil {
			return nil, err
		}
		out = append(out, link{turn, t, state})
	}
	return out, nil
}

// add returns a difference that leads to the state of step t of so many groups, and
// which place in the order it takes: that of the last, or the one after it where that
// makes a long one shorter. It is empty when the whole state is to be written.
func (c chain) add(turn int, t int64, state []byte, groups int) (place int, delta []byte) {
	from := func(base *link) []byte {
		d := binary.AppendUvarint(nil, uint64(turn))
		d = binary.AppendVarint(binary.AppendVarint(d, base.t), t)
		d, err := appendDelta(d, base.state, state)
		if err != nil || len(d) > len(state)/2 {
			return nil
		}
		return d
	}
	last := len(c) - 1
	place = max(0, last-1)
	delta = from(&c[place])
	if last == 0 || last == maxDeltas || len(delta) > 0 && len(delta) <= deltaBytes*groups {
		return place, delta
	}
	if shorter := from(&c[last]); len(shorter) > 0 && (len(delta) == 0 || len(shorter) < len(delta)) {
		return last, shorter
	}
	return place, delta
}
