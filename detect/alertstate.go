package detect

import (
	"encoding/binary"

	"pulse/detect/alert"
	"pulse/store/field"
)

// The alert of a group is stored with the group's detector, as of the same step, so
// that a restart goes on with the progress towards a page, a resolve and a no-data
// alert. It is drawn as
//
//	flags  1 byte: 3 the phase, 4 had data, and what follows: 8 the times of the
//	       phase, 16 time without data, 32 the no-data alert, 64 missing; 128 the
//	       group has a detector
//	more   1 byte, where the phase in flags is 3, which is none: 3 the phase, 4 the
//	       beginnings of the alert in a row, 8 those of the no-data alert
//	times  varints, ms: pending since, starts at, last out, held
//	absent, began, missing  varints, ms
//	beginnings, each of the two  varints: how many, and ms of calm since
const (
	alertPhase    = 3
	alertMore     = 3
	alertFires    = 4
	alertLosses   = 8
	alertHadData  = 4
	alertTimes    = 8
	alertAbsent   = 16
	alertNoData   = 32
	alertMissing  = 64
	alertDetector = 128
)

// knows reports whether there is anything to be remembered.
func (a *groupAlert) knows() bool {
	return a != nil && (a.state != alert.State{} || a.missing != 0)
}

// appendState appends what is remembered of a, nothing for nil, and whether the
// group has a detector.
func (a *groupAlert) appendState(dst []byte, detector bool) []byte {
	flags := byte(0)
	if detector {
		flags = alertDetector
	}
	if !a.knows() {
		return append(dst, flags)
	}
	s := &a.state
	flags |= byte(s.Phase) & alertPhase
	if s.HadData {
		flags |= alertHadData
	}
	at := len(dst)
	dst = append(dst, 0)
	more := byte(0)
	if s.Fires != (alert.Streak{}) {
		more |= alertFires
	}
	if s.Losses != (alert.Streak{}) {
		more |= alertLosses
	}
	if more != 0 {
		dst = append(dst, more|flags&alertPhase)
		flags |= alertMore
	}
	put := func(flag byte, values ...int64) {
		flags |= flag
		for _, v := range values {
			dst = binary.AppendVarint(dst, v)
		}
	}
	if s.Phase != alert.Inactive {
		put(alertTimes, s.PendingSince, s.StartsAt, s.LastOut, s.Held)
	}
	if s.Absent != 0 {
		put(alertAbsent, s.Absent)
	}
	if s.NoDataAt != 0 {
		put(alertNoData, s.NoDataAt)
	}
	if a.missing != 0 {
		put(alertMissing, a.missing)
	}
	for _, k := range [...]alert.Streak{s.Fires, s.Losses} {
		if k != (alert.Streak{}) {
			put(0, int64(k.Times), k.Calm)
		}
	}
	dst[at] = flags
	return dst
}

// readState reads what appendState wrote, and whether the group has a detector.
func (a *groupAlert) readState(r *field.Reader) (detector bool) {
	flags, more := r.Byte(), byte(0)
	s := &a.state
	s.Phase, s.HadData = alert.Phase(flags&alertPhase), flags&alertHadData != 0
	if s.Phase == alertMore {
		more = r.Byte()
		s.Phase = alert.Phase(more & alertPhase)
	}
	take := func(flag byte, values ...*int64) {
		for _, v := range values {
			if flags&flag != 0 {
				*v = r.Varint()
			}
		}
	}
	take(alertTimes, &s.PendingSince, &s.StartsAt, &s.LastOut, &s.Held)
	take(alertAbsent, &s.Absent)
	take(alertNoData, &s.NoDataAt)
	take(alertMissing, &a.missing)
	streak := func(flag byte, k *alert.Streak) {
		if more&flag != 0 {
			times := r.Varint()
			if k.Times, k.Calm = int32(times), r.Varint(); times < 1 || times > maxFlaps || k.Calm < 0 {
				r.Fail()
			}
		}
	}
	streak(alertFires, &s.Fires)
	streak(alertLosses, &s.Losses)
	if s.Phase > alert.Firing || (s.Phase == alert.Inactive) == (flags&alertTimes != 0) {
		r.Fail()
	}
	return flags&alertDetector != 0
}
