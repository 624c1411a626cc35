package store

import (
	"context"
	"sync"
	"sync/atomic"

	"pulse/store/block"
	"pulse/store/budget"
	"pulse/store/index"
	"pulse/store/match"
)

// Store keeps step-aligned series in memory. All methods are safe for
// concurrent use.
type Store struct {
	options   Options
	rules     rules
	grid      grid
	tiers     []*tier // the primary first
	maxOpen   int     // open blocks of a partition before those out of reach are sealed at once
	index     *index.Index
	lookup    lookup
	pool      pool
	sources   *sources
	watches   watches
	parts     [partitions]partition
	newSeries bucket  // under changing
	folder    *folder // nil: in memory only
	archives  archives

	// changing is held while the set of searchable series, the watches, or
	// the sources of a watch change.
	changing   sync.Mutex
	searchable int   // series in the index
	seen       int   // slots with a series
	indexed    int64 // bytes of the index that are charged

	memory   *budget.Budget // nil: no limit
	costs    costs
	active   atomic.Int64 // series that are not idle
	refusals refusals
	trimmed  atomic.Int64 // see trim
	holds    holds
	graves   []grave // under changing, the oldest first
	frozen   int     // under changing: how many keep the graves closed

	flattener builder // under advancing
	importing importing
	importers sync.Pool  // of *importer: memory of those that are done
	deriving  sync.Mutex // held while coarser tiers are derived
	rolling   rollup     // under deriving
	encoding  sync.Mutex // held while a block is sealed
	advancing sync.Mutex // held by Advance
	sealer    sealer     // under advancing
	packer    packer     // under advancing
	steady    steady     // under advancing
	cursor    int        // the partition that is sealed next
	buried    int64      // end of the block time that was last searched for dead series
	faded     int64      // the same for series that only coarser tiers have
	swept     int64      // time of the last search for silent sources
	rested    int64      // block number that was last searched for idle series
	overrun   int64      // bytes of columns and blocks beyond what is reserved
	leaving   leave      // silent sources that are not forgotten everywhere yet

	// applying is read-locked while an operation is applied, and locked by whoever
	// wants to see the store between two.
	applying sync.RWMutex
	finished atomic.Uint64 // the last record of the log that was applied in full
	burials  atomic.Int64  // end of the last burial
	fadings  atomic.Int64  // and its recent

	epochs atomic.Uint64 // of arenas
	cache  *columnCache  // nil: none

	stored, superseded, repeated, late atomic.Int64
}

// New returns an empty store.
func New(o Options) (*Store, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Store{
		options:   o,
		rules:     o.rules(),
		grid:      newGrid(o.Step),
		tiers:     newTiers(o),
		index:     index.New(index.Limits{Keys: o.MaxKeys, Values: o.MaxValuesPerKey, Pairs: o.MaxPairs}),
		sources:   newSources(o),
		newSeries: newBucket(o.NewSeriesRate, o.NewSeriesBurst),
		memory:    o.Memory,
		costs:     newCosts(o),
	}
	s.memory.Force(s.costs.slack)
	s.maxOpen = int((o.MaxPast+o.MaxFuture)/(block.Size*o.Step)) + 4
	s.sealer.grid, s.packer.grid = s.grid, s.grid
	s.sources.floor = &s.tiers[primary].floor
	if o.Cache > 0 {
		s.cache = newColumnCache(o.Cache)
		s.memory.Force(o.Cache)
	}
	s.lookup.init()
	s.pool.init()
	s.watches.init()
	for i := range s.parts {
		p := &s.parts[i]
		p.number = i
		p.pool = &s.pool
		p.patches = &s.importing.patches
		p.epochs = &s.epochs
		p.more = map[uint32][]link{}
		p.linked = map[uint64]struct{}{}
	}
	return s, nil
}

// Options returns the options in effect, defaults filled in.
func (s *Store) Options() Options { return s.options }

// Step returns the primary step in milliseconds.
func (s *Store) Step() int64 { return s.options.Step }

// ValueCount is a value of a tag key and the number of series that carry it.
type ValueCount = index.ValueCount

// Keys returns the tag keys of the series that q selects, ascending, after the
// given one (exclusive; "": all), at most limit (0: all).
func (s *Store) Keys(q match.Query, after string, limit int) []string {
	return s.index.Keys(q, after, limit)
}

// Values returns the values of key among the series that q selects, ascending,
// after the given one (exclusive; "": all), at most limit (0: all).
func (s *Store) Values(key string, q match.Query, after string, limit int) []ValueCount {
	return s.index.Values(key, q, after, limit)
}

