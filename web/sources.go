package web

import (
	"cmp"
	"slices"
	"time"

	"pulse/ingest"
	"pulse/store"
)

// sourceAnswer is one sender as the sources API shows it.
type sourceAnswer struct {
	Source     string                 `json:"source"`
	Protocols  []string               `json:"protocols"`        // publish, update, line, inside; since the start
	Silent     bool                   `json:"silent,omitempty"` // it has missed three reports, and a minute
	Rate       float64                `json:"rate"`             // accepted points per second
	Recent     []recentReport         `json:"recent"`           // the latest reports, oldest first
	IntervalMs int64                  `json:"intervalMs"`
	LastTime   string                 `json:"lastTime,omitempty"`
	LastSeen   string                 `json:"lastSeen"`
	Requests   int64                  `json:"requests"`
	Accepted   int64                  `json:"accepted"`
	Stored     int64                  `json:"stored"`
	Superseded int64                  `json:"superseded"`
	Late       int64                  `json:"late"`
	Rejected   map[string]rejectedFor `json:"rejected,omitempty"` // by reason
	Unreadable *unreadable            `json:"unreadable,omitempty"`
	Sample     string                 `json:"sample,omitempty"` // a reason of the latest rejection
	Hint       string                 `json:"hint,omitempty"`   // what to do about points that are lost
}

// recentReport is what an interval of arrival brought; those that brought nothing are
// left out.
type recentReport struct {
	T        int64 `json:"t"` // its beginning, Unix ms
	Accepted int64 `json:"accepted"`
}

// unreadable is how many requests were refused as a whole, and what to do.
type unreadable struct {
	Requests int64  `json:"requests"`
	Fix      string `json:"fix"`
}

// rejectedFor is how many points were rejected for one reason, and what to do.
type rejectedFor struct {
	Points int64  `json:"points"`
	Fix    string `json:"fix"`
}

// sources lists senders, the one seen last first. They are counted from the start
// of the process; those of before that have not come back yet are there too.
func (s *Server) sources(r *request) {
	known := map[string]store.SourceStat{}
	for _, x := range s.opts.Store.SourceStats() {
		known[x.Key] = x
	}
	list := s.opts.Pipeline.Sources(s.nowMs())
	for _, x := range list {
		if k, ok := known[x.Key]; ok {
			k.LastArrival = 0 // it is in the list
			known[x.Key] = k
		}
	}
	for _, x := range known {
		if x.LastArrival > 0 {
			list = append(list, ingest.SourceCounts{Key: x.Key, Last: x.LastArrival})
		}
	}
	slices.SortFunc(list, func(a, b ingest.SourceCounts) int {
		return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(a.Key, b.Key))
	})
	out := make([]sourceAnswer, len(list))
	now := s.nowMs()
	for i := range list {
		k := known[list[i].Key]
		out[i] = describeSource(&list[i], k)
		out[i].Silent = now-list[i].Last > max(3*k.Interval, 3*s.opts.Store.Step(), silentSource.Milliseconds())
	}
	r.json(out)
}

// silentSource is how long a source of short intervals may be quiet, as where steps wait
// for it.
const silentSource = time.Minute

func describeSource(x *ingest.SourceCounts, k store.SourceStat) sourceAnswer {
	c := &x.Counts
	a := sourceAnswer{
		Source: x.Key, Protocols: x.Ways.Names(), Recent: []recentReport{}, Rate: x.Rate, IntervalMs: k.Interval, LastSeen: rfc3339(x.Last), Requests: c.Requests,
		Accepted: c.Accepted, Stored: c.Stored, Superseded: c.Superseded, Late: c.Late, Sample: x.Sample,
	}
	if k.LastTime > 0 {
		a.LastTime = rfc3339(k.LastTime)
	}
	for _, r := range x.Recent {
		a.Recent = append(a.Recent, recentReport{r.At, r.Accepted})
	}
	for i, n := range c.Rejected {
		if n > 0 {
			if a.Rejected == nil {
				a.Rejected = map[string]rejectedFor{}
			}
			reason := ingest.Reason(i)
			a.Rejected[reason.String()] = rejectedFor{n, reason.Fix()}
		}
	}
	if c.Unreadable > 0 {
		a.Unreadable = &unreadable{c.Unreadable, ingest.UnreadableFix}
	}
	if x.Clashes {
		a.Hint = ingest.ClashFix
	}
	return a
}
