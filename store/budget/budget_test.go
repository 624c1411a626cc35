package budget_test

import (
	"math"
	"sync"
	"testing"
	"testing/fstest"

	"pulse/store/budget"
)

func TestTake(t *testing.T) {
	b := budget.New(100)
	for _, c := range []struct {
		take int64
		ok   bool
		used int64
	}{{60, true, 60}, {41, false, 60}, {40, true, 100}, {0, true, 100}, {1, false, 100}, {math.MaxInt64, false, 100}} {
		if b.Room(c.take) != c.ok || b.Take(c.take) != c.ok || b.Used() != c.used {
			t.Errorf("take %d: used %d, want %v and %d", c.take, b.Used(), c.ok, c.used)
		}
	}
	b.Give(70)
	b.Force(80)
	if b.Take(1) || b.Used() != 110 {
		t.Errorf("used %d", b.Used())
	}
	if got, want := b.Stats(), (budget.Stats{Limit: 100, Used: 110, Peak: 110, Refused: 4}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestWithin(t *testing.T) {
	whole := budget.New(100)
	a, b := whole.Within(80), whole.Within(0)
	if !a.Take(80) || a.Take(1) || b.Take(21) || !b.Take(20) {
		t.Errorf("a %d, b %d, whole %d", a.Used(), b.Used(), whole.Used())
	}
	a.Give(80)
	if whole.Used() != 20 || b.Used() != 20 || a.Used() != 0 {
		t.Errorf("a %d, b %d, whole %d", a.Used(), b.Used(), whole.Used())
	}
	if alone := (*budget.Budget)(nil).Within(5); !alone.Take(5) || alone.Take(1) {
		t.Error("a budget within none has its own limit")
	}
}

func TestNoLimit(t *testing.T) {
	var none *budget.Budget
	none.Force(5)
	none.Give(7)
	if !none.Take(math.MaxInt64) || !none.Room(1) || none.Used() != 0 || none.Limit() != 0 || none.Stats() != (budget.Stats{}) {
		t.Error("the nil budget has no limit")
	}
	b := budget.New(0)
	if !b.Take(1<<40) || b.Used() != 1<<40 || b.Limit() != 0 {
		t.Error("a budget of 0 counts only")
	}
}

func TestMistakesPanic(t *testing.T) {
	for name, f := range map[string]func(b *budget.Budget){
		"give more":     func(b *budget.Budget) { b.Give(1) },
		"take negative": func(b *budget.Budget) { b.Take(-1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f(budget.New(10))
		}()
	}
}

// However many take at once, never more than the limit is in use.
func TestConcurrentTake(t *testing.T) {
	whole := budget.New(1000)
	b := whole.Within(900)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for i := range int64(2000) {
				if n := i % 400; b.Take(n) {
					if b.Used() > 900+400*8 {
						t.Error("far over the limit")
					}
					b.Give(n)
				}
			}
		})
	}
	wait.Wait()
	if b.Used() != 0 || whole.Used() != 0 || b.Stats().Peak > 900 || whole.Stats().Peak > 900 {
		t.Errorf("used %d and %d, peak %d", b.Used(), whole.Used(), b.Stats().Peak)
	}
}

func TestSplit(t *testing.T) {
	m := budget.Split(512 << 20)
	sum := m.Series.Limit() + m.Ingest.Limit() + m.Queries.Limit() + m.Streams.Limit()
	if m.Series.Limit() != m.Total/100*60 || sum > m.Total || sum < m.Total*94/100 {
		t.Errorf("series %d, sum %d of %d", m.Series.Limit(), sum, m.Total)
	}
	if got := m.HeapLimit(100 << 20); got <= 412<<20 || got > 512<<20 {
		t.Errorf("heap limit %d", got)
	}
	if none := budget.Split(0); none.Series.Limit() != 0 || !none.Queries.Take(1<<50) || none.HeapLimit(5) != math.MaxInt64 {
		t.Error("no total is no limit")
	}
	if tiny := budget.Split(1); tiny.Series.Limit() != 1 {
		t.Errorf("limit %d", tiny.Series.Limit())
	}
}

func TestHost(t *testing.T) {
	const meminfo = "MemTotal:       24683520 kB\nMemFree:         1000 kB\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"machine", nil, 24683520 << 10},
		{"version 2", map[string]string{"proc/self/cgroup": "0::/pods/a\n", "sys/fs/cgroup/pods/a/memory.max": "max\n", "sys/fs/cgroup/pods/memory.max": "1000000\n"}, 1000000},
		{"version 2, own", map[string]string{"proc/self/cgroup": "0::/pods/a\n", "sys/fs/cgroup/pods/a/memory.max": "500000\n", "sys/fs/cgroup/pods/memory.max": "1000000\n"}, 500000},
		{"version 2, container", map[string]string{"proc/self/cgroup": "0::/../../x\n", "sys/fs/cgroup/memory.max": "700000\n"}, 700000},
		{"version 1", map[string]string{"proc/self/cgroup": "9:cpu,cpuacct:/a\n7:memory:/docker/b\n0::/\n", "sys/fs/cgroup/memory/docker/b/memory.limit_in_bytes": "300000\n"}, 300000},
		{"version 1, container", map[string]string{"proc/self/cgroup": "7:memory:/docker/b\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "400000\n"}, 400000},
		{"version 1, none", map[string]string{"proc/self/cgroup": "7:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 24683520 << 10},
		{"nonsense", map[string]string{"proc/self/cgroup": "7\n::\n0::/x\n", "sys/fs/cgroup/x/memory.max": "-5"}, 24683520 << 10},
	} {
		root := fstest.MapFS{"proc/meminfo": {Data: []byte(meminfo)}}
		for name, text := range c.files {
			root[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got, err := budget.Host(root); err != nil || got != c.want {
			t.Errorf("%s: %d, %v; want %d", c.name, got, err, c.want)
		}
	}
	for _, text := range []string{"", "MemTotal: many kB\n", "MemTotal: 0 kB\n", "MemFree: 5 kB\n"} {
		if n, err := budget.Host(fstest.MapFS{"proc/meminfo": {Data: []byte(text)}}); err == nil {
			t.Errorf("%q: %d", text, n)
		}
	}
	if _, err := budget.Host(fstest.MapFS{}); err == nil {
		t.Error("no /proc/meminfo and no error")
	}
}
