package store

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Rows is a scan whose lines can be read some at a time, so that there may be more of
// them than have room in memory together. Lines are numbered in the order of their
// first series, which is the order in which aggregates are folded. It is used by one
// goroutine, and holds the store until Close.
type Rows struct {
	run  *run
	hold Hold

	// The selected series, those of the same lines together: of chunk c the ones in
	// chunks[c], a stretch for each partition.
	slots   []uint32
	groups  []int32 // of the chunk's lines
	chunks  [][]stretch
	lines   int // of a chunk
	readers int // chunks that are read at once
}

// stretch is the series [from, to) of Rows, which are of one partition.
type stretch struct{ part, from, to int }

const (
	chunkBytes = 1 << 20 // of the values that are read at once, about
	fewestRows = 64      // that are read at once, however long they are
	readerRows = 8 << 10 // bytes of what reads chunks, without the values
)

// What a chunk takes: one of ends, last and parts in cut, and its list; a series of
// it; a stretch.
const (
	chunkCost    = 8 + 4 + 4 + 24
	rowBytes     = 4 + 4
	stretchBytes = 24
)

// Rows selects and groups series as Scan does. MaxLines is for All, and for Each how
// many lines it has at once.
func (s *Store) Rows(ctx context.Context, q Scan) (*Rows, error) {
	rows := &Rows{hold: s.Hold()}
	var err error
	if rows.run, err = s.newRun(ctx, q); err != nil {
		rows.Close()
		return nil, err
	}
	return rows, nil
}

// Close ends the use of the store.
func (r *Rows) Close() { r.hold.Release() }

// Len returns the number of lines.
func (r *Rows) Len() int { return r.run.count }

// Stats returns what was read so far.
func (r *Rows) Stats() ScanStats { return r.run.stats }

// Line returns a line without values.
func (r *Rows) Line(i int) Line {
	return Line{Tags: r.run.tagsOf(r.run.store.index.Dictionary(), i), Gauge: r.run.gauge[i], Place: int32(i)}
}

// Cached reports whether All uses the cache. Each never does.
func (r *Rows) Cached() bool { return r.run.cacheable() }

// Gauge reports whether every member of a line is a gauge.
func (r *Rows) Gauge(i int) bool { return r.run.gauge[i] }

// Compare orders two lines as those of Scan are ordered.
func (r *Rows) Compare(i, j int) int {
	if i == j {
		return 0
	}
	run := r.run
	dict := run.store.index.Dictionary()
	if run.Agg == AggAll {
		return run.tagsOf(dict, i).Compare(run.tagsOf(dict, j))
	}
	return compareGroups(dict, run.grouper.key(int32(i)), run.grouper.key(int32(j)))
}

// All reads all lines at once, and orders them. They share no memory with the store.
// It may be called again, and after Each.
func (r *Rows) All() ([]Line, error) {
	run := r.run
	if run.count == 0 {
		return nil, nil
	}
	if err := run.makeLines(); err != nil {
		return nil, err
	}
	if err := r.readAll(); err != nil {
		return nil, err
	}
	run.order()
	return run.lines, nil
}

// readAll puts the values of all lines into them.
func (r *Rows) readAll() error {
	run := r.run
	if r.chunks != nil { // the series are no longer in run
		return r.Each(func(line int, values []float64) error {
			copy(run.lines[line].Values, values)
			return nil
		})
	}
	err := run.read()
	for ; run.again(err); err = run.read() {
		run.stats.Blocks, run.stats.Cached = 0, 0
		fillNaN(run.values)
	}
	return err
}

// size decides how many lines are read at once, and by how many readers.
func (r *Rows) size() {
	run := r.run
	r.readers = 1
	if run.stats.Datapoints >= parallelFrom {
		r.readers = min(runtime.GOMAXPROCS(0), maxReaders)
	}
	r.lines = max(min(chunkBytes/(8*max(run.steps, 1)), run.count), min(fewestRows, run.count), 1)
	if run.MaxLines > 0 {
		r.readers = int(min(int64(r.readers), run.MaxLines))
		r.lines = int(min(int64(r.lines), run.MaxLines/int64(r.readers)))
	}
	r.readers = max(1, min(r.readers, (run.count+r.lines-1)/r.lines))
}

