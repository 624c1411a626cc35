package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/disk"
	"pulse/store/disk/faulty"
	"pulse/store/match"
	"pulse/store/tags"
)

var twoTiers = []store.Tier{{Step: archStep, Retention: 1000 * archBlock}, {Step: 10 * archStep, Retention: 2000 * archBlock}}

// While imports go on nothing is written or derived for them, and everything
// can be read; afterwards it is done, once.
func TestImportsRest(t *testing.T) {
	for name, fs := range map[string]disk.FS{"files": faulty.New(1), "memory": nil} {
		t.Run(name, func(t *testing.T) {
			a := newArchivist(t, store.Options{Tiers: twoTiers, NewSeriesRate: -1}, fs, 6)
			a.feed(25 * 120)
			again := func() (n int) { // files written a second time
				if fs == nil {
					return 0
				}
				names, err := fs.List(archFolder)
				if err != nil {
					t.Fatal(err)
				}
				for _, name := range names {
					if !strings.HasSuffix(name, "-0.arc") {
						n++
					}
				}
				return n
			}
			old := a.now - 20*archBlock
			old -= old % (10 * archStep)
			total := func(tier int) float64 {
				t.Helper()
				every := []int64{archStep, 10 * archStep}[tier]
				got := one(t, a.Store, store.Scan{Query: match.True, Tier: tier, Start: old, End: old + 10*archStep})
				if want := int(10 * archStep / every); len(got) != want {
					t.Fatalf("%d values, want %d", len(got), want)
				}
				sum := 0.0
				for _, v := range got {
					sum += v
				}
				return sum
			}
			put := func(v float64) {
				t.Helper()
				var lines []store.ImportLine
				for _, ref := range a.refs {
					l := store.ImportLine{Ref: ref}
					for at := old; at < old+3*archBlock; at += archStep {
						l.Times, l.Values = append(l.Times, at+archStep), append(l.Values, v)
					}
					lines = append(lines, l)
				}
				if got := imported(t, a.Store, a.now, lines...); got.Rejected != 0 {
					t.Fatalf("%+v", got)
				}
				if got := total(0); got != 60*v {
					t.Fatalf("%v right after an import of %v", got, v)
				}
			}
			before := total(1)
			for i := range 20 {
				put(float64(1000 + i))
				for range 5 {
					a.now += archStep
					a.Advance(a.now)
				}
			}
			if a.Patches() == 0 || again() != 0 || total(1) != before {
				t.Errorf("%d patches while imports go on, %d files written again, sum %v after %v", a.Patches(), again(), total(1), before)
			}
			for range 20 {
				a.now += archStep
				a.Advance(a.now)
			}
			if a.Patches() != 0 || fs != nil && again() < 3 || total(1) != 60*1019 || a.Stats().PatchBytes != 0 {
				t.Errorf("%d patches after a rest, %d files written again, sum %v, %d bytes of patches", a.Patches(), again(), total(1), a.Stats().PatchBytes)
			}
			rest, most := total(1), 0
			for i := 0; total(1) == rest; i++ {
				if most = i; i > 100 {
					t.Fatal("imports that never rest are never derived")
				}
				put(2000)
				for range 5 {
					a.now += archStep
					a.Advance(a.now)
				}
			}
			if most < 50 {
				t.Errorf("derived after %d s of imports", 5*most)
			}
		})
	}
}

// Patches take no more memory than they may, which is charged. Where they
// cannot be merged imports are refused, until they can.
func TestPatchesAreBounded(t *testing.T) {
	if testkit.Race {
		t.Skip("a lot of work on one goroutine")
	}
	for name, fs := range map[string]*faulty.FS{"memory": nil, "files": faulty.New(1), "full disk": faulty.New(2)} {
		t.Run(name, func(t *testing.T) {
			o := store.Options{Tiers: []store.Tier{twoTiers[0], {Step: 10 * archStep, Retention: 100_000 * archBlock}}, Memory: budget.New(48 << 20), NewSeriesRate: -1}
			if fs == nil {
				bounded(t, newArchivist(t, o, nil, 0), nil, false)
				return
			}
			a := newArchivist(t, o, fs, 0)
			if name == "full disk" {
				fs.SetSpace(0)
			}
			bounded(t, a, fs, name == "full disk")
		})
	}
}

func bounded(t *testing.T, a *archivist, fs *faulty.FS, full bool) {
	t.Helper()
	most := a.o.Memory.Limit() / 8
	var ref [40]store.Ref
	for i := range ref {
		ref[i] = resolve(t, a.Store, start, tags.Of("name", "m", "id", fmt.Sprint(i), "atlas.dstype", "gauge"))
	}
	a.now = start + 50_000*archBlock
	a.Advance(a.now)
	values, times := make([]float64, 40_000), make([]int64, 40_000)
	high, refused, accepted := int64(0), 0, 0
	for round := range 3 {
		for _, r := range ref {
			for i := range values {
				times[i] = a.now - a.now%(10*archStep) - int64(len(times)-i+20_000)*10*archStep
				values[i] = 1 / float64(1+round+i)
			}
			_, err := a.Import(&store.ImportBatch{Lines: []store.ImportLine{{Ref: r, Step: 10 * archStep, Times: times, Values: values}}}, a.now)
			switch {
			case errors.Is(err, store.ErrUnavailable):
				refused++
			case err != nil:
				t.Fatal(err)
			default:
				accepted++
			}
			high = max(high, a.Stats().PatchBytes)
			if fs != nil {
				a.Advance(a.now)
			}
		}
		a.now += archStep
		a.Advance(a.now)
		if full && refused > 0 || round == 1 {
			break
		}
	}
	if high > 2*most+(8<<20) || high < most/2 {
		t.Errorf("%d bytes of patches, %d may be", high, most)
	}
	if err := a.CheckMemory(); err != nil {
		t.Error(err)
	}
	if used := a.Stats().Memory.Used; used < a.Stats().PatchBytes {
		t.Errorf("%d bytes are charged, patches take %d", used, a.Stats().PatchBytes)
	}
	if (refused > 0) != full {
		t.Errorf("%d refused, %d accepted", refused, accepted)
	}
	if full {
		fs.SetSpace(1 << 40)
		for range 30 {
			a.now += archStep
			a.Advance(a.now)
		}
		if got := a.Stats().PatchBytes; got != 0 {
			t.Errorf("%d bytes of patches are left", got)
		}
		imported(t, a.Store, a.now, store.ImportLine{Ref: ref[0], Times: []int64{a.now - a.now%archStep - 10*archStep}, Values: []float64{1}})
	}
}
