package expr

import "math"

// foldKind is a NaN-ignoring function under which NaN changes nothing.
type foldKind uint8

const (
	foldSum foldKind = iota
	foldMin
	foldMax
)

func (k foldKind) of(a, b float64) float64 {
	switch k {
	case foldMin:
		return MinNaN(a, b)
	case foldMax:
		return MaxNaN(a, b)
	}
	return AddNaN(a, b)
}

// window folds the last n values in constant time per value on average.
//
// Time is cut into blocks of n values. The ring holds the current block's
// values as they came and, behind them, the block before as folds of its ends:
//
//	ring: | v0 v1 .. v(pos-1) | fold(u[pos:]) fold(u[pos+1:]) .. u[n-1] |
//	back: fold of v0 .. v(pos-1)
//
// so the fold of the window is that of back and ring[pos]. Nothing is ever
// subtracted, and no rounding error outlives its values by more than a block.
type window struct {
	kind foldKind
	ring []float64
	pos  int
	back float64
}

func newWindow(n int, kind foldKind) window {
	w := window{kind: kind, ring: make([]float64, n)}
	w.reset()
	return w
}

func (w *window) reset() {
	fillNaN(w.ring)
	w.pos, w.back = 0, math.NaN()
}

// phase places the beginning of blocks as if k values had come before. Windows
// with the same phase at the same time fold in the same order.
func (w *window) phase(k int64) {
	if n := int64(len(w.ring)); k > 0 {
		w.pos = int((k-1)%n) + 1
	}
}

// push adds a value, drops the one n before, and returns the fold.
func (w *window) push(v float64) float64 {
	n := len(w.ring)
	if w.pos == n {
		for i := n - 2; i >= 0; i-- {
			w.ring[i] = w.kind.of(w.ring[i], w.ring[i+1])
		}
		w.pos, w.back = 0, math.NaN()
	}
	w.ring[w.pos] = v
	w.back = w.kind.of(w.back, v)
	w.pos++
	if w.pos < n {
		return w.kind.of(w.ring[w.pos], w.back)
	}
	return w.back
}

// peek returns what push would return.
func (w *window) peek(v float64) float64 {
	n := len(w.ring)
	if w.pos < n {
		back := w.kind.of(w.back, v)
		if w.pos+1 < n {
			return w.kind.of(w.ring[w.pos+1], back)
		}
		return back
	}
	back := w.kind.of(math.NaN(), v)
	if n == 1 {
		return back
	}
	rest := w.ring[n-1]
	for i := n - 2; i >= 1; i-- {
		rest = w.kind.of(w.ring[i], rest)
	}
	return w.kind.of(rest, back)
}

// skip pushes k NaN.
func (w *window) skip(k int64) {
	n := int64(len(w.ring))
	if k >= 2*n {
		at := int64(w.pos) + k
		w.reset()
		w.phase(at)
		return
	}
	for range k {
		w.push(math.NaN())
	}
}

func (w *window) empty() bool {
	for _, v := range w.ring[w.pos:] {
		if !math.IsNaN(v) {
			return false
		}
	}
	return math.IsNaN(w.back)
}

func (w *window) appendState(dst []byte) []byte {
	dst = appendInts(dst, int64(w.pos))
	return appendFloats(appendFloats(dst, w.back), w.ring...)
}

func (w *window) restore(src []byte) ([]byte, error) {
	var pos int64
	src, err := readInts(src, &pos)
	if err != nil || pos < 0 || pos > int64(len(w.ring)) || len(src) < 8*(1+len(w.ring)) {
		return nil, errState
	}
	w.pos = int(pos)
	src, _ = readFloats(src, &w.back)
	for i := range w.ring {
		src, _ = readFloats(src, &w.ring[i])
	}
	return src, nil
}

// rolling is the fold of the last n values; NaN when there is none.
type rolling struct{ window }

func (r *rolling) Next(v float64) float64             { return r.push(v) }
func (r *rolling) Peek(v float64) float64             { return r.peek(v) }
func (r *rolling) Skip(n int64)                       { r.skip(n) }
func (r *rolling) Reset()                             { r.reset() }
func (r *rolling) IsEmpty() bool                      { return r.empty() }
func (r *rolling) AppendState(dst []byte) []byte      { return r.appendState(dst) }
func (r *rolling) Restore(src []byte) ([]byte, error) { return r.restore(src) }

// rollingCount is the number of true values among the last n; never NaN.
type rollingCount struct{ window }

func (r *rollingCount) Next(v float64) float64 { return zeroForNone(r.push(oneIfTrue(v))) }
func (r *rollingCount) Peek(v float64) float64 { return zeroForNone(r.peek(oneIfTrue(v))) }

func oneIfTrue(v float64) float64 {
	if !Truth(v) {
		return math.NaN()
	}
	return 1
}

