package store

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/VictoriaMetrics/fastcache"

	"pulse/store/block"
	"pulse/store/field"
)

// columnCache keeps the lines of scans over whole sealed blocks. The key names
// the scan and, by their epochs, the very arenas that were read, so that nothing
// is ever taken out: what is replaced is not asked for any more.
type columnCache struct {
	lines        *fastcache.Cache
	seed         maphash.Seed
	series       int // selected series from which a scan is worth keeping
	members      int // and of them for each line
	closing      sync.RWMutex
	closed       bool // nothing is put into it any more; under closing
	hits, misses atomic.Int64
}

func newColumnCache(bytes int64) *columnCache {
	return &columnCache{lines: fastcache.New(int(bytes)), seed: maphash.MakeSeed(), series: 256, members: 4}
}

// bytes returns the memory of c, which lies outside the heap.
func (c *columnCache) bytes() int64 {
	if c == nil {
		return 0
	}
	var st fastcache.Stats
	c.lines.UpdateStats(&st)
	return int64(st.BytesSize)
}

// close gives the memory of c back to whoever makes a cache next: it lies outside
// the heap and does not go with c. Nothing is kept after that.
func (c *columnCache) close() {
	if c != nil {
		c.closing.Lock()
		defer c.closing.Unlock()
		c.closed = true
		c.lines.Reset()
	}
}

// CacheStats describes the cache of aggregated columns.
type CacheStats struct {
	Hits, Misses int64 // block times
	Bytes        int64
}

func (c *columnCache) stats() CacheStats {
	if c == nil {
		return CacheStats{}
	}
	return CacheStats{c.hits.Load(), c.misses.Load(), c.bytes()}
}

// cacheID names an entry: a digest of all that it depends on.
type cacheID = [sha256.Size]byte

// cachePiece is what an entry is cut into. fastcache gives up 64 KiB at once, those
// of the bucket that a new piece falls into.
const cachePiece = 4 << 10

// set puts an entry into the cache, with a hash of it at its end, unless c is closed.
// It may append to v.
func (c *columnCache) set(entry cacheID, v []byte) {
	c.closing.RLock()
	defer c.closing.RUnlock()
	if c.closed {
		return
	}
	v = binary.LittleEndian.AppendUint64(v, maphash.Bytes(c.seed, v))
	key := append(entry[:], 0, 0)
	for i := 0; i*cachePiece <= len(v); i++ {
		binary.LittleEndian.PutUint16(key[len(entry):], uint16(i))
		c.lines.Set(key, v[i*cachePiece:min(len(v), (i+1)*cachePiece)])
	}
}

// get puts an entry into dst, whose memory it uses again. It returns nil when a piece
// is not there any more, or is of another time: scans that differ in what has no
// values there write other bytes under the same name, perhaps at once.
func (c *columnCache) get(dst []byte, entry cacheID) []byte {
	dst = dst[:0]
	key := append(entry[:], 0, 0)
	for i := uint16(0); ; i++ {
		binary.LittleEndian.PutUint16(key[len(entry):], i)
		n, found := len(dst), false
		if dst, found = c.lines.HasGet(dst, key); !found {
			return nil
		}
		if len(dst)-n == cachePiece {
			continue
		}
		if end := len(dst) - 8; end >= 0 && binary.LittleEndian.Uint64(dst[end:]) == maphash.Bytes(c.seed, dst[:end]) {
			return dst[:end]
		}
		return nil
	}
}

const (
	cachedBytes  = 1 << 20        // most that the lines of one block time may take
	cachedBlocks = 1024           // most block times of a scan
	cachedSteps  = block.Size / 4 // fewest steps of a scan for which a whole block is read
)

// cacheable reports whether reading the lines of whole blocks from the cache
// takes less than reading the series.
func (r *run) cacheable() bool {
	c := r.store.cache
	return c != nil && r.Agg != AggAll && !r.ZeroFill && r.stats.Series >= max(c.series, c.members*r.count) &&
		r.count*block.Size*8 <= cachedBytes && r.steps/block.Size < cachedBlocks
}

