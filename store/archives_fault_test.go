package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/block"
	"pulse/store/disk/faulty"
	"pulse/store/match"
)

// archived returns a folder with the files of three block times, and the values
// of each series.
func archived(t *testing.T, n int) (*faulty.FS, *archivist, map[string][]float64) {
	t.Helper()
	fs := faulty.New(1)
	a := newArchivist(t, archOptions, fs, n)
	a.feed(3 * block.Size)
	a.rest()
	return fs, a, a.lines()
}

// compareLost checks that every series has its own values, except that it may
// lack the second block time altogether, and returns how many do.
func compareLost(t testing.TB, what string, got, want map[string][]float64) (lost int) {
	t.Helper()
	for id, values := range want {
		switch {
		case same(got[id], values):
		case absent(got[id], 1) && same(got[id][:block.Size], values[:block.Size]) && same(got[id][2*block.Size:], values[2*block.Size:]):
			lost++
		default:
			t.Fatalf("%s: series %s reads something else", what, id)
		}
	}
	return lost
}

// A byte that changed on the disk costs the blocks of one partition, or of one
// block time when it is in what describes the file. The file is kept, what is
// sound in it is written again, and nothing of it is found damaged twice.
func TestDamageOfEachSection(t *testing.T) {
	fs, _, want := archived(t, 300)
	name := archFolder + "/" + list(t, fs, archFolder)[1]
	whole := fs.Content(name)
	directory := binary.LittleEndian.Uint64(whole[len(whole)-48:])
	places := map[string]int{
		"header": 3, "version": 8, "head": 64 + 40, "head applied": 64 + 32 + 5*32 + 3,
		"directory": int(directory) + 30, "trailer": len(whole) - 40, "end": len(whole) - 1,
	}
	for i := range 65 { // sections; the first is the head
		entry := whole[int(directory)+24*i:]
		offset, length := binary.LittleEndian.Uint64(entry[8:]), binary.LittleEndian.Uint64(entry[16:])
		if i%8 == 1 && (i < 8 || !testkit.Race) {
			places[fmt.Sprintf("section %d, words", i)] = int(offset) + 5
			places[fmt.Sprintf("section %d, data", i)] = int(offset + length - 1)
		}
	}
	for what, at := range places {
		t.Run(what, func(t *testing.T) {
			fs, a, _ := archived(t, 300)
			fs.Flip(name, int64(at)*8+3)
			a = a.reopen(fs)
			got := a.lines()
			lost := compareLost(t, "damaged", got, want)
			if whole := !strings.HasPrefix(what, "section"); whole != (lost == len(want)) || lost == 0 {
				t.Errorf("%d of %d series lost blocks", lost, len(want))
			}
			a.Advance(a.now)
			st := a.Stats().Archive
			if st.Quarantined != 1 || st.Waiting != 0 {
				t.Errorf("%+v", st)
			}
			if q := list(t, fs, "quarantine"); len(q) != 2 {
				t.Errorf("quarantine holds %v", q)
			} else if kept := fs.Content("quarantine/" + q[0]); len(kept) != len(whole) {
				t.Errorf("%d bytes kept of %d", len(kept), len(whole))
			}
			again := a.reopen(fs)
			if n := compareLost(t, "after a restart", again.lines(), want); n != lost {
				t.Errorf("%d series lost blocks, after a restart %d", lost, n)
			}
			if st := again.Stats().Archive; st.Quarantined != 0 || st.Written != 0 {
				t.Errorf("after a restart %+v", st)
			}
		})
	}
}

// A scan that finds damage answers without it, not with a part of it: its sum
// is that of the other partitions and block times.
func TestScanOfDamageIsWhole(t *testing.T) {
	for _, zero := range []bool{false, true} {
		fs, a, _ := archived(t, 300)
		name := archFolder + "/" + list(t, fs, archFolder)[1]
		size := int64(len(fs.Content(name)))
		fs.Flip(name, 8*size/2)
		a = a.reopen(fs)
		q := store.Scan{Query: match.True, Start: start, End: start + 3*archBlock, ZeroFill: zero}
		first := one(t, a.Store, q)
		sums := make([]float64, len(first))
		for i := range sums {
			sums[i] = nan
		}
		q.Agg = store.AggAll
		for _, line := range scan(t, a.Store, q) {
			for i, v := range line.Values {
				if v == v && sums[i] != sums[i] {
					sums[i] = 0
				}
				if v == v {
					sums[i] += v
				}
			}
		}
		for i, v := range sums {
			if d := v - first[i]; (v == v) != (first[i] == first[i]) || d > 1e-6 || d < -1e-6 {
				t.Fatalf("zero filling %v: step %d sums to %v, its series to %v", zero, i, first[i], v)
			}
		}
	}
}

