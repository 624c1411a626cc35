package expr

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Buckets is the number of percentile buckets.
const Buckets = 276

// bucketTable holds the upper bounds of the buckets, and for each power of
// four the index of the first bucket above it.
type bucketTable struct {
	bounds [Buckets]int64
	first  [31]int // first[k] is the index of the bound 4^k
}

// newBucketTable builds the bounds: 1, 2, 3, then between 4^k and 4^(k+1)
// steps of a third of 4^k, rounded down, and the largest integer at the end.
func newBucketTable() *bucketTable {
	t := &bucketTable{}
	n := copy(t.bounds[:], []int64{1, 2, 3})
	for k := 1; k <= 30; k++ {
		t.first[k] = n
		current := int64(1) << (2 * k)
		delta := current / 3
		// 4^31 fits an int64, so the bound of the last round does too.
		next := current*4 - delta
		for ; current < next && n < Buckets-1; current += delta {
			t.bounds[n] = current
			n++
		}
	}
	t.bounds[n] = math.MaxInt64
	return t
}

// BucketBounds returns the upper bounds of the percentile buckets, the same as
// in every Spectator client. A timer's bounds are nanoseconds.
func BucketBounds() []int64 { return slices.Clone(newBucketTable().bounds[:]) }

// BucketIndex returns the bucket that counts v: 0 for v <= 0, v up to 4, and
// above that the i with bounds[i-1] <= v < bounds[i]. Since a third of a power
// of four is rounded down, the last few values below the next power count one
// bucket higher, in the clients as here.
func BucketIndex(v int64) int {
	if v <= 0 {
		return 0
	}
	if v <= 4 {
		return int(v)
	}
	t := newBucketTable()
	k := 1
	for k < 30 && v >= int64(1)<<(2*(k+1)) {
		k++
	}
	base := int64(1) << (2 * k)
	offset := int((v - base) / (base / 3))
	return min(t.first[k]+offset+1, Buckets-1)
}

// BucketTag returns the tag value of a bucket: T and four hex digits for a
// timer, D for a distribution summary.
func BucketTag(index int, timer bool) string {
	if timer {
		return fmt.Sprintf("T%04X", index)
	}
	return fmt.Sprintf("D%04X", index)
}

// parseBucketTag returns the bucket a tag value names.
func parseBucketTag(tag string) (index int, timer bool, ok bool) {
	if len(tag) < 2 || tag[0] != 'T' && tag[0] != 'D' {
		return 0, false, false
	}
	n, err := strconv.ParseUint(tag[1:], 16, 32)
	if err != nil || n >= Buckets {
		return 0, false, false
	}
	return int(n), tag[0] == 'T', true
}

// PercentileTag returns the value of the tag `percentile` on a result: the
// number with its integer part padded to three places.
func PercentileTag(p float64) string {
	s := FormatDouble(p)
	switch {
	case p < 10:
		return "  " + s
	case p < 100:
		return " " + s
	}
	return s
}

// PercentileLabel returns the label of a percentile line over what base names.
func PercentileLabel(base string, p float64) string {
	return "percentile(" + base + ", " + PercentileTag(p) + ")"
}

// percentiles estimates the values below which the shares pcts (ascending, 0
// to 100) of the counts lie, interpolating within buckets. Without any count
// they are NaN.
func (t *bucketTable) percentiles(dst, counts, pcts []float64) {
	total, last := 0.0, -1
	for i, c := range counts {
		if c > 0 {
			total += c
			last = i
		}
	}
	if last < 0 {
		fillNaN(dst)
		return
	}
	q, cum, prevP, prevB := 0, 0.0, 0.0, 0.0
	for i := 0; i <= last && q < len(pcts); i++ {
		if counts[i] > 0 {
			cum += counts[i]
		}
		p, b := 100*cum/total, float64(t.bounds[i])
		for q < len(pcts) && pcts[q] <= p {
			dst[q] = interpolate(pcts[q], p, b, prevP, prevB)
			q++
		}
		prevP, prevB = p, b
	}
	for ; q < len(pcts); q++ { // lost to rounding: the last bucket's end
		dst[q] = interpolate(pcts[q], 100, float64(t.bounds[last]), prevP, prevB)
	}
}

func interpolate(q, p, b, prevP, prevB float64) float64 {
	f := (q - prevP) / (p - prevP)
	if math.IsNaN(f) {
		return 0
	}
	return f*(b-prevB) + prevB
}

// BucketRange returns the values that the bucket of a tag value counts, low
// included and high excluded, those of a timer in seconds.
func BucketRange(tag string) (low, high float64, ok bool) {
	index, timer, ok := parseBucketTag(tag)
	if !ok {
		return 0, 0, false
	}
	t := newBucketTable()
	high = float64(t.bounds[index])
	if index > 0 {
		low = float64(t.bounds[index-1])
	}
	if timer {
		low, high = low/1e9, high/1e9
	}
	return low, high, true
}
