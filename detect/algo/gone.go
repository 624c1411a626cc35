package algo

import "math"

const (
	nothingShare = 0.05  // of the usual level, below which one is next to nothing
	goneShare    = 0.001 // and below which there is nothing to learn from
)

// nothing reports whether a level is less than a share of the usual one.
func (d *seasonal) nothing(level, share float64) bool {
	return !d.scale.linear && level < share*math.Exp(d.profile.tracks[d.choice].usual)
}

// returned finds nothing on a stream that is gone, but that it is there again.
func (d *seasonal) returned() (f found) {
	w, n := &d.windows, d.set.spans[0].n
	first := over(w.ticks[:], w.head, n, n+1) // may cover a part of its time only
	m := over(w.ticks[:], w.head, 0, n)
	f.back = first.n > 0 && !d.nothing(first.mean(), nothingShare) && 2*m.n > n && !d.nothing(m.mean(), nothingShare)
	return f
}
