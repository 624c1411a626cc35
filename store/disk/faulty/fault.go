package faulty

import (
	"errors"
	"io/fs"
	"math"
	"runtime"
	"strings"
)

// Fault makes operations fail.
type Fault struct {
	Op    Op     // OpAny: any that changes something
	Name  string // part of the file's name; "" matches every file
	After int    // how many that match are let through before
	Times int    // how many fail; 0 means one, negative all
	// Err is the answer. A write that fails leaves a part of its bytes, others
	// their effect or not. Nil stands, for a write, for a short one without
	// an error, and for a read, for one flipped bit.
	Err error

	seen int
}

var (
	errShort = errors.New("short write")
	errFlip  = errors.New("flipped bit")
)

// Inject adds a fault.
func (f *FS) Inject(fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fault.Times == 0 {
		fault.Times = 1
	}
	f.faults = append(f.faults, &fault)
}

// Heal takes all faults away.
func (f *FS) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults = nil
}

// SetSpace limits the bytes of all files; negative means no limit.
func (f *FS) SetSpace(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n < 0 {
		n = math.MaxInt64
	}
	f.space = n
}

// CrashAt turns the power off in the middle of the counted operation n, 0 being
// the next that is called on a new FS.
func (f *FS) CrashAt(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashAt = n
}

// Trace calls fn, with a lock held, for every counted operation.
func (f *FS) Trace(fn func(op Op, name string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trace = fn
}

type skip struct {
	op      Op
	callers []string
}

// Skip takes operations away: a Sync or SyncDir on whose stack of calls each of
// the functions is found, by the end of its name, does nothing and answers that
// all is well.
func (f *FS) Skip(op Op, callers ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skips = append(f.skips, skip{op, callers})
}

// Delay puts the operations that Skip would take away off to the end of the
// next SyncDir: as if the caller had renamed first and synced then.
func (f *FS) Delay(op Op, callers ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delays = append(f.delays, skip{op, callers})
}

// Skipped returns how many operations were taken away or put off.
func (f *FS) Skipped() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.skipped
}

func (f *FS) skip(op Op) bool { return f.picked(f.skips, op) }

func (f *FS) late(op Op) bool { return f.picked(f.delays, op) }

func (f *FS) picked(list []skip, op Op) bool {
	for _, s := range list {
		if s.op != op {
			continue
		}
		all := true
		for _, name := range s.callers {
			all = all && onStack(name)
		}
		if all {
			f.skipped++
			return true
		}
	}
	return false
}

// syncPending carries out what was put off, each in one counted operation in
// which the power may fail.
func (f *FS) syncPending() {
	for _, n := range f.pending {
		if err, _ := f.begin(OpSync, "."); err == nil {
			n.sync()
		}
	}
	f.pending = nil
}

func onStack(name string) bool {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, name) {
			return true
		}
		if !more {
			return false
		}
	}
}

// begin counts an operation and says how it ends; had means that one which
// fails is to have its effect nevertheless.
func (f *FS) begin(op Op, name string) (err error, had bool) {
	if f.off {
		return ErrCrashed, false
	}
	if !fs.ValidPath(name) {
		return fs.ErrInvalid, false
	}
	if op >= OpWrite {
		if f.trace != nil {
			f.trace(op, name)
		}
		f.ops++
		if f.ops > f.crashAt {
			f.off = true
			return ErrCrashed, true
		}
	}
	for _, x := range f.faults {
		if x.Op != op && (x.Op != OpAny || op < OpWrite) || !strings.Contains(name, x.Name) {
			continue
		}
		x.seen++
		if x.seen <= x.After || x.Times >= 0 && x.seen > x.After+x.Times {
			continue
		}
		if x.Err != nil {
			return x.Err, f.rng.IntN(2) == 0
		}
		switch op {
		case OpWrite:
			return errShort, false
		case OpRead:
			return errFlip, false
		}
	}
	return nil, false
}