// cut sorts the selected series by the chunk of their lines, then by partition and
// slot. It takes the memory to read them, too.
func (r *Rows) cut() error {
	run := r.run
	r.size()
	lines := r.lines
	chunks := (run.count + lines - 1) / lines
	if err := run.reserve(int64(chunks+1) * chunkCost); err != nil {
		return err
	}
	ends, last, parts := make([]int, chunks+1), make([]int32, chunks), make([]int32, chunks)
	each := func(f func(part, chunk int, slot uint32, group int32)) {
		for part := range run.parts {
			sel := &run.parts[part]
			for i, n := range sel.slots {
				group := int32(0)
				if sel.groups != nil {
					group = sel.groups[i]
				}
				f(part, int(group)/lines, n, group%int32(lines))
			}
		}
	}
	stretches := 0
	each(func(part, chunk int, _ uint32, _ int32) {
		ends[chunk+1]++
		if last[chunk] != int32(part)+1 {
			last[chunk] = int32(part) + 1
			parts[chunk]++
			stretches++
		}
	})
	bytes := int64(run.stats.Series)*rowBytes + int64(stretches)*stretchBytes + int64(r.readers)*(readerRows+int64(lines*run.steps)*8)
	if err := run.reserve(bytes); err != nil {
		return err
	}
	r.slots, r.groups = make([]uint32, run.stats.Series), make([]int32, run.stats.Series)
	r.chunks = make([][]stretch, chunks)
	room := make([]stretch, stretches)
	for c := range chunks {
		ends[c+1] += ends[c]
		n := int(parts[c])
		r.chunks[c], room = room[:0:n], room[n:]
	}
	each(func(part, chunk int, slot uint32, group int32) {
		at := ends[chunk]
		r.slots[at], r.groups[at] = slot, group
		ends[chunk]++
		list := r.chunks[chunk]
		if last := len(list) - 1; last >= 0 && list[last].part == part {
			list[last].to = at + 1
		} else {
			r.chunks[chunk] = append(list, stretch{part, at, at + 1})
		}
	})
	run.parts = [partitions]selected{} // r has them
	return nil
}

// Each reads the lines and gives them to visit in the order of their numbers, with
// (End-Start)/step values each, which are valid until visit returns. It may be
// called again. It ends with ctx.Err() soon after ctx ends, and with the error of
// visit.
func (r *Rows) Each(visit func(line int, values []float64) error) error {
	run := r.run
	if r.chunks == nil {
		if err := r.cut(); err != nil {
			return err
		}
	}
	var next, blocks atomic.Int64
	turns := newTurns()
	var wait sync.WaitGroup
	worker := func() {
		c := r.newChunk()
		defer func() { blocks.Add(c.rd.blocks) }()
		for {
			k := int(next.Add(1)) - 1
			if k >= len(r.chunks) {
				return
			}
			err := c.read(r, k)
			if !turns.take(k) {
				return
			}
			if err == nil {
				err = c.visit(k*r.lines, visit)
			}
			if turns.end(err); err != nil {
				return
			}
		}
	}
	for range r.readers - 1 {
		wait.Go(worker)
	}
	worker()
	wait.Wait()
	run.stats.Blocks += blocks.Load()
	return turns.err
}

// chunk is memory to read some lines into.
type chunk struct {
	run run
	rd  reader
}

func (r *Rows) newChunk() *chunk {
	c := &chunk{run: *r.run}
	c.run.values = make([]float64, r.lines*r.run.steps)
	c.rd = c.run.reader(c.run.Start, c.run.End)
	return c
}

// read reads the lines of chunk k.
func (c *chunk) read(r *Rows, k int) error {
	c.run.count = min(r.lines, r.run.count-k*r.lines)
	c.run.parts = [partitions]selected{}
	for _, s := range r.chunks[k] {
		c.run.parts[s.part] = selected{slots: r.slots[s.from:s.to], groups: r.groups[s.from:s.to]}
	}
	fillNaN(c.run.values)
	err := c.rd.all()
	for ; c.run.again(err); err = c.rd.all() {
		fillNaN(c.run.values)
	}
	return err
}

func (c *chunk) visit(first int, visit func(line int, values []float64) error) error {
	steps := c.run.steps
	for i := range c.run.count {
		if i%checkEach == checkEach-1 {
			if err := c.run.ctx.Err(); err != nil {
				return err
			}
		}
		if err := visit(first+i, c.run.values[i*steps:(i+1)*steps:(i+1)*steps]); err != nil {
			return err
		}
	}
	return nil
}

// turns lets those who work at once do something one after the other, in order.
type turns struct {
	mu   sync.Mutex
	cond *sync.Cond
	at   int
	err  error // of the first that failed: nobody has a turn any more
}

func newTurns() *turns {
	t := &turns{}
	t.cond = sync.NewCond(&t.mu)
	return t
}

// take waits for turn k and reports whether there is one.
func (t *turns) take(k int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.at < k && t.err == nil {
		t.cond.Wait()
	}
	return t.err == nil
}

// end ends the turn that was taken.
func (t *turns) end(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.at++
	t.err = err
	t.cond.Broadcast()
}
