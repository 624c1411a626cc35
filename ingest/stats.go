package ingest

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Counts is what became of datapoints. Accepted = Stored + Superseded + Late.
type Counts struct {
	Requests   int64
	Unreadable int64 // requests refused as a whole
	Accepted   int64
	Stored     int64
	Superseded int64
	Late       int64
	NoData     int64             // accepted values that were NaN; among Superseded
	Rejected   [numReasons]int64 // by Reason
}

func (c *Counts) add(o *Counts) {
	c.Requests += o.Requests
	c.Unreadable += o.Unreadable
	c.Accepted += o.Accepted
	c.Stored += o.Stored
	c.Superseded += o.Superseded
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
}

// Stats is a snapshot of the pipeline's counters.
type Stats struct {
	Total        Counts
	Unexpandable int64 // bodies whose content encoding could not be undone
	Sources      []SourceCounts
}

// sourcesPerGeneration bounds the sources counted one by one. When a generation
// is full the one before it is forgotten, so that a source in use is kept and
// twice as many are held at most.
const sourcesPerGeneration = 8192

// counters are the pipeline's own numbers: one lock per request.
type counters struct {
	unexpandable atomic.Int64

	mu struct {
		sync.Mutex
		total    Counts
		now, old map[string]*SourceCounts
	}
}

// record adds what one request did. key is copied when it is new. It returns the
// key as a string that may be kept.
func (c *counters) record(key []byte, at int64, did *Counts, sample string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.total.add(did)
	s := c.source(key, at)
	s.Last = max(s.Last, at)
	s.Counts.add(did)
	if sample != "" {
		s.Sample = sample
	}
	return s.Key
}

// source returns the entry of key in the newest generation. The lock is held.
func (c *counters) source(key []byte, at int64) *SourceCounts {
	s := c.mu.now[string(key)]
	if s != nil {
		return s
	}
	if s = c.mu.old[string(key)]; s == nil {
		s = &SourceCounts{Key: string(key), First: at, Last: at}
	}
	if c.mu.now == nil || len(c.mu.now) >= sourcesPerGeneration {
		c.mu.old, c.mu.now = c.mu.now, map[string]*SourceCounts{}
	}
	c.mu.now[s.Key] = s
	return s
}

// Stats returns the counters, sources in order of their key.
func (p *Pipeline) Stats() Stats {
	c := &p.stats
	c.mu.Lock()
	defer c.mu.Unlock()
	both := make(map[string]*SourceCounts, len(c.mu.now)+len(c.mu.old))
	maps.Copy(both, c.mu.old)
	maps.Copy(both, c.mu.now)
	st := Stats{Total: c.mu.total, Unexpandable: c.unexpandable.Load(), Sources: make([]SourceCounts, 0, len(both))}
	for _, s := range both {
		st.Sources = append(st.Sources, *s)
	}
	slices.SortFunc(st.Sources, func(a, b SourceCounts) int { return cmp.Compare(a.Key, b.Key) })
	return st
}
