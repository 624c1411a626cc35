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
//	groups    uvarint; those without a detector are left out, unless they have an alert
//	per group tags   uvarint of how many, then key and value, each with its length
//	          state  uvarint of its length, then uvarint of the steps without data, the alert (alertstate.go) and
//	                 the detector's own
const judgeVersion = 4

var (
	errCheckpoint = errors.New("detector checkpoint is corrupt")
	errShort      = fmt.Errorf("%w: ends early", errCheckpoint)
)

// appendState appends the groups and their detectors to dst.
func (j *judge) appendState(dst []byte) []byte { return j.appendGroups(dst, j.groups, nil) }

// appendGroups appends the state that has only the given groups, with their alerts
// unless these are nil.
func (j *judge) appendGroups(dst []byte, groups []group, alerts []groupAlert) []byte {
	alertOf := func(i int) *groupAlert {
		if i < len(alerts) {
			return &alerts[i]
		}
		return nil
	}
	n := 0
	for i := range groups {
		if groups[i].detector != nil || alertOf(i).knows() {
			n++
		}
	}
	dst = append(dst, judgeVersion)
	dst = binary.AppendUvarint(dst, uint64(n))
	for i := range groups {
		if a := alertOf(i); groups[i].detector != nil || a.knows() {
			dst = j.appendGroup(dst, &groups[i], a)
		}
	}
	return dst
}

func (j *judge) appendGroup(dst []byte, g *group, a *groupAlert) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(g.tags)))
	dst = append(dst, g.key...)
	j.scratch = binary.AppendUvarint(j.scratch[:0], uint64(g.absent))
	j.scratch = a.appendState(j.scratch, g.detector != nil)
	if g.detector != nil {
		j.scratch = g.detector.AppendState(j.scratch)
	}
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
			one = j.appendGroup(one[:0], &j.groups[i], nil)
			_, _ = h.Write(one)
		}
	}
	return h.Sum64()
}

// stateSize is about how long the state is.
func (j *judge) stateSize() int {
	for i := range j.groups {
		if j.groups[i].detector != nil {
			return len(j.groups) * len(j.appendGroup(nil, &j.groups[i], nil))
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
	return j.restoreGroups(src, before, nil)
}

// restoreGroups adds the groups of a state; those that the judge has get theirs. It
// uses the detectors of before, by number of the group, where there is one, and calls
// alerted with the alert of each group, unless that is nil.
func (j *judge) restoreGroups(src []byte, before []algo.Detector, alerted func(i int, a groupAlert)) (rest []byte, err error) {
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
		a, err := j.restoreGroup(&j.groups[at], state)
		if err != nil {
			return nil, err
		}
		if alerted != nil {
			alerted(at, a)
		}
	}
	if r.Bad {
		return nil, errShort
	}
	return r.Rest, nil
}

func (j *judge) restoreGroup(g *group, state []byte) (a groupAlert, err error) {
	r := field.Reader{Rest: state}
	g.absent = uint32(r.Number(math.MaxUint32))
	known := a.readState(&r)
	if r.Bad {
		return a, errShort
	}
	if !known {
		g.detector = nil
		if len(r.Rest) > 0 {
			return a, fmt.Errorf("%w: group %s: %d bytes left", errCheckpoint, g.tags, len(r.Rest))
		}
		return a, nil
	}
	if g.detector == nil {
		g.detector = j.maker.New()
	}
	left, err := g.detector.Restore(r.Rest)
	if err != nil {
		return a, fmt.Errorf("%w: group %s: %w", errCheckpoint, g.tags, err)
	}
	if len(left) > 0 {
		return a, fmt.Errorf("%w: group %s: %d bytes left", errCheckpoint, g.tags, len(left))
	}
	return a, nil
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