// sealedBlock is a block time that every partition of a scan has sealed.
type sealedBlock struct {
	number int64
	open   bool     // it is not, or was when series were selected
	arenas []*arena // pinned, in the order of partitions
	key    []byte   // what was asked for, the number, and the epochs of the arenas
}

// span is steps in (start, end].
type span struct{ start, end int64 }

// readCached reads the blocks that are sealed from the cache, or puts them there,
// and returns the spans that are left to be read, in order of time.
func (r *run) readCached() ([]span, error) {
	if r.groups.names == nil {
		r.groups.fill(r.lines)
	}
	blocks := r.sealedBlocks()
	defer func() {
		for i := range blocks {
			(&pins{arenas: blocks[i].arenas}).drop()
		}
	}()
	var missed []*sealedBlock
	left, last := []span{}, r.Start
	var lines cachedLines
	for i := range blocks {
		b := &blocks[i]
		if b.open {
			continue
		}
		end := r.grid.end(b.number)
		start := end - block.Size*r.grid.step
		if len(b.arenas) > 0 && !lines.get(r, b) {
			r.store.cache.misses.Add(1)
			if from, to, _ := r.within(b); to-from < cachedSteps || start < r.pruned {
				continue
			}
			missed = append(missed, b)
		}
		if start > last {
			left = append(left, span{last, start})
		}
		last = min(end, r.End)
	}
	if last < r.End {
		left = append(left, span{last, r.End})
	}
	return left, r.fillCache(missed)
}

// sealedBlocks pins the arenas of all block times of the scan.
func (r *run) sealedBlocks() []sealedBlock {
	asked := sha256.Sum256(r.cacheKey())
	first, _ := r.grid.place(r.Start + r.grid.step)
	last, _ := r.grid.place(r.End)
	blocks := make([]sealedBlock, last-first+1)
	for i := range blocks {
		b := &blocks[i]
		b.number = first + int64(i)
		b.key = binary.LittleEndian.AppendUint64(slices.Clip(asked[:]), uint64(b.number))
	}
	for part := range r.parts {
		if len(r.parts[part].slots) == 0 {
			continue
		}
		p := &r.store.parts[part]
		p.mu.RLock()
		for i := range blocks {
			b := &blocks[i]
			a := p.arenaOf(r.Tier, b.number)
			if a != nil && a.lost() {
				a = nil
			}
			b.open = b.open || r.Tier == primary && p.openBlock(b.number) != nil || a != nil && (a.epoch == 0 || a.epoch > r.epoch)
			if a == nil {
				continue
			}
			a.hold.Retain()
			b.arenas = append(b.arenas, a)
			b.key = binary.LittleEndian.AppendUint64(b.key, a.epoch)
		}
		p.mu.RUnlock()
	}
	return blocks
}

// cacheKey returns the part of a key that says what was asked for. What was
// selected need not be in it: series that came later have no values in arenas
// that are older (newer ones are not read from here), and those that are gone have
// none in any.
func (r *run) cacheKey() []byte {
	key := binary.AppendUvarint([]byte{byte(r.Tier), byte(r.Field), byte(r.Agg)}, uint64(len(r.By)))
	for _, by := range r.By {
		key = append(append(key, by...), 0)
	}
	return append(append(key, r.Query.String()...), 0)
}

