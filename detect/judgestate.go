package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"

	"pulse/detect/algo"
	"pulse/store/field"
	"pulse/store/tags"
)

// The state of a judge, drawn as
//
//	version   1 byte
//	groups    uvarint; those without a detector are left out
//	per group tags   uvarint of how many, then key and value, each with its length
//	          state  uvarint of its length, then uvarint of the steps without data and the detector's own
const judgeVersion = 3

var (
	errCheckpoint = errors.New("detector checkpoint is corrupt")
	errShort      = fmt.Errorf("%w: ends early", errCheckpoint)
)

// appendState appends the groups and their detectors to dst.
func (j *judge) appendState(dst []byte) []byte { return j.appendGroups(dst, j.groups) }

// appendGroups appends the state that has only the given groups.
func (j *judge) appendGroups(dst []byte, groups []group) []byte {
	n := 0
	for i := range groups {
		if groups[i].detector != nil {
			n++
		}
	}
	dst = append(dst, judgeVersion)
	dst = binary.AppendUvarint(dst, uint64(n))
	for i := range groups {
		if groups[i].detector != nil {
			dst = j.appendGroup(dst, &groups[i])
		}
	}
	return dst
}

func (j *judge) appendGroup(dst []byte, g *group) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(g.tags)))
	dst = append(dst, g.key...)
	j.scratch = g.detector.AppendState(binary.AppendUvarint(j.scratch[:0], uint64(g.absent)))
	dst = binary.AppendUvarint(dst, uint64(len(j.scratch)))
	return append(dst, j.scratch...)
}

// sum identifies the state for whoever has the seed.
func (j *judge) sum(seed maphash.Seed) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	var one []byte
	for i := range j.groups {
		if j.groups[i].detector != nil {
			one = j.appendGroup(one[:0], &j.groups[i])
			_, _ = h.Write(one)
		}
	}
	return h.Sum64()
}

// stateSize is about how long the state is.
func (j *judge) stateSize() int {
	for i := range j.groups {
		if j.groups[i].detector != nil {
			return len(j.groups) * len(j.appendGroup(nil, &j.groups[i]))
		}
	}
	return 0
}

// restore brings the judge into a state that appendState wrote. Groups that the
// state does not have lose their detector; those that the judge does not have
// are added. On an error the judge is as before or partly restored.
func (j *judge) restore(src []byte) (rest []byte, err error) {
	before := make([]algo.Detector, len(j.groups))
	for i := range j.groups {
		g := &j.groups[i]
		before[i], g.detector, g.verdict = g.detector, nil, unknown()
	}
	return j.restoreGroups(src, before)
}

// restoreGroups adds the groups of a state; those that the judge has get theirs. It
// uses the detectors of before, by number of the group, where there is one.
func (j *judge) restoreGroups(src []byte, before []algo.Detector) (rest []byte, err error) {
	r := field.Reader{Rest: src}
	if v := r.Byte(); !r.Bad && v != judgeVersion {
		return nil, fmt.Errorf("%w: version %d, expected %d", errCheckpoint, v, judgeVersion)
	}
	for range r.Number(maxGroups) {
		t, state := readTags(&r), r.Text()
		if r.Bad {
			return nil, errShort
		}
		at, ok := j.index[string(t.AppendKey(nil))]
		if !ok {
			at = j.add(t)
		} else if at < len(before) {
			j.groups[at].detector = before[at]
		}
		if err := j.restoreGroup(&j.groups[at], state); err != nil {
			return nil, err
		}
	}
	if r.Bad {
		return nil, errShort
	}
	return r.Rest, nil
}

func (j *judge) restoreGroup(g *group, state []byte) error {
	if g.detector == nil {
		g.detector = j.maker.New()
	}
	absent, n := binary.Uvarint(state)
	if n <= 0 || absent > math.MaxUint32 {
		return errShort
	}
	g.absent = uint32(absent)
	left, err := g.detector.Restore(state[n:])
	if err != nil {
		return fmt.Errorf("%w: group %s: %w", errCheckpoint, g.tags, err)
	}
	if len(left) > 0 {
		return fmt.Errorf("%w: group %s: %d bytes left", errCheckpoint, g.tags, len(left))
	}
	return nil
}

// readTags reads the tags of a group.
func readTags(r *field.Reader) tags.Tags {
	t := make(tags.Tags, 0, r.Count(2))
	for range cap(t) {
		key, value := r.Text(), r.Text()
		t = append(t, tags.Tag{Key: string(key), Value: string(value)})
	}
	return t
}
