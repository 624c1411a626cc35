package query

import "sync/atomic"

// Progress is how far a query is. Any goroutine may look at it. The nil Progress
// takes no note.
type Progress struct {
	series     atomic.Int64
	datapoints atomic.Int64
	leases     atomic.Pointer[[]*Lease]
}

// Read returns how many series and datapoints (series × steps, of each tier) the data
// expressions have read so far, or are reading.
func (p *Progress) Read() (series, datapoints int64) { return p.series.Load(), p.datapoints.Load() }

// Held returns the bytes that the query holds.
func (p *Progress) Held() (bytes int64) {
	if leases := p.leases.Load(); leases != nil {
		for _, l := range *leases {
			bytes += l.Held()
		}
	}
	return bytes
}

func (p *Progress) add(series int, datapoints int64) {
	if p != nil {
		p.series.Add(int64(series))
		p.datapoints.Add(datapoints)
	}
}

// holds takes note of where the memory of the query is taken from.
func (p *Progress) holds(leases ...*Lease) {
	if p != nil {
		p.leases.Store(&leases)
	}
}
