package store_test

import (
	"context"
	"fmt"
	"path"
	"strings"
	"testing"

	"pulse/store"
	"pulse/store/block"
	"pulse/store/disk"
	"pulse/store/disk/faulty"
	"pulse/store/match"
	"pulse/store/tags"
)

const (
	archStep  = 1000
	archBlock = block.Size * archStep
)

// archivist is a store whose sealed blocks go to files, fed with the same
// values every time.
type archivist struct {
	*store.Store
	t      testing.TB
	o      store.Options
	fs     disk.FS
	refs   []store.Ref
	source store.SourceID
	budget int64 // bytes on disk
	now    int64
}

// archOptions keeps all that a test sends.
var archOptions = store.Options{Step: archStep, Retention: 1000 * archBlock, NewSeriesRate: -1}

// newArchivist opens a store with n series, some of them sent in amounts, some
// gauges. fs is nil for a store without files. Without a budget the default
// holds.
func newArchivist(t testing.TB, o store.Options, fs disk.FS, n int, budget ...int64) *archivist {
	t.Helper()
	a, err := tryArchivist(t, o, fs, n, budget...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tryArchivist(t testing.TB, o store.Options, fs disk.FS, n int, budget ...int64) (*archivist, error) {
	t.Helper()
	a := &archivist{Store: open(t, o), t: t, o: o, fs: fs, now: start}
	if len(budget) > 0 {
		a.budget = budget[0]
	}
	if fs != nil {
		if err := a.AttachArchives(fs, a.budget); err != nil {
			return nil, err
		}
	}
	for i := range n {
		a.refs = append(a.refs, resolve(t, a.Store, start, archTags(i)))
	}
	a.source = a.Source("a", start)
	return a, nil
}

func archTags(i int) tags.Tags {
	return tags.Of("name", "m", "id", fmt.Sprint(i), "region", fmt.Sprint(i%3), "atlas.dstype", []string{"sum", "gauge", "counter"}[i%3])
}

// feed sends every series one value per step, with holes, for the given number
// of steps.
func (a *archivist) feed(steps int) {
	b := store.Batch{Source: a.source, Amount: true}
	for range steps {
		a.now += archStep
		b.Refs, b.Times, b.Values = b.Refs[:0], b.Times[:0], b.Values[:0]
		for i, ref := range a.refs {
			if (a.now/archStep+int64(i))%7 != 0 {
				b.Add(ref, a.now, float64((a.now/archStep*int64(i+3))%1000)/float64(1+i%4))
			}
		}
		b.Arrival = a.now
		a.Append(&b, a.now)
		a.Advance(a.now)
	}
}

// rest lets so much time pass that everything is sealed, and written if it can
// be.
func (a *archivist) rest() {
	a.now += 2 * archBlock
	for range 200 {
		a.Advance(a.now)
	}
	a.now += 10_000 // longer than writing rests after a failure
	a.Advance(a.now)
}

// reopen is the store after a restart.
func (a *archivist) reopen(fs disk.FS) *archivist {
	a.t.Helper()
	b := newArchivist(a.t, a.o, fs, len(a.refs))
	b.now = a.now
	b.Advance(b.now)
	return b
}

// answers are the lines of every kind of scan over all that was sent.
func (a *archivist) answers() [][]store.Line {
	a.t.Helper()
	var all [][]store.Line
	from, to := start-archBlock, start+20*archBlock
	for _, q := range []store.Scan{
		{Query: match.True},
		{Query: match.True, Agg: store.AggAll},
		{Query: match.True, By: []string{"region"}},
		{Query: named("m"), By: []string{"region"}, Agg: store.AggCount},
		{Query: match.True, Agg: store.AggMin},
		{Query: match.True, Agg: store.AggMax},
		{Query: match.True, Agg: store.AggSum, ZeroFill: true},
	} {
		q.Start, q.End = from, to
		all = append(all, scan(a.t, a.Store, q))
	}
	return all
}

// equal compares answers bit by bit.
func equal(t testing.TB, what string, got, want [][]store.Line) {
	t.Helper()
	for i := range want {
		if len(got[i]) != len(want[i]) {
			t.Fatalf("%s: scan %d has %d lines, want %d", what, i, len(got[i]), len(want[i]))
		}
		for k, line := range want[i] {
			if !same(got[i][k].Values, line.Values) {
				t.Fatalf("%s: scan %d, line %v differs", what, i, line.Tags)
			}
		}
	}
}

func list(t testing.TB, fs disk.FS, folder string) []string {
	t.Helper()
	names, err := fs.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

const archFolder = "archive/1000"

func realFolder(t testing.TB) (disk.FS, string) {
	t.Helper()
	dir := t.TempDir()
	fs, err := disk.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fs, dir
}

// The same values give the same bits, from memory, from files, and from files
// after a restart; and what is in files takes no memory.
func TestFilesAnswerAsMemory(t *testing.T) {
	folder, _ := realFolder(t)
	for name, fs := range map[string]disk.FS{"mapped": folder, "read": faulty.New(1)} {
		t.Run(name, func(t *testing.T) {
			memory, files := newArchivist(t, archOptions, nil, 200), newArchivist(t, archOptions, fs, 200)
			for _, a := range []*archivist{memory, files} {
				a.feed(5*block.Size + 17)
			}
			equal(t, "under way", files.answers(), memory.answers())
			for _, a := range []*archivist{memory, files} {
				a.rest()
			}
			want := memory.answers()
			equal(t, "at rest", files.answers(), want)
			if got := list(t, fs, archFolder); len(got) != 6 {
				t.Errorf("files %v, want one for each of 6 block times", got)
			}
			st := files.Stats()
			if st.ArenaBytes != 0 || st.Archive.Files != 6 || st.Archive.Waiting != 0 || st.Blocks != memory.Stats().Blocks {
				t.Errorf("stats %+v, memory has %+v", st, memory.Stats())
			}
			again := files.reopen(fs)
			equal(t, "after a restart", again.answers()[:6], want[:6])
			if got := list(t, fs, "."); len(got) != 1 {
				t.Errorf("folder %v", got)
			}
			if again.Stats().Archive.Written != 0 {
				t.Errorf("a restart wrote: %+v", again.Stats().Archive)
			}
		})
	}
}

// A watch reads a sealed step from a file as it did from memory.
func TestColumnOfAFile(t *testing.T) {
	fs, _ := realFolder(t)
	memory, files := newArchivist(t, archOptions, nil, 50), newArchivist(t, archOptions, fs, 50)
	spec := store.WatchSpec{Query: match.True, By: []string{"region"}}
	mw, fw := memory.Watch(spec), files.Watch(spec)
	for _, a := range []*archivist{memory, files} {
		a.feed(2 * block.Size)
		a.rest()
	}
	for at := start + archStep; at <= start+2*archBlock; at += 13 * archStep {
		if got, want := fw.Column(at, true, nil), mw.Column(at, true, nil); !same(got, want) {
			t.Fatalf("column at %d = %v, want %v", at, got, want)
		}
	}
}

// A block that is opened again, since the clock went back, is written again
// and replaces its file.
func TestReopenedBlockIsWrittenAgain(t *testing.T) {
	fs := faulty.New(1)
	memory, files := newArchivist(t, archOptions, nil, 30), newArchivist(t, archOptions, fs, 30)
	for _, a := range []*archivist{memory, files} {
		a.feed(3 * block.Size)
		a.rest()
		a.now = start + archBlock // back
		a.feed(block.Size / 2)
		a.rest()
	}
	want := memory.answers()
	equal(t, "at rest", files.answers(), want)
	names := list(t, fs, archFolder)
	if len(names) != 3 || !strings.HasSuffix(names[1], "-1.arc") {
		t.Errorf("files %v, want a second epoch of the middle one", names)
	}
	equal(t, "after a restart", files.reopen(fs).answers()[:6], want[:6])
}

// Files go when their values are older than the retention.
func TestExpiryRemovesFiles(t *testing.T) {
	fs := faulty.New(1)
	o := archOptions
	o.Retention = 3 * archBlock
	a := newArchivist(t, o, fs, 20)
	for n := range 12 {
		a.feed(block.Size)
		if got := len(list(t, fs, archFolder)); got > 4 {
			t.Fatalf("%d files after %d block times", got, n+1)
		}
	}
	if st := a.Stats(); st.Archive.Files != len(list(t, fs, archFolder)) || st.Archive.Files < 2 || st.Archive.Dropped != 0 {
		t.Errorf("stats %+v, files %v", st.Archive, list(t, fs, archFolder))
	}
	a.now += 10 * archBlock
	a.Advance(a.now)
	if got := list(t, fs, archFolder); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

// When the folder outgrows its budget the oldest files go, and are counted.
func TestDiskBudget(t *testing.T) {
	fs := faulty.New(1)
	a := newArchivist(t, archOptions, fs, 50)
	a.feed(2 * block.Size)
	a.rest()
	size := a.Stats().Archive.Bytes / int64(a.Stats().Archive.Files)

	fs = faulty.New(2)
	fs.Put("wal/0000000000000001.wal", make([]byte, size))
	o := archOptions
	budget := 4*size + size/2 // three files beside the log
	a = newArchivist(t, o, fs, 50, budget)
	a.feed(8 * block.Size)
	a.rest()
	st := a.Stats().Archive
	if st.Files != 3 || st.Dropped != 5 || st.Uncovered != 5 || st.Used > budget {
		t.Errorf("%+v", st)
	}
	values := one(t, a.Store, store.Scan{Query: match.True, Start: start, End: start + 8*archBlock})
	for i, v := range values {
		if (v == v) != (i >= 5*block.Size) {
			t.Fatalf("step %d reads %v", i, v)
		}
	}
	if got := list(t, fs, archFolder); len(got) != 3 {
		t.Errorf("files %v", got)
	}

	dropped := start + 5*archBlock
	line := store.ImportLine{Ref: a.refs[0], Times: []int64{dropped - archStep, dropped, dropped + archStep}, Values: []float64{1, 2, 3}}
	if r := imported(t, a.Store, a.now, line); r.Accepted != 1 || r.Rejected != 2 || !strings.Contains(r.Errors[0].Reason, "older than every tier") {
		t.Errorf("import of what the budget has no place for: %+v", r)
	}
}

func TestDefaultBudgetIsHalfOfWhatIsFree(t *testing.T) {
	fs := faulty.New(1)
	fs.SetSpace(1 << 20)
	a := newArchivist(t, archOptions, fs, 1)
	if got := a.Stats().Archive.Budget; got != 1<<19 {
		t.Errorf("budget %d of %d free", got, 1<<20)
	}
	a.feed(3 * block.Size)
	a.rest()
	if b := a.reopen(fs).Stats().Archive; b.Budget < 1<<19-1<<12 || b.Budget > 1<<19+1<<12 {
		t.Errorf("budget %d after a restart with %d bytes of files", b.Budget, b.Bytes)
	}
}

// What cannot be written stays in memory and is written later.
func TestWritingFails(t *testing.T) {
	for _, op := range []faulty.Op{faulty.OpCreate, faulty.OpWrite, faulty.OpSync, faulty.OpRename, faulty.OpSyncDir, faulty.OpMkdir} {
		t.Run(op.String(), func(t *testing.T) {
			fs := faulty.New(uint64(op))
			a := newArchivist(t, archOptions, fs, 40)
			fs.Inject(faulty.Fault{Op: op, Times: -1, Err: errDisk})
			a.feed(2 * block.Size)
			want := a.answers()
			a.rest()
			equal(t, "failing", a.answers()[:6], want[:6])
			st := a.Stats()
			if st.Archive.Files != 0 || st.Archive.Failures == 0 || st.Archive.Waiting != 2 || st.ArenaBytes == 0 {
				t.Errorf("while writing fails: %+v", st.Archive)
			}
			fs.Heal()
			a.rest()
			equal(t, "healed", a.answers()[:6], want[:6])
			st = a.Stats()
			if st.Archive.Files != 2 || st.Archive.Waiting != 0 || st.ArenaBytes != 0 {
				t.Errorf("afterwards: %+v", st.Archive)
			}
			for _, name := range list(t, fs, archFolder) {
				if path.Ext(name) != ".arc" {
					t.Errorf("left behind: %s", name)
				}
			}
			equal(t, "after a restart", a.reopen(fs).answers()[:6], want[:6])
		})
	}
}

var errDisk = fmt.Errorf("the disk fails")

// lines returns the values of every series, by id.
func (a *archivist) lines() map[string][]float64 {
	a.t.Helper()
	all, _, err := a.Scan(context.Background(), store.Scan{Query: match.True, Agg: store.AggAll, Start: start, End: start + 4*archBlock})
	if err != nil {
		a.t.Fatal(err)
	}
	byID := map[string][]float64{}
	for _, line := range all {
		id, _ := line.Tags.Get("id")
		byID[id] = line.Values
	}
	return byID
}

// absent reports whether there is no value in the given block time.
func absent(values []float64, n int) bool {
	for _, v := range values[n*block.Size : (n+1)*block.Size] {
		if v == v {
			return false
		}
	}
	return true
}

// Before a file is dropped that no coarser one covers yet, what it is to become
// is derived and written, so that nothing is lost but detail; and what a
// restart finds covers the same.
func TestDropDerivesEarly(t *testing.T) {
	const ratio, blocks = 40, 12
	o := archOptions
	o.Retention = 0
	o.Tiers = []store.Tier{{Step: archStep, Retention: 1000 * archBlock}, {Step: ratio * archStep, Retention: 4000 * archBlock}}
	free := newArchivist(t, o, faulty.New(1), 60)
	free.feed(blocks * block.Size)
	free.rest()
	size := free.Stats().Archive.Bytes / blocks
	fine := one(t, free.Store, store.Scan{Query: match.True, Start: start, End: start + blocks*archBlock})

	fs := faulty.New(2)
	a := newArchivist(t, o, fs, 60, 6*size)
	a.feed(blocks * block.Size)
	a.rest()
	check := func(what string, a *archivist) {
		t.Helper()
		tiers := a.Tiers()
		if tiers[0].From <= start || tiers[1].To < tiers[0].From {
			t.Errorf("%s: tiers %+v leave a gap", what, tiers)
		}
		if got := len(list(t, fs, "archive/40000")); got != 1 {
			t.Errorf("%s: %d files of the coarser tier", what, got)
		}
		// A new store takes series for written when they were made, which is at start.
		got := one(t, a.Store, store.Scan{Query: match.True, Tier: 1, Field: store.FieldSum, Start: start - ratio*archStep, End: tiers[0].From})
		for i, v := range got[1:] {
			want := 0.0
			for _, v := range fine[i*ratio : (i+1)*ratio] {
				want += v
			}
			if d := (v - want) / want; !(d < 1e-9 && d > -1e-9) {
				t.Fatalf("%s: coarse step %d reads %v, want %v", what, i, v, want)
			}
		}
	}
	check("dropped", a)
	st := a.Stats().Archive
	if st.Dropped == 0 || st.Uncovered != 0 || st.Used > 6*size {
		t.Errorf("%+v", st)
	}
	a = newArchivist(t, o, fs, 60, 6*size)
	a.now = start + (blocks+2)*archBlock
	a.Advance(a.now)
	check("after a restart", a)
}
