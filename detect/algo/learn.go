package algo

import "math"

// Learner is a detector that can begin with a history of coarser steps than its
// own.
type Learner interface {
	// Learn takes the mean v over (t-width, t], both in Unix ms, in order of time
	// and before any finer step of that time. It teaches profile and level, not
	// how much single steps vary. NaN is no data.
	Learn(t int64, v float64, width int64)
}

// Learn fills buckets. A width of more than a bucket stands for its middle, and
// buckets between two middles are filled in proportion.
func (d *seasonal) Learn(t int64, v float64, width int64) {
	if math.Abs(v) > valueMax {
		v = math.NaN()
	}
	if v < 0 && !d.scale.linear {
		d.restart()
		d.scale.linear = true
	}
	bucket := d.set.shape.bucket
	middle := d.calendar.local(d.set.zone, t) - width/2
	if width <= bucket {
		d.fill(middle)
		if v == v {
			d.addWide(v, int32(max(1, width/d.set.step)))
		}
		return
	}
	if v == v {
		d.learnBetween(middle, v, width)
	}
}

// learnBetween fills the buckets up to local time middle, from the bucket being
// filled, which holds the value learned before.
func (d *seasonal) learnBetween(middle int64, v float64, width int64) {
	bucket := d.set.shape.bucket
	to := floorDiv(middle, bucket) * bucket
	from, before := d.bucketAt, v
	if d.bucketN > 0 && to-from <= 2*width {
		before = d.bucketMean()
	} else {
		d.fill(middle - width/2)
		from = floorDiv(middle-width/2, bucket) * bucket
	}
	for at := from + bucket; at <= to; at += bucket {
		d.fill(at)
		share := float64(at-from) / float64(to-from)
		d.addWide(before+float64(share*(v-before)), int32(bucket/d.set.step))
	}
}

// Facts are the choice, the levels and the noise that the next step is judged by.
func (d *seasonal) Facts(dst []Fact) []Fact {
	c, w := d.choice, &d.windows
	t := &d.profile.tracks[c]
	held, out := 0.0, 0.0
	switch {
	case !d.judging():
		var of [32]Fact
		facts := d.plain.Facts(of[:0])
		held, _ = Find(facts, FactHeld)
		out, _ = Find(facts, FactStepsOut)
	case !d.set.fine:
		e := &d.adjusted.episode
		held = float64(max(e.run[up], e.run[down]))
		if e.out {
			out = float64(e.outFor) + 1
		}
	case d.pager.out:
		out = float64(d.pager.outFor)*float64(d.set.tick)/float64(d.set.step) + 1
	}
	return append(dst, Fact{"season_hours", [seasons]float64{0, 24, 168}[c]},
		Fact{"level", d.scale.back(t.fast + d.middle)}, Fact{"slow_level", d.scale.back(t.slow + d.middle)},
		Fact{"miss_without_season", d.profile.tracks[seasonNone].miss}, Fact{"miss_by_day", d.profile.tracks[seasonDay].miss},
		Fact{"miss_by_week", d.profile.tracks[seasonWeek].miss},
		Fact{"count_noise", w.noise.perEvent}, Fact{"common_noise", w.noise.common},
		Fact{FactThreshold, d.set.scoreOf(d.set.limit)}, Fact{FactClear, d.set.scoreOf(d.set.clear)},
		Fact{FactHold, float64(d.set.hold)}, Fact{FactHeld, held}, Fact{FactStepsOut, out})
}
