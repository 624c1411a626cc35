package algo

import "math"

// goOn keeps the expectation where it is when the bucket around local time to, which
// begins, has its free day elsewhere than away, where the one before had it: the end of a
// Saturday is not followed by its beginning, and without a time zone that is at any time
// of the day.
func (d *seasonal) goOn(away int64, was bool, to int64) {
	if d.choice != seasonWeek || !d.set.fine {
		return
	}
	s := &d.set.shape
	now, is := d.profile.freeDay(s, d.choice, to)
	if away == now-to {
		return
	}
	before, known := d.profile.at(s, d.choice, to+away)
	after, too := d.profile.at(s, d.choice, now)
	if !known || !too {
		return
	}
	off := before - after
	if was && is {
		d.windows.slow.moveOther(float32(off))
	}
	if d.free && d.scale.linear {
		d.windows.rescale(off, true)
	} else if d.free {
		d.windows.rescale(math.Exp(clamp(off, 10)), false)
	}
}

// moveOther makes the distances from a free day those from one that lies lower by off.
func (w *drift) moveOther(off float32) {
	for i := range w.other {
		if w.other[i] != unknownBucket {
			w.other[i] += off
		}
	}
}

// levelFor returns the level at which the season c expects what the one that is followed
// expects now.
func (d *seasonal) levelFor(c season) float64 {
	at := d.bucketAt + d.set.shape.bucket/2
	before, known := d.course(at)
	after, too := d.profile.at(&d.set.shape, c, at)
	switch {
	case !known || !too:
		return d.scale.factor(d.profile.tracks[c].fast)
	case d.scale.linear:
		return d.windows.level + before - after
	}
	return d.windows.level * math.Exp(clamp(before-after, 10))
}
