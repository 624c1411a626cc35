package algo

import "math"

const (
	stillShare = 0.5 // of a depth that the last minute shows, but for what ticks vary by
	stillSure  = 1.5 // standard deviations
	stillWaits = 0.1 // of evidence, below the limit
)

// still reports whether what was found still shows in the last minute and in the last
// ticks: what is over is no onset. e is the expected value of a tick.
func (d *seasonal) still(f found, e float64) bool {
	if f.cause == CauseFrozen || f.cause == CauseDrift {
		return true
	}
	w, sp := &d.windows, &d.set.spans[0]
	noise := w.noise.perTick(e)
	for _, n := range [...]int{max(sp.edge, 1), max(sp.n/2, 1)} {
		m := over(w.ticks[:], w.head, 0, n)
		if m.n == 0 {
			continue
		}
		off := w.off(m.mean(), d.scale.linear)
		if f.side == down {
			off = -off
		}
		if off+stillSure*math.Sqrt(noise/float64(m.n)+float64(w.stretch[0].excess)) < stillShare*f.depth {
			return false
		}
	}
	return true
}