// What was lost is no zero, however its senders reported: not for the scan or
// the column that finds the damage, nor later, nor after a restart.
func TestLostIsNotZero(t *testing.T) {
	for _, where := range []string{"part", "whole"} {
		t.Run(where, func(t *testing.T) {
			fs, a, _ := archived(t, 300)
			name := archFolder + "/" + list(t, fs, archFolder)[1]
			q := store.Scan{Query: match.True, Agg: store.AggAll, Start: start, End: start + 3*archBlock, ZeroFill: true}
			w := a.Watch(store.WatchSpec{Query: match.True, Agg: store.AggAll})
			defer w.Close()
			want, lost := scan(t, a.Store, q), map[string]bool{}
			size := int64(len(fs.Content(name)))
			fs.Flip(name, 8*map[string]int64{"part": size / 2, "whole": 70}[where])
			found := a.reopenWith(fs) // its files are read again
			count := 0
			check := func(what string, zero, plain []store.Line) {
				t.Helper()
				for i, line := range plain {
					id, _ := line.Tags.Get("id")
					if absent(line.Values, 1) {
						lost[id] = true
					}
					for k, v := range zero[i].Values {
						switch in := k/block.Size == 1 && lost[id]; {
						case in && v == v:
							t.Fatalf("%s: step %d of series %s, which was lost, reads %v", what, k, id, v)
						case !in && v != want[i].Values[k] && want[i].Values[k] == want[i].Values[k]:
							t.Fatalf("%s: step %d of series %s reads %v, want %v", what, k, id, v, want[i].Values[k])
						}
					}
				}
				count = len(lost)
			}
			plain := q
			plain.ZeroFill = false
			zero := scan(t, found.Store, q) // finds the damage
			check("found", zero, scan(t, found.Store, plain))
			found.Advance(found.now)
			check("tended", scan(t, found.Store, q), scan(t, found.Store, plain))
			again := found.reopenWith(fs)
			check("after a restart", scan(t, again.Store, q), scan(t, again.Store, plain))
			if count == 0 || (count == len(want)) != (where == "whole") {
				t.Errorf("%d of %d series lost blocks", count, len(want))
			}
			gw := again.Watch(store.WatchSpec{Query: match.True, Agg: store.AggAll})
			defer gw.Close()
			column := gw.Column(start+archBlock+3*archStep, true, nil)
			for i, g := range gw.Groups() {
				id, _ := g.Tags.Get("id")
				if lost[id] && column[i] == column[i] {
					t.Errorf("column: series %s reads %v", id, column[i])
				}
			}
		})
	}
}

// reopenWith is reopen, with the reports of the source, which no file has, sent
// once more.
func (a *archivist) reopenWith(fs *faulty.FS) *archivist {
	b := newArchivist(a.t, a.o, nil, len(a.refs))
	b.feed(3 * block.Size)
	b.Forget()
	if err := b.AttachArchives(fs, 0); err != nil {
		a.t.Fatal(err)
	}
	b.fs, b.now = fs, a.now
	return b
}

