package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"pulse/ingest"
	"pulse/store"
	"pulse/store/clock"
	"pulse/store/disk"
	"pulse/store/disk/faulty"
	"pulse/store/match"
)

// process is a pipeline over a store in a data folder, as one process has them.
type process struct {
	*ingest.Pipeline
	store *store.Store
	clock *clock.Manual
}

// boot opens the folder and reads what is in it.
func boot(t testing.TB, fs disk.FS) *process {
	t.Helper()
	p := &process{clock: clock.NewManual(time.UnixMilli(now))}
	st, err := store.Open(store.Options{}, store.Durable{FS: fs, Mode: store.Sync, Clock: p.clock, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	p.store, p.Pipeline = st, ingest.New(st, ingest.Options{})
	st.OnSnapshot(store.SnapshotHooks{Notes: p.AppendNotes, Restore: func(src []byte) {
		if err := p.RestoreNotes(src); err != nil {
			t.Error(err)
		}
	}})
	if a := p.Count("early", nil, 1, keyed("early"), now); a.Status != 503 || a.Uncertain {
		t.Errorf("before the store is ready: %+v", a)
	}
	if _, err := st.Replay(context.Background(), store.Hooks{Note: p.Remember}); err != nil {
		t.Fatal(err)
	}
	return p
}

// counted returns how much was counted in all.
func (p *process) counted(t testing.TB) float64 {
	t.Helper()
	lines, _, err := p.store.Scan(context.Background(), store.Scan{Query: match.True, Agg: store.AggSum, Start: now - 60_000, End: now + 60_000})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, l := range lines {
		for _, v := range l.Values {
			if v == v {
				sum += v * 10
			}
		}
	}
	return math.Round(sum*1e6) / 1e6
}

// TestKeyIsExactlyOnce turns the power off at every operation on the disk, and
// lets the clients send again what they have no answer for, and some of what
// they have: everything is counted once.
func TestKeyIsExactlyOnce(t *testing.T) {
	const requests = 12
	send := func(p *process, i int) ingest.Answer {
		return p.Count(fmt.Sprint("count-", i%3), nil, 1, keyed(fmt.Sprint(i)), now+int64(i))
	}
	work := func(p *process) (answered int) {
		for i := range requests {
			switch a := send(p, i); {
			case a.Status == 200 && !a.Repeated:
				answered++
			case a.Uncertain || a.Status == 503 || a.Status == 507:
				return answered
			default:
				t.Fatalf("request %d: %+v", i, a)
			}
			if i == 4 || i == 8 {
				_ = p.store.Snapshot(context.Background())
			}
		}
		return answered
	}
	whole := faulty.New(1)
	p := boot(t, whole)
	booted := whole.Ops()
	if n := work(p); n != requests {
		t.Fatalf("%d of %d requests", n, requests)
	}
	last := whole.Ops()
	_ = p.store.Close()
	lost := 0
	for at := booted; at <= last; at++ {
		fs := faulty.New(uint64(at))
		p := boot(t, fs)
		fs.CrashAt(at)
		answered := work(p)
		after := fs.Crash(uint64(at))
		_ = p.store.Close()

		p = boot(t, after)
		if got := p.counted(t); got < float64(answered) || got > float64(answered)+1 {
			t.Errorf("power off at %d: %v counted of %d answered", at, got, answered)
		}
		for i := range requests {
			a := send(p, i)
			if a.Status != 200 || i < answered && !a.Repeated {
				t.Fatalf("power off at %d, request %d of %d answered: %+v", at, i, answered, a)
			}
			if i == answered && !a.Repeated {
				lost++
			}
		}
		if got := p.counted(t); got != requests {
			t.Errorf("power off at %d: %v counted, want %d", at, got, requests)
		}
		if err := p.store.Close(); err != nil {
			t.Errorf("power off at %d: %v", at, err)
		}
	}
	if lost == 0 || lost == last-booted+1 {
		t.Errorf("of %d unanswered requests %d were lost: the test tests nothing", last-booted+1, lost)
	}
}

// TestDiskFails: what a failing disk means for answers, counts and repetitions.
func TestDiskFails(t *testing.T) { synctest.Test(t, diskFails) }

func diskFails(t *testing.T) {
	fs := faulty.New(7)
	p := boot(t, fs)
	send := func(key string) ingest.Answer { return p.Count("one", nil, 1, keyed(key), now) }
	if a := send("a"); a.Status != 200 {
		t.Fatalf("%+v", a)
	}

	fs.SetSpace(0)
	for range 2 {
		if a := send("b"); a.Status != 507 || a.Uncertain || !strings.Contains(a.Message, "full") {
			t.Errorf("full disk: %+v", a)
		}
	}
	if a := send("a"); !a.Repeated {
		t.Errorf("what is known is known on a full disk: %+v", a)
	}
	fs.SetSpace(-1)
	p.clock.Advance(time.Minute)
	if a := send("b"); a.Status != 200 || a.Repeated {
		t.Errorf("with space again: %+v", a)
	}

	// A sync that fails, and no file to write the same to.
	fs.Inject(faulty.Fault{Op: faulty.OpSync, Times: -1, Err: syscall.EIO})
	fs.Inject(faulty.Fault{Op: faulty.OpCreate, Times: -1, Err: syscall.EIO})
	if a := send("c"); !a.Uncertain {
		t.Errorf("a sync that fails: %+v", a)
	}
	if a := send("c"); a.Status != 503 || a.Repeated {
		t.Errorf("again while it lasts: %+v", a)
	}
	if a := send("d"); a.Status != 503 || a.Uncertain {
		t.Errorf("another while it lasts: %+v", a)
	}
	if total, kept := p.Stats().Total, p.store.Stats().Total; total.Stored != int64(kept.Stored) || total.Accepted != 3 {
		t.Errorf("counted %+v, the store %+v", total, kept)
	}
	fs.Heal()
	synctest.Wait()
	p.clock.Advance(5 * time.Second)
	synctest.Wait()
	if a := send("c"); a.Status != 200 || !a.Repeated || a.Accepted != 1 {
		t.Errorf("proven: %+v", a)
	}
	if a := send("d"); a.Status != 200 || a.Repeated {
		t.Errorf("healed: %+v", a)
	}
	if got := p.counted(t); got != 4 {
		t.Errorf("%v counted, want 4", got)
	}
	q := boot(t, fs.Crash(1))
	if got := q.counted(t); got != 4 {
		t.Errorf("%v counted after a crash, want 4", got)
	}
	for _, key := range []string{"a", "b", "c", "d"} {
		if a := q.Count("one", nil, 1, keyed(key), now); !a.Repeated {
			t.Errorf("key %s after a crash: %+v", key, a)
		}
	}
	if err := errors.Join(p.store.Close(), q.store.Close()); err != nil {
		t.Error(err)
	}
}

// TestKeysOfManyClients kills the process in the middle of many requests at
// once: each client goes on until it has its answer.
func TestKeysOfManyClients(t *testing.T) {
	const clients, each = 6, 20
	fs := faulty.New(3)
	p := boot(t, fs)
	fs.CrashAt(fs.Ops() + 40)
	round := func(p *process) (missing int) {
		var wg sync.WaitGroup
		left := make([]int, clients)
		for c := range clients {
			wg.Go(func() {
				for i := range each {
					if a := p.Count(fmt.Sprint("count-", c), nil, 1, keyed(fmt.Sprint(c, "-", i)), now+int64(i)); a.Status != 200 {
						left[c]++
					}
				}
			})
		}
		wg.Wait()
		for _, n := range left {
			missing += n
		}
		return missing
	}
	if missing := round(p); missing == 0 || missing == clients*each {
		t.Fatalf("%d of %d requests have no answer: the test tests nothing", missing, clients*each)
	}
	after := fs.Crash(3)
	_ = p.store.Close()
	p = boot(t, after)
	if missing := round(p); missing != 0 {
		t.Errorf("%d requests have no answer", missing)
	}
	if got := p.counted(t); got != clients*each {
		t.Errorf("%v counted, want %d", got, clients*each)
	}
	if err := p.store.Close(); err != nil {
		t.Error(err)
	}
}