func zeroForNone(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return v
}

func (r *rollingCount) Skip(n int64)                       { r.skip(n) }
func (r *rollingCount) Reset()                             { r.reset() }
func (r *rollingCount) IsEmpty() bool                      { return r.empty() }
func (r *rollingCount) AppendState(dst []byte) []byte      { return r.appendState(dst) }
func (r *rollingCount) Restore(src []byte) ([]byte, error) { return r.restore(src) }

// rollingMean is the mean of the values present among the last n, NaN when
// there are fewer than least.
type rollingMean struct {
	sum, count window
	least      float64
}

func newRollingMean(n int, least float64) *rollingMean {
	return &rollingMean{sum: newWindow(n, foldSum), count: newWindow(n, foldSum), least: least}
}

func (r *rollingMean) Next(v float64) float64 {
	return r.mean(r.sum.push(v), r.count.push(oneIfPresent(v)))
}

func (r *rollingMean) Peek(v float64) float64 {
	return r.mean(r.sum.peek(v), r.count.peek(oneIfPresent(v)))
}

func (r *rollingMean) mean(sum, n float64) float64 {
	if !(n >= r.least) {
		return math.NaN()
	}
	return sum / n
}

func oneIfPresent(v float64) float64 {
	if math.IsNaN(v) {
		return v
	}
	return 1
}

func (r *rollingMean) Skip(n int64) {
	r.sum.skip(n)
	r.count.skip(n)
}

func (r *rollingMean) Reset() {
	r.sum.reset()
	r.count.reset()
}

func (r *rollingMean) phase(k int64) {
	r.sum.phase(k)
	r.count.phase(k)
}

func (r *rollingMean) IsEmpty() bool { return r.sum.empty() && r.count.empty() }
func (r *rollingMean) AppendState(dst []byte) []byte {
	return r.count.appendState(r.sum.appendState(dst))
}

func (r *rollingMean) Restore(src []byte) ([]byte, error) {
	src, err := r.sum.restore(src)
	if err != nil {
		return nil, err
	}
	return r.count.restore(src)
}

// trend is the moving average over n values with a missing one counting as
// zero. It is NaN until n values came and while all n are NaN.
type trend struct {
	sum  window
	seen int64
}

func (t *trend) Next(v float64) float64 {
	n := int64(len(t.sum.ring))
	t.seen = min(t.seen+1, n)
	sum := t.sum.push(v)
	if t.seen < n {
		return math.NaN()
	}
	return sum / float64(n)
}

func (t *trend) Peek(v float64) float64 {
	n := int64(len(t.sum.ring))
	if t.seen+1 < n {
		return math.NaN()
	}
	return t.sum.peek(v) / float64(n)
}

func (t *trend) Skip(k int64) {
	t.seen = min(t.seen+k, int64(len(t.sum.ring)))
	t.sum.skip(k)
}

func (t *trend) Reset() {
	t.sum.reset()
	t.seen = 0
}

func (t *trend) phase(k int64) { t.sum.phase(k) }

func (t *trend) IsEmpty() bool { return t.sum.empty() }
func (t *trend) AppendState(dst []byte) []byte {
	return t.sum.appendState(appendInts(dst, t.seen))
}

func (t *trend) Restore(src []byte) ([]byte, error) {
	src, err := readInts(src, &t.seen)
	if err != nil {
		return nil, err
	}
	return t.sum.restore(src)
}

// delay answers with the value n steps before.
type delay struct {
	ring []float64
	pos  int
}

func newDelay(n int) *delay {
	d := &delay{ring: make([]float64, n)}
	d.Reset()
	return d
}

func (d *delay) Next(v float64) float64 {
	out := d.ring[d.pos]
	d.ring[d.pos] = v
	if d.pos++; d.pos == len(d.ring) {
		d.pos = 0
	}
	return out
}

func (d *delay) Peek(float64) float64 { return d.ring[d.pos] }

func (d *delay) Skip(n int64) {
	for range min(n, int64(len(d.ring))) {
		d.Next(math.NaN())
	}
}

func (d *delay) Reset() {
	fillNaN(d.ring)
	d.pos = 0
}

func (d *delay) IsEmpty() bool {
	for _, v := range d.ring {
		if !math.IsNaN(v) {
			return false
		}
	}
	return true
}

func (d *delay) AppendState(dst []byte) []byte {
	return appendFloats(appendInts(dst, int64(d.pos)), d.ring...)
}

func (d *delay) Restore(src []byte) ([]byte, error) {
	var pos int64
	src, err := readInts(src, &pos)
	if err != nil || pos < 0 || pos >= int64(len(d.ring)) || len(src) < 8*len(d.ring) {
		return nil, errState
	}
	d.pos = int(pos)
	for i := range d.ring {
		src, _ = readFloats(src, &d.ring[i])
	}
	return src, nil
}