// A file that is cut short while it is mapped faults where it is read. The
// blocks are absent then, and the store goes on.
func TestTruncatedMapping(t *testing.T) {
	if _, err := os.Stat("/proc/self/maps"); err != nil {
		t.Skip("faults of mappings are tested on Linux")
	}
	for _, checked := range []bool{false, true} {
		t.Run(fmt.Sprintf("checked=%v", checked), func(t *testing.T) {
			fs, dir := realFolder(t)
			a := newArchivist(t, archOptions, fs, 1000)
			a.feed(3 * block.Size)
			a.rest()
			a = a.reopen(fs)
			w := a.Watch(store.WatchSpec{Query: match.True})
			var want map[string][]float64
			if checked {
				want = a.lines() // all checksums are compared by now
			} else {
				want = newTwin(t, a).lines()
			}
			name := list(t, fs, archFolder)[1]
			if err := os.Truncate(filepath.Join(dir, archFolder, name), 8192); err != nil {
				t.Fatal(err)
			}
			sum := one(t, a.Store, store.Scan{Query: match.True, Start: start, End: start + 3*archBlock})
			lost := compareLost(t, "truncated", a.lines(), want)
			if lost == 0 {
				t.Error("nothing was lost")
			}
			if sum[0] != sum[0] || sum[3*block.Size-1] != sum[3*block.Size-1] {
				t.Error("other block times are gone")
			}
			if got := w.Column(start+archBlock+5*archStep, false, nil); lost == len(want) && got[0] == got[0] {
				t.Errorf("column reads %v", got)
			}
			a.Advance(a.now)
			if st := a.Stats().Archive; st.Quarantined != 1 {
				t.Errorf("%+v", st)
			}
			if q := list(t, fs, "quarantine"); len(q) != 2 {
				t.Errorf("quarantine holds %v", q)
			}
			if n := compareLost(t, "after a restart", a.reopen(fs).lines(), want); n != lost {
				t.Errorf("%d series lost blocks, after a restart %d", lost, n)
			}
		})
	}
}

// newTwin is a store in memory with the values of a.
func newTwin(t testing.TB, a *archivist) *archivist {
	b := newArchivist(t, a.o, nil, len(a.refs))
	b.feed(3 * block.Size)
	b.rest()
	return b
}

// Wherever the power fails, every file that is there afterwards is whole, or is
// one that was not finished and is not looked at: no value is wrong, and those
// that were in a file once stay.
func TestCrashWhileWriting(t *testing.T) {
	rig, stride := crashRig(t), 1
	if testing.Short() {
		stride = 5
	}
	for at := 0; at < rig.ops; at += stride {
		rig.crash(t, at, nil)
	}
}

// The rig notices when a sync is missing.
func TestCrashRigNotices(t *testing.T) {
	rig := crashRig(t)
	for _, skip := range []faulty.Op{faulty.OpSync, faulty.OpSyncDir} {
		noticed := false
		for at := 0; at < 3*rig.ops && !noticed; at++ {
			noticed = !rig.crash(&silent{TB: t}, at, func(fs *faulty.FS) { fs.Skip(skip, "WriteBlocks") })
		}
		if !noticed {
			t.Errorf("without %v nothing is amiss", skip)
		}
	}
}

// silent takes note of failures.
type silent struct {
	testing.TB
	failed bool
}

func (s *silent) Errorf(string, ...any)             { s.failed = true }
func (s *silent) Fatalf(format string, args ...any) { s.failed = true; panic(s) }
func (s *silent) Helper()                           {}

// archiveRig runs one history of a store with files and crashes it.
type archiveRig struct {
	first, last map[string][]float64 // before the clock went back, and after
	ops         int
}

func crashRig(t *testing.T) *archiveRig {
	fs := faulty.New(9)
	r := &archiveRig{}
	a, written := r.run(t, fs)
	r.ops = fs.Ops()
	r.last = a.lines()
	if len(written) == 0 || r.ops < 20 {
		t.Fatalf("%d operations, %d files", r.ops, len(written))
	}
	return r
}

// run sends three block times, goes back to the second, and returns the files
// that were there at the end of some Advance.
func (r *archiveRig) run(t testing.TB, fs *faulty.FS) (*archivist, map[string]bool) {
	seen := map[string]bool{}
	a, err := tryArchivist(t, archOptions, fs, 70)
	if err != nil {
		return nil, seen
	}
	note := func() {
		names, err := fs.List(archFolder)
		if err != nil {
			return
		}
		clear(seen)
		for _, name := range names {
			seen[name] = true
		}
	}
	for n := range 3 {
		a.feed(block.Size)
		if n == 2 {
			a.rest()
		}
		note()
	}
	if r.first == nil {
		r.first = a.lines()
	}
	a.now = start + archBlock
	a.feed(1) // the block is opened and written again
	a.rest()
	note()
	return a, seen
}

