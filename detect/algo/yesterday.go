package algo

import (
	"encoding/binary"
	"math"
)

// yesterday remembers the mean of each hour of the last day, by which a smoothing
// tells the way back from an excursion when its level has followed the stream on the
// way out: a stream that lay lower than it should against the same time a day before,
// and after a jump does not any more, is back where it was, whether the way down was
// paged or too slow to be seen.
//
// Levels are logarithms here, against those of the day before: what a day has of its
// own course is not in them.
type yesterday struct {
	hours [hoursKept]uint16 // codes, see hourCode, at the hour since the epoch modulo hoursKept
	base  float32           // slow mean of hours
	odd   float32           // slow mean of how far they lie from base
	left  float32           // when the last episode began
}

// today is the hour that is not over.
type today struct {
	sum   float32 // of normal values
	count uint16
}

const (
	hourMs     = 3_600_000
	dayHours   = 24
	hoursKept  = dayHours + 1
	hourBits   = 1150.0 // of a code per unit of the logarithm
	hourLeast  = -22.0  // logarithm of the least level that a code holds
	baseRate   = 0.1
	oddRate    = 0.02
	oddStart   = 0.1
	oddLack    = 1.0  // of odd: more is clearly off base
	lackLeast  = 0.03 // more is clearly off another level
	homeMost   = 0.4  // of what was lacking may still lack, or be too much
	strayLeast = 0.3  // of a jump
)

func (y *yesterday) start() { y.odd = oddStart }

// see takes a normal value.
func (h *today) see(v float64) {
	if h.count < math.MaxUint16 {
		h.count++
		h.sum += single(v)
	}
}

// close keeps an hour that is over, and those after it before next. One without normal
// values is like that of the day before.
func (y *yesterday) close(h *today, hour, next int64) {
	was := y.hours[ringed(hour-dayHours)]
	code := was
	if h.count > 0 {
		code = hourCode(float64(h.sum) / float64(h.count))
		if code > 0 && was > 0 {
			off := hourLog(code) - hourLog(was) - float64(y.base)
			y.base += float32(baseRate * off)
			y.odd += float32(oddRate * (math.Abs(off) - float64(y.odd)))
		}
	}
	y.hours[ringed(hour)] = code
	for k := hour + 1; k < min(next, hour+hoursKept); k++ {
		y.hours[ringed(k)] = y.hours[ringed(k-dayHours)]
	}
	*h = today{}
}

// ringed returns where an hour is kept.
func ringed(hour int64) int64 { return (hour%hoursKept + hoursKept) % hoursKept }

// hourCode returns the logarithm of a mean in whole parts, 0 when there is none.
func hourCode(mean float64) uint16 {
	if !(mean > 0) {
		return 0
	}
	return uint16(max(1, min(math.Round((math.Log(mean)-hourLeast)*hourBits), math.MaxUint16)))
}

func hourLog(code uint16) float64 { return float64(code)/hourBits + hourLeast }

// at returns the logarithm of the level a day before t, between the middles of hours.
func (y *yesterday) at(t int64) (level float64, known bool) {
	hour := floorDiv(t, hourMs)
	first, w := hour-dayHours, float64(t-hour*hourMs)/hourMs-0.5
	if w < 0 {
		first, w = first-1, w+1
	}
	from, to := y.hours[ringed(first)], y.hours[ringed(first+1)]
	if from == 0 || to == 0 {
		return 0, false
	}
	return float64(hourLog(from)*(1-w)) + float64(hourLog(to)*w), true
}

// against returns the level v at t, as if the day before it had been 1 as long as
// that is unknown.
func (y *yesterday) against(t int64, v float64) float64 {
	level, _ := y.at(t)
	return math.Log(max(v, tiny)) - level
}

// remember takes the level that held when an episode began at t.
func (y *yesterday) remember(t int64, v float64) { y.left = float32(y.against(t, v)) }

// strayed reports whether a jump at t begins off the level that held when the last
// episode began, on the side away from where it leads.
func (y *yesterday) strayed(t int64, from, to float64) bool {
	before := y.against(t, from)
	jump := y.against(t, to) - before
	return (float64(y.left)-before)/jump >= strayLeast
}

// returns reports whether a jump at t is a return to a level: it begins off that, by
// least at least and on the side away from where it leads, and ends near it.
func (y *yesterday) returns(t int64, from, to, level, least float64) bool {
	if _, known := y.at(t); !known || !(from > 0) || !(to > 0) {
		return false
	}
	lack, rest := y.against(t, from)-level, y.against(t, to)-level
	return math.Abs(lack) >= least && (to < from) == (lack > 0) && math.Abs(rest) <= homeMost*math.Abs(lack)
}

// sank reports whether a jump up at t is a return from where the stream sank unseen.
func (y *yesterday) sank(t int64, from, to float64) bool {
	return to > from && y.returns(t, from, to, float64(y.base), max(lackLeast, float64(oddLack*float64(y.odd))))
}

func (y *yesterday) append(dst []byte) []byte {
	for _, code := range y.hours {
		dst = binary.LittleEndian.AppendUint16(dst, code)
	}
	for _, x := range [...]float32{y.base, y.odd, y.left} {
		dst = appendFloat32(dst, x)
	}
	return dst
}

func (y *yesterday) restore(r *reader) {
	for i := range y.hours {
		y.hours[i] = binary.LittleEndian.Uint16(r.take(2))
	}
	for _, x := range [...]*float32{&y.base, &y.odd, &y.left} {
		*x = r.float32()
	}
}
