package algo

import "math"

// pass notes with which level a day begins, and what that says about now, since buckets
// later.
func (w *drift) pass(since int, learning bool) {
	if since == 0 {
		w.dawn[1], w.dawn[0] = w.dawn[0], unknownBucket
		if m := over(w.own[:], w.head, 0, pathHour); learning && 2*m.n >= pathHour {
			w.dawn[0] = float32(m.mean())
		}
	}
	w.came, w.dusk = unknownBucket, unknownBucket
	if since < 0 || w.free {
		return
	}
	if since < cameTo {
		w.came = w.dawn[0]
	}
	switch {
	case since >= duskFrom:
		w.dusk = w.dawn[0]
	case since < duskTo:
		w.dusk = w.dawn[1]
	}
}

// lowered reports whether a day that began some hours ago has come to a level that is
// lower than the one before: it may be on its way still.
func (w *drift) lowered(level float64) bool {
	return w.came != unknownBucket && math.Log(level)-float64(w.came) < -cameLeast
}

// ends reports whether the way from one level to another is that of an odd day that
// ends: it leads back to the level with which the day began, which was further than least.
func (w *drift) ends(from, to, least float64) bool {
	if w.dusk == unknownBucket || math.Abs(to-from) > holidayFall {
		return false
	}
	off, way := to-from, float64(w.dusk)-from
	if off < 0 {
		off, way = -off, -way
	}
	return way > least && off < way+duskMargin+float64(duskShare*way)
}

const (
	cameTo     = 100   // buckets into a day
	cameLeast  = 0.1   // log
	duskFrom   = 216   // buckets into a day, from which it may be ending
	duskTo     = 40    // and into the next one
	duskLeast  = 0.04  // log, of a way back over hours
	duskOdd    = 0.07  // log, of a way back within minutes
	duskSudden = 0.085 // log, what is more within minutes is no end of a day
	duskMargin = 0.04  // log, by which it may end beyond
	duskShare  = 0.15  // and of the way
)