// crash runs the history up to a crash at an operation and checks what is found
// afterwards. It reports whether all is well.
func (r *archiveRig) crash(t testing.TB, at int, prepare func(*faulty.FS)) (well bool) {
	if s, ok := t.(*silent); ok {
		defer func() {
			if v := recover(); v != nil && v != any(s) {
				panic(v)
			}
			well = !s.failed
		}()
	}
	fs := faulty.New(uint64(at) + 100)
	if prepare != nil {
		prepare(fs)
	}
	fs.CrashAt(at % r.ops)
	_, seen := r.run(t, fs)
	after := fs.Crash(uint64(at))
	b, err := tryArchivist(t, archOptions, after, 70)
	if err != nil {
		t.Fatalf("crash at %d: open: %v", at, err)
	}
	b.now = start + 6*archBlock
	b.Advance(b.now)
	got := b.lines()
	for id, values := range got {
		for n := range 3 {
			from, to := n*block.Size, (n+1)*block.Size
			if !absent(values, n) && !same(values[from:to], r.first[id][from:to]) && !same(values[from:to], r.last[id][from:to]) {
				t.Fatalf("crash at %d: series %s reads something else in block %d", at, id, n)
			}
		}
	}
	if st := b.Stats().Archive; st.Quarantined != 0 {
		t.Errorf("crash at %d: %+v", at, st)
	}
	for name := range seen { // of its block time there must be a file
		number, _, _ := strings.Cut(name, "-")
		found := false
		for _, there := range list(t, after, archFolder) {
			if strings.HasSuffix(there, ".tmp") {
				t.Errorf("crash at %d: %s is left", at, there)
			}
			found = found || strings.HasPrefix(there, number+"-")
		}
		if !found {
			t.Errorf("crash at %d: no file for block %s", at, number)
		}
	}
	return true
}

// Readers hold what they read while files are written, replaced, dropped and
// expire.
func TestReadersHoldFiles(t *testing.T) {
	fs, _ := realFolder(t)
	o := archOptions
	o.Retention = 4 * archBlock
	a := newArchivist(t, o, fs, 200, 300<<10)
	a.StartArchives()
	defer a.StopArchives()
	w := a.Watch(store.WatchSpec{Query: match.True, By: []string{"region"}})
	defer w.Close()
	a.feed(1)
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for i := range 3 {
		wait.Go(func() {
			var column []float64
			for ctx.Err() == nil {
				q := store.Scan{Query: match.True, Start: start, End: start + 8*archBlock, ZeroFill: i == 1}
				if i == 2 {
					q.Agg = store.AggAll
				}
				if _, _, err := a.Scan(ctx, q); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				for n := range int64(8) {
					column = w.Column(start+n*archBlock+archStep, true, column)
				}
			}
		})
	}
	for n := range 7 {
		a.feed(block.Size)
		if n == 4 { // back, so that blocks are opened again while they are read
			a.now -= 2 * archBlock
		}
	}
	cancel()
	wait.Wait()
	if st := a.Stats().Archive; st.Written == 0 || st.Quarantined != 0 {
		t.Errorf("%+v", st)
	}
}

// What was imported into a block that turns out to be damaged stays, when the
// file goes and after a restart.
func TestPatchesOfADamagedFileStay(t *testing.T) {
	fs, a, _ := archived(t, 300)
	name := archFolder + "/" + list(t, fs, archFolder)[1]
	fs.Flip(name, 8*int64(len(fs.Content(name)))/2)
	a = a.reopen(fs)
	at := start + archBlock + 17*archStep
	var lines []store.ImportLine
	for i, ref := range a.refs {
		lines = append(lines, store.ImportLine{Ref: ref, Times: []int64{at}, Values: []float64{float64(i)}})
	}
	if r := imported(t, a.Store, a.now, lines...); r.Accepted != len(lines) {
		t.Fatalf("%+v", r)
	}
	check := func(when string, a *archivist) {
		t.Helper()
		for id, values := range a.lines() {
			if got := fmt.Sprint(values[(at-start)/archStep-1]); got != id {
				t.Fatalf("%s: series %s reads %s", when, id, got)
			}
		}
	}
	a.Advance(a.now)
	if st := a.Stats().Archive; st.Quarantined != 1 || st.LostBlocks == 0 {
		t.Errorf("%+v", st)
	}
	check("tended", a)
	a.rest()
	check("written", a)
	if st := a.Stats(); st.ArenaBytes != 0 || st.Archive.Waiting != 0 {
		t.Errorf("%+v", st)
	}
	check("after a restart", a.reopen(fs))
}
