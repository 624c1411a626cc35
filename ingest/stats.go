package ingest

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// Counts is what became of requests and datapoints. Accepted = Stored +
// Superseded + Late. Of a request that was not taken as a whole no datapoint is
// counted.
type Counts struct {
	Requests   int64
	Unreadable int64 // requests refused as a whole for what is in them
	Turned     int64 // requests turned away: the store could not take them, or their idempotency key was in use
	Again      int64 // requests answered as before, by their idempotency key
	Accepted   int64
	Stored     int64
	Superseded int64
	Repeated   int64 // rates and counters among Superseded whose time was not after the last one of their series
	Late       int64
	NoData     int64             // accepted values that were NaN; among Superseded
	Rejected   [numReasons]int64 // by Reason
}

func (c *Counts) add(o *Counts) {
	c.Requests += o.Requests
	c.Unreadable += o.Unreadable
	c.Turned += o.Turned
	c.Again += o.Again
	c.Accepted += o.Accepted
	c.Stored += o.Stored
	c.Superseded += o.Superseded
	c.Repeated += o.Repeated
	c.Late += o.Late
	c.NoData += o.NoData
	for i, n := range o.Rejected {
		c.Rejected[i] += n
	}
}

// RejectedBy returns the rejections by the name of their reason, without zeros.
func (c *Counts) RejectedBy() map[string]int64 {
	out := map[string]int64{}
	for i, n := range c.Rejected {
		if n > 0 {
			out[Reason(i).String()] = n
		}
	}
	return out
}

// SourceCounts is what became of one source's datapoints.
type SourceCounts struct {
	Key    string // as the store's sources are named
	First  int64  // Unix ms of the first request counted here
	Last   int64  // Unix ms of the last
	Counts Counts
	Sample string // the last reason a datapoint or request was rejected for; "" if none
	Ways   Ways   // by which it has sent

	// Rate is the accepted datapoints per second over the recent reports; 0 with
	// fewer than two.
	Rate float64
	// Recent is what its recent reports brought, oldest first.
	Recent []Report
	// Clashes says that the source keeps sending rates or counters that come too
	// late for their series, as the slower of two reporters with equal tags does.
	Clashes bool
}

// ImportCounts is what became of the import route's points, which belong to no
// source.
type ImportCounts struct {
	Requests int64
	Accepted int64
	Rejected int64
}

// Stats is a snapshot of the pipeline's counters. What the sources did and
// Forgotten add up to Total.
type Stats struct {
	Total        Counts
	Forgotten    Counts // of sources that had to make room
	Import       ImportCounts
	Unexpandable int64 // bodies whose content encoding could not be undone
	Keys         int   // requests known by their idempotency key
}

// counters are the pipeline's own numbers: two short locks per request.
type counters struct {
	unexpandable atomic.Int64

	mu struct {
		sync.Mutex
		total   Counts
		imports ImportCounts
		senders senders
	}
}

// enter returns the sender of a request, whose key is copied when it is new.
func (c *counters) enter(key []byte, from From, at int64) *sender {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.senders.admit(key, from, at)
}

// record adds what one request did.
func (c *counters) record(s *sender, way Ways, at int64, did *Counts, sample string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Ways |= way
	c.mu.total.add(did)
	c.mu.senders.record(s, at, did, sample)
}

func (c *counters) recordImport(did ImportCounts) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.imports.Requests += did.Requests
	c.mu.imports.Accepted += did.Accepted
	c.mu.imports.Rejected += did.Rejected
}

// Stats returns the counters.
func (p *Pipeline) Stats() Stats {
	keys := p.memory.len()
	c := &p.stats
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Total: c.mu.total, Forgotten: c.mu.senders.forgotten, Import: c.mu.imports,
		Unexpandable: c.unexpandable.Load(), Keys: keys,
	}
}

// Sources returns what became of each source's datapoints until now, Unix ms, in
// order of their key.
func (p *Pipeline) Sources(now int64) []SourceCounts {
	c := &p.stats
	c.mu.Lock()
	t := &c.mu.senders
	out := make([]SourceCounts, 0, len(t.byKey))
	for _, s := range t.byKey {
		x := s.SourceCounts
		x.Rate, x.Clashes = s.meter.read(now, t.width)
		x.Recent = s.meter.recent()
		out = append(out, x)
	}
	c.mu.Unlock()
	slices.SortFunc(out, func(a, b SourceCounts) int { return cmp.Compare(a.Key, b.Key) })
	return out
}