// FindKeys is Keys that ends with ctx.Err() soon after ctx ends: trying patterns
// on many values can take seconds.
func (s *Store) FindKeys(ctx context.Context, q match.Query, after string, limit int) ([]string, error) {
	return s.index.KeysUntil(q, after, limit, ctx.Err)
}

// FindValues is Values that ends with ctx.Err() soon after ctx ends.
func (s *Store) FindValues(ctx context.Context, key string, q match.Query, after string, limit int) ([]ValueCount, error) {
	return s.index.ValuesUntil(key, q, after, limit, ctx.Err)
}

// KeyCount is a tag key with how many values it has, and how many series have it.
type KeyCount = index.KeyCount

// CountKeys returns the tag keys of the series that q selects, in no order. It ends with
// ctx.Err() soon after ctx ends.
func (s *Store) CountKeys(ctx context.Context, q match.Query) ([]KeyCount, error) {
	return s.index.CountKeys(q, ctx.Err)
}

// Try fails with ctx.Err() when finding the series that q selects takes longer
// than ctx lives.
func (s *Store) Try(ctx context.Context, q match.Query) error {
	_, err := s.index.SelectUntil(q, ctx.Err)
	return err
}

// Appended returns the number of points of all batches so far. It has grown
// before the Append that it counts returns, so that an unchanged number means
// that no batch was completed in between.
func (s *Store) Appended() int64 { return s.stored.Load() + s.superseded.Load() + s.late.Load() }

// Stats describes a store at one moment.
type Stats struct {
	Series     int   // searchable
	SeriesSeen int   // including those that nothing is left of and whose slots are not free yet
	Active     int   // written lately
	Slots      int   // that series have or may have
	Refused    int64 // new series, by a limit
	Refusals   Refusals
	Memory     budget.Stats // of series; zero without a budget
	Keys       int          // distinct tag keys of searchable series
	Pairs      int          // distinct tags of searchable series
	Values     int          // distinct values of the tag key that has most
	NewSeries  int          // taken from the burst of new series and not made up for at the last Advance

	Archive ArchiveStats
	Cache   CacheStats

	OpenBlocks int             // partitions × block times that can still change
	Blocks     int             // sealed, with data
	BlockBytes int64           // of sealed blocks and their directories
	TierBytes  [maxTiers]int64 // BlockBytes by tier
	Trimmed    int64           // times that the oldest blocks were dropped since the memory was full
	ArenaBytes int64           // of those, what is in memory and not in a file
	HeadBytes  int64           // of open blocks
	PatchBytes int64           // of what imports put on sealed blocks and is not merged into them yet

	Sources        int
	SourcesRefused uint64 // reports of senders that found the table full
	Watches        int

	Total Result // points since the start
}

// Stats returns the present figures.
func (s *Store) Stats() Stats {
	var st Stats
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.RLock()
		st.OpenBlocks += len(p.open)
		st.Slots += len(p.slots)
		for tier, list := range p.sealed {
			for _, a := range list {
				st.Blocks += a.blocks
				st.BlockBytes += a.bytes()
				st.TierBytes[tier] += a.bytes()
				if a.file == nil {
					st.ArenaBytes += a.bytes()
				}
			}
		}
		p.mu.RUnlock()
	}
	s.changing.Lock()
	st.Series, st.SeriesSeen, st.Watches = s.searchable, s.seen, s.watches.count()
	st.NewSeries = s.newSeries.used()
	s.changing.Unlock()
	s.sources.mu.RLock()
	st.Sources, st.SourcesRefused = len(s.sources.byKey), s.sources.refused
	s.sources.mu.RUnlock()
	st.HeadBytes, st.PatchBytes = s.pool.bytes(), s.importing.patches.Load()
	st.Archive = s.archives.figures()
	st.Cache = s.cache.stats()
	x := s.index.Stats()
	st.Keys, st.Pairs, st.Values = x.Keys, x.Pairs, x.Values
	st.Refusals, st.Trimmed = s.refusals.stats(), s.trimmed.Load()
	st.Refused, st.Memory, st.Active = st.Refusals.Total, s.memory.Stats(), int(s.active.Load())
	st.Total = Result{Stored: int(s.stored.Load()), Superseded: int(s.superseded.Load()), Repeated: int(s.repeated.Load()), Late: int(s.late.Load())}
	return st
}
