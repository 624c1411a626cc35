package algo

import "math"

// home is a level that a stream left when something happened to it. Going back
// there before the day is over is recovery, and no news; and whenever it is there
// again, that level is the usual one again.
type home struct {
	level float32 // log
	close int32   // buckets for which going back is no news
	kept  int32   // buckets until it is forgotten
}

const (
	homesKept   = 2
	homeClose   = 240  // buckets
	homeKept    = 864  // buckets
	homeThere   = 6    // buckets, to be there
	homeBack    = 18   // buckets, once the stream is back
	homeSame    = 0.05 // log, levels that are one
	homeLeast   = 0.02 // log, of a way home
	homeWay     = 0.6  // of a way home that it must have come
	homeMargin  = 0.03 // log, by which it may end beyond
	homeShare   = 0.1  // and of the way
	returnFrom  = 0.07 // log, from the usual level
	returnMost  = 1.3  // of that distance
	pathHour    = 12   // buckets
	pathLeast   = 0.035
	pathLanding = 0.3 // of the way, by which it may end elsewhere
)

// leave remembers the level that the stream had when it went out. The first of two
// that differ stays.
func (w *drift) leave(level float64) {
	h := &w.homes[0]
	if h.kept > 0 && math.Abs(float64(h.level)-level) > homeSame {
		h = &w.homes[1]
	}
	*h = home{float32(level), homeClose, homeKept}
}

// arrive notes that the stream is back at a level.
func (w *drift) arrive(level float64) {
	for i := range w.homes {
		if h := &w.homes[i]; math.Abs(float64(h.level)-level) < homeSame {
			if other := &w.homes[homesKept-1-i]; other.close > h.close { // was left later, on the way
				other.close, other.kept = min(other.close, homeBack), 0
			}
			h.close, h.kept = min(h.close, homeBack), 0
		}
	}
}

// home reports whether the stream has been at a level that it left for half an hour,
// while another one is thought to be the usual one.
func (w *drift) home(level float64) bool {
	ring := w.own[:]
	if w.free {
		ring = w.other[:]
	}
	now := over(ring, w.head, 0, homeThere)
	if now.n < homeThere || math.Abs(now.mean()-level) > homeSame || math.Abs(level-float64(w.usual)) < homeSame {
		return false
	}
	for i := range w.homes {
		if h := &w.homes[i]; h.kept > 0 && math.Abs(float64(h.level)-level) < homeSame {
			return true
		}
	}
	return false
}

// age lets a bucket pass.
func (w *drift) age() {
	for i := range w.homes {
		h := &w.homes[i]
		h.close, h.kept = max(h.close-1, 0), max(h.kept-1, 0)
	}
}

// returns reports whether the way from one level to another leads back to usual.
func (w *drift) returns(from, to float64) bool {
	off := to - from
	from -= float64(w.usual)
	return math.Abs(from) > returnFrom && off*from < 0 && math.Abs(off) < returnMost*math.Abs(from)
}

// homeward reports whether the way from one level to another leads to where the
// stream lay before something happened: where it was when it last went out, or hours
// ago, when that was nearer to its usual level.
func (w *drift) homeward(from, to float64) bool {
	for i := range w.homes {
		if h := &w.homes[i]; h.close > 0 && leads(from, to, float64(h.level), homeLeast) &&
			math.Abs(to-from) > homeWay*math.Abs(float64(h.level)-from) {
			return true
		}
	}
	if to < from {
		return false
	}
	ring := w.own[:]
	if w.free {
		ring = w.other[:]
	}
	usual := float64(w.usual)
	for k := 1; (k+1)*pathHour <= driftRing; k++ {
		then := over(ring, w.head, k*pathHour, (k+1)*pathHour)
		if 2*then.n < pathHour {
			continue
		}
		level := then.mean()
		if math.Abs(level-usual) < math.Abs(from-usual) && leads(from, to, level, pathLeast) &&
			math.Abs(to-level) < max(homeMargin, pathLanding*math.Abs(to-from)) {
			return true
		}
	}
	return false
}

// leads reports whether the way leads to a level that is further than least, and not far
// beyond.
func leads(from, to, level, least float64) bool {
	off, way := to-from, level-from
	if off < 0 {
		off, way = -off, -way
	}
	return way > least && off < way+homeMargin+float64(homeShare*way)
}