// fillCache reads blocks, some at once, and puts them into the cache.
func (r *run) fillCache(blocks []*sealedBlock) error {
	n := min(len(blocks), maxReaders, runtime.GOMAXPROCS(0))
	if r.stats.Datapoints < parallelFrom {
		n = min(n, 1)
	}
	if err := r.reserve(int64(n*len(r.lines)) * block.Size * 16); err != nil {
		return err
	}
	errs := make([]error, n)
	var wait sync.WaitGroup
	var next, read atomic.Int64
	for i := range n {
		wait.Go(func() {
			lines := cachedLines{}
			for errs[i] == nil {
				k := int(next.Add(1)) - 1
				if k >= len(blocks) {
					return
				}
				var count int64
				count, errs[i] = lines.read(r, blocks[k])
				read.Add(count)
			}
		})
	}
	wait.Wait()
	r.stats.Blocks += read.Load()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// cachedLines is memory for the lines of one block time: block.Size values of
// each, 8 bytes little-endian, after the number of lines and their names.
type cachedLines struct {
	bytes  []byte
	values []float64
}

// get copies the lines of b from the cache, and reports whether it has them.
func (c *cachedLines) get(r *run, b *sealedBlock) bool {
	src := r.store.cache.get(c.bytes, sha256.Sum256(b.key))
	if src == nil {
		return false
	}
	c.bytes = src
	n, size := binary.Uvarint(src)
	src = src[size:]
	to := make([]int, n)
	for i := range to {
		length, size := binary.Uvarint(src)
		name := src[size : size+int(length)]
		src = src[size+int(length):]
		to[i] = r.groups.line(name, i)
	}
	from, end, at := r.within(b)
	for _, line := range to {
		if line >= 0 {
			values := r.values[line*r.steps+at:][:end-from]
			for k := range values {
				values[k] = math.Float64frombits(binary.LittleEndian.Uint64(src[8*(from+k):]))
			}
		}
		src = src[8*block.Size:]
	}
	r.store.cache.hits.Add(1)
	r.stats.Cached++
	return true
}

// groupNames are the names of a run's groups in the cache, by line. No two groups
// have the same name.
type groupNames struct {
	names []string
	lines map[string]int // of names; made when lines have moved
}

func (g *groupNames) fill(lines []Line) {
	for i := range lines {
		g.names = append(g.names, string(lines[i].Tags.AppendKey(nil)))
	}
}

// line returns the line of a name, and -1 when nothing is left of it. It was the given
// one when the cache was filled.
func (g *groupNames) line(name []byte, was int) int {
	if was < len(g.names) && g.names[was] == string(name) {
		return was
	}
	if g.lines == nil {
		g.lines = make(map[string]int, len(g.names))
		for i, name := range g.names {
			g.lines[name] = i
		}
	}
	if i, found := g.lines[string(name)]; found {
		return i
	}
	return -1
}

// within returns the positions [from, end) of a block that are in the scan, and
// where their values begin in a line.
func (r *run) within(b *sealedBlock) (from, end, at int) {
	from, end = r.grid.overlap(b.number, r.Start, r.End)
	return from, end, r.index(r.grid.stamp(b.number, from))
}

// read reads the lines of b from its arenas, puts them into the cache and copies
// what is in the scan. It returns how many blocks it read.
func (c *cachedLines) read(r *run, b *sealedBlock) (int64, error) {
	c.values = slices.Grow(c.values[:0], len(r.lines)*block.Size)[:len(r.lines)*block.Size]
	fillNaN(c.values)
	end := r.grid.end(b.number)
	whole := *r
	whole.Start, whole.End, whole.steps, whole.values = end-block.Size*r.grid.step, end, block.Size, c.values
	rd := whole.reader(whole.Start, end)
	rd.pins.arenas = b.arenas
	err := rd.pins.read(func() error {
		for _, a := range b.arenas {
			rd.strips = rd.strips[:0]
			rd.addArena(a)
			if err := rd.sweep(&r.parts[a.part]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return rd.blocks, err
	}
	from, to, at := r.within(b)
	c.bytes = binary.AppendUvarint(c.bytes[:0], uint64(len(r.lines)))
	for i := range r.lines {
		c.bytes = field.AppendText(c.bytes, r.groups.names[i])
		copy(r.values[i*r.steps+at:][:to-from], c.values[i*block.Size+from:])
	}
	for _, v := range c.values {
		c.bytes = binary.LittleEndian.AppendUint64(c.bytes, math.Float64bits(v))
	}
	r.store.cache.set(sha256.Sum256(b.key), c.bytes)
	return rd.blocks, nil
}
