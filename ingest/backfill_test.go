package ingest_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"pulse/bench/testkit"
	"pulse/ingest"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/tags"
)

type handImport = func(*store.ImportBatch, int64) (store.ImportResult, error)

// taken returns a pipeline whose imports go to a list, as `name step time=value
// ...`, and are all accepted but odd times. Names are told of aa and bb.
func taken(t testing.TB, o ingest.Options) (*ingest.Pipeline, *[]string) {
	t.Helper()
	st := newStore(t, store.Options{})
	p := ingest.New(st, o)
	list := &[]string{}
	var mu sync.Mutex
	p.OnImport(func(b *store.ImportBatch, _ int64, _ handImport) (res store.ImportResult, err error) {
		mu.Lock()
		defer mu.Unlock()
		for n, l := range b.Lines {
			text := fmt.Appendf(nil, "%s %d", nameOf(t, st, l.Ref), l.Step)
			for i, v := range l.Values {
				switch {
				case v != v:
				case l.Times[i]%2 != 0:
					res.Rejected++
					if len(res.Errors) == 0 || res.Errors[len(res.Errors)-1].Line != n {
						res.Errors = append(res.Errors, store.ImportError{Line: n, Reason: fmt.Sprint("odd ", l.Times[i])})
					}
				default:
					res.Accepted++
					text = fmt.Appendf(text, " %d=%v", l.Times[i], v)
				}
			}
			*list = append(*list, string(text))
		}
		return res, nil
	})
	return p, list
}

func nameOf(t testing.TB, st *store.Store, ref store.Ref) string {
	for i, name := range []string{"aa", "bb"} {
		got, err := st.Resolve(store.Hash{1, uint64(i)}, tags.Of("name", name), now)
		if err != nil {
			t.Fatal(err)
		}
		if got == ref {
			return name
		}
	}
	return "other"
}

func TestImport(t *testing.T) {
	f := func(name, body string, want ingest.ImportAnswer, lines ...string) {
		t.Helper()
		p, list := taken(t, ingest.Options{Limits: ingest.Limits{ImportErrors: 4, LinePoints: 5}})
		a := p.Import([]byte(body), here, now)
		for i, e := range a.Errors { // the beginning is enough
			if i < len(want.Errors) && strings.HasPrefix(e.Reason, want.Errors[i].Reason) {
				a.Errors[i].Reason = want.Errors[i].Reason
			}
		}
		if !reflect.DeepEqual(a, want) {
			t.Errorf("%s: %+v, want %+v", name, a, want)
		}
		if !slices.Equal(*list, lines) {
			t.Errorf("%s: stored %q, want %q", name, *list, lines)
		}
		if got, w := p.Stats().Import, (ingest.ImportCounts{Requests: 1, Accepted: int64(want.Accepted), Rejected: int64(want.Rejected)}); got != w {
			t.Errorf("%s: counted %+v, want %+v", name, got, w)
		}
		if got := p.Stats().Total; got != (ingest.Counts{}) || len(p.Sources(now)) != 0 {
			t.Errorf("%s: an import is nobody's, counted %+v", name, got)
		}
	}
	line := func(name, rest string) string { return `{"tags":{"name":"` + name + `"},` + rest + "}\n" }
	good := line("aa", `"timestamps":[2,4],"values":[1,2.5]`)
	const stored = "aa 0 2=1 4=2.5"
	errs := func(list ...any) (out []ingest.LineError) {
		for i := 0; i < len(list); i += 2 {
			out = append(out, ingest.LineError{Line: list[i].(int), Reason: list[i+1].(string)})
		}
		return out
	}
	f("one", good, ingest.ImportAnswer{Status: 200, Accepted: 2}, stored)
	f("one without an end", strings.TrimSpace(good), ingest.ImportAnswer{Status: 200, Accepted: 2}, stored)
	f("blank lines, a mark, and CR", "\xEF\xBB\xBF\r\n\n"+strings.ReplaceAll(good, "\n", "\r\n")+" \n", ingest.ImportAnswer{Status: 200, Accepted: 2}, stored)
	f("a step and nulls", line("aa", `"step":"1m","timestamps":[2,4,6],"values":[1,null,3]`), ingest.ImportAnswer{Status: 200, Accepted: 2}, "aa 60000 2=1 6=3")
	f("nulls only", line("aa", `"timestamps":[2],"values":[null]`), ingest.ImportAnswer{Status: 200})
	f("no values", line("aa", `"timestamps":[],"values":[]`), ingest.ImportAnswer{Status: 200})
	f("empty", " \n\n", ingest.ImportAnswer{Status: 400, Message: "empty payload"})
	f("some of many", good+"{\n"+line("bb", `"timestamps":[1,2,3],"values":[1,2,3]`)+line("c", `"timestamps":[1,2],"values":[3,4]`)+line("dd", `"timestamps":[8],"values":[1,2]`)+good,
		ingest.ImportAnswer{Status: 202, Accepted: 5, Rejected: 1 + 2 + 2 + 2, Errors: errs(2, "unreadable payload: expected a field name at byte 1", 3, "odd 1", 4, "value too short: name = [c] (1 < 2)", 5, "1 timestamps and 2 values")},
		stored, "bb 0 2=2", stored)
	f("more errors than are told", strings.Repeat("x\n", 10), ingest.ImportAnswer{Status: 400, Rejected: 10, Errors: errs(1, "unreadable", 2, "unreadable", 3, "unreadable", 4, "unreadable")})
	f("too many points", line("aa", `"timestamps":[2,4,6,8,10,12],"values":[1,2,3,4,5,6]`), ingest.ImportAnswer{Status: 400, Rejected: 6, Errors: errs(1, "more than 5 points in one line; split it")})
	f("all odd", line("aa", `"timestamps":[1,3],"values":[1,2]`), ingest.ImportAnswer{Status: 400, Rejected: 2, Errors: errs(1, "odd 1")}, "aa 0")
	f("tags by the rules", `{"tags":{"a1":"b"},"timestamps":[2],"values":[1]}`, ingest.ImportAnswer{Status: 400, Rejected: 1, Errors: errs(1, "missing key 'name'")})
	f("a publish body", `{"tags":{},"metrics":[]}`, ingest.ImportAnswer{Status: 400, Rejected: 1, Errors: errs(1, `unknown field "metrics" beside tags, step, timestamps and values`)})
}

// TestImportChunks reads a body in several parts and finds the lines of all
// refusals.
func TestImportChunks(t *testing.T) {
	p, list := taken(t, ingest.Options{Limits: ingest.Limits{ImportErrors: 1000}})
	rnd := rand.New(rand.NewPCG(1, 2))
	var body []byte
	var want []ingest.LineError
	accepted, rejected, lines := 0, 0, 0
	for n := 1; n <= 120; n++ {
		if rnd.IntN(5) == 0 {
			body = append(body, "bad\n"...)
			want, rejected = append(want, ingest.LineError{Line: n}), rejected+1
			continue
		}
		lines++
		size := 1 + rnd.IntN(10_000)
		body = fmt.Appendf(body, `{"tags":{"name":"series-%d"},"timestamps":[`, n)
		times := make([]string, size)
		for i := range times {
			times[i] = fmt.Sprint(2 * i)
		}
		if n%10 == 0 {
			times[0] = "1"
			want, rejected, accepted = append(want, ingest.LineError{Line: n}), rejected+1, accepted-1
		}
		body = fmt.Appendf(body, `%s],"values":[%s1]}`+"\n", strings.Join(times, ","), strings.Repeat("1,", size-1))
		accepted += size
	}
	a := p.Import(body, here, now)
	if a.Status != 202 || a.Accepted != accepted || a.Rejected != rejected || len(*list) != lines || len(a.Errors) != len(want) {
		t.Fatalf("%d: %d accepted, %d rejected, %d errors, %d lines; want %d, %d, %d, %d", a.Status, a.Accepted, a.Rejected, len(a.Errors), len(*list), accepted, rejected, len(want), lines)
	}
	for i, e := range a.Errors {
		if e.Line != want[i].Line {
			t.Errorf("error %d is of line %d, want %d", i, e.Line, want[i].Line)
		}
	}
}

// TestImportRefused: what the store refuses as a whole, and too much at once.
func TestImportRefused(t *testing.T) {
	good := []byte(`{"tags":{"name":"aa"},"timestamps":[2,4],"values":[1,2.5]}`)
	for _, c := range []struct {
		err       error
		status    int
		uncertain bool
	}{{store.ErrFull, 507, false}, {store.ErrUnavailable, 503, false}, {store.ErrNotReady, 503, false}, {store.ErrUncertain, 503, true}} {
		p, _ := taken(t, ingest.Options{})
		fail := true
		p.OnImport(func(b *store.ImportBatch, at int64, next handImport) (store.ImportResult, error) {
			if fail {
				return store.ImportResult{}, c.err
			}
			return next(b, at)
		})
		for _, from := range []ingest.From{here, keyed("k")} {
			if a := p.Import(good, from, now); a.Status != c.status || a.Uncertain != c.uncertain || a.Message == "" || a.Accepted+a.Rejected != 0 {
				t.Errorf("%v: %+v", c.err, a)
			}
		}
		fail = false
		if a := p.Import(good, keyed("k"), now); a.Status != 200 || a.Repeated || a.Accepted != 2 {
			t.Errorf("after %v: %+v", c.err, a)
		}
	}

	st := newStore(t, store.Options{MaxSeries: 1})
	p := ingest.New(st, ingest.Options{Limits: ingest.Limits{Imports: 1}})
	entered, leave := make(chan struct{}), make(chan struct{})
	p.OnImport(func(b *store.ImportBatch, _ int64, _ handImport) (store.ImportResult, error) {
		entered <- struct{}{}
		<-leave
		return store.ImportResult{Accepted: len(b.Lines)}, nil
	})
	first := make(chan ingest.ImportAnswer)
	go func() { first <- p.Import(good, here, now) }()
	<-entered
	if a := p.Import(good, here, now); a.Status != 503 || !strings.Contains(a.Message, "too many imports") {
		t.Errorf("a second of one: %+v", a)
	}
	close(leave)
	<-first
	if a := p.Import([]byte(strings.ReplaceAll(string(good), "aa", "bb")), here, now); a.Status != 429 || a.Rejected != 2 || len(a.Errors) != 1 || !strings.Contains(a.Errors[0].Reason, "series") {
		t.Errorf("a series too many: %+v", a)
	}
}

// TestImportMemory: columns are taken out of the budget before they are there,
// and all is given back.
func TestImportMemory(t *testing.T) {
	memory := budget.New(1 << 20)
	p, list := taken(t, ingest.Options{Budget: memory})
	small := fmt.Sprintf(`{"tags":{"name":"aa"},"timestamps":[%s2],"values":[%s2]}`+"\n", strings.Repeat("2,", 30_000), strings.Repeat("2,", 30_000))
	large := fmt.Sprintf(`{"tags":{"name":"bb"},"timestamps":[%s2],"values":[%s2]}`+"\n", strings.Repeat("2,", 70_000), strings.Repeat("2,", 70_000))
	for range 3 {
		if a := p.Import([]byte(small), here, now); a.Status != 200 || a.Accepted != 30_001 {
			t.Fatalf("small: %d, %d accepted", a.Status, a.Accepted)
		}
		if a := p.Import([]byte(large), here, now); a.Status != 503 || !strings.Contains(a.Message, "too many bytes") {
			t.Fatalf("large: %+v", a)
		}
		if memory.Used() != 0 {
			t.Fatalf("%d bytes are held", memory.Used())
		}
	}
	if len(*list) != 3 {
		t.Errorf("%d lines stored", len(*list))
	}
}

// TestImportLongSteps: values that stand for long are handed over in smaller
// portions, because what waits behind one waits for all steps that they cover.
func TestImportLongSteps(t *testing.T) {
	p, _ := taken(t, ingest.Options{})
	most, calls := 0, 0
	p.OnImport(func(b *store.ImportBatch, _ int64, _ handImport) (res store.ImportResult, err error) {
		most, calls = max(most, len(b.Lines)), calls+1
		return store.ImportResult{Accepted: len(b.Lines)}, nil
	})
	const lines = 400
	day := `{"tags":{"name":"aa"},"step":"1d","timestamps":[86400000],"values":[1]}` + "\n"
	if a := p.Import([]byte(strings.Repeat(day, lines)), here, now); a.Status != 200 || a.Accepted != lines || calls < 2 || most > 100 {
		t.Errorf("%+v in %d portions of at most %d lines", a, calls, most)
	}
	calls = 0
	if a := p.Import([]byte(strings.Repeat(strings.Replace(day, "1d", "10s", 1), lines)), here, now); a.Status != 200 || calls != 1 {
		t.Errorf("%+v in %d portions", a, calls)
	}
}

// TestImportLopsided: a line with far more timestamps than values, or the other
// way round, does not upset what the next one is counted for.
func TestImportLopsided(t *testing.T) {
	const n = 10_000
	list := func(n int) string { return strings.TrimSuffix(strings.Repeat("2,", n), ",") }
	line := func(times, values int) string {
		return fmt.Sprintf(`{"tags":{"name":"aa"},"timestamps":[%s],"values":[%s]}`, list(times), list(values))
	}
	for _, first := range []string{line(n, 0), line(0, n)} {
		memory := budget.New(1 << 20)
		p, _ := taken(t, ingest.Options{Budget: memory})
		a := p.Import([]byte(first+"\n"+line(n/2+100, n/2+100)), ingest.From{}, now)
		if a.Status != 202 || a.Accepted != n/2+100 || a.Rejected == 0 || memory.Used() != 0 {
			t.Errorf("%+v, %d bytes in use", a, memory.Used())
		}
	}
}

// TestImportKey: an import with a key is answered again, after a restart too,
// and nothing is counted twice.
func TestImportKey(t *testing.T) {
	body := []byte(`{"tags":{"name":"aa"},"timestamps":[2,3],"values":[1,2.5]}` + "\nbad\n")
	p, list := taken(t, ingest.Options{})
	var log [][]byte
	p.OnCommit(func(b *store.Batch, at int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error) {
		log = append(log, slices.Clone(b.Note))
		return next(b, at)
	})
	first := p.Import(body, keyed("k"), now)
	if first.Status != 202 || first.Accepted != 1 || first.Rejected != 2 || len(first.Errors) != 2 {
		t.Fatalf("%+v", first)
	}
	want := first
	want.Repeated = true
	again := p.Import(body, keyed("k"), now)
	if !reflect.DeepEqual(again, want) || len(*list) != 1 {
		t.Errorf("%+v, want %+v; %d lines stored", again, want, len(*list))
	}
	if got := p.Stats().Import; got != (ingest.ImportCounts{Requests: 2, Accepted: 1, Rejected: 2}) {
		t.Errorf("counted %+v", got)
	}
	if a := p.Import(body[1:], keyed("k"), now); a.Status != 409 {
		t.Errorf("another body: %+v", a)
	}
	if a := p.Publish(body, keyed("k"), now); a.Status != 409 {
		t.Errorf("another route: %+v", a)
	}
	if a := restart(t, nil, log, now).Import(body, keyed("k"), now); !reflect.DeepEqual(a, want) {
		t.Errorf("after a restart: %+v, want %+v", a, want)
	}
}

// TestImportAllocations: nothing is allocated for a value, and little for a line
// of a series that is known.
func TestImportAllocations(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector is on")
	}
	p := newPipeline(t, ingest.Options{})
	p.OnImport(func(b *store.ImportBatch, _ int64, _ handImport) (res store.ImportResult, err error) {
		for _, l := range b.Lines {
			res.Accepted += len(l.Values)
		}
		return res, nil
	})
	count := func(lines, values int) float64 {
		var body []byte
		for n := range lines {
			body = fmt.Appendf(body, `{"tags":{"name":"series-%d"},"timestamps":[%s0],"values":[%s1.5]}`+"\n", n, strings.Repeat("1700000000000,", values-1), strings.Repeat("12.25,", values-1))
		}
		do := func() {
			if a := p.Import(body, here, now); a.Status != 200 || a.Accepted != lines*values {
				t.Fatalf("%+v", a)
			}
		}
		do()
		return testing.AllocsPerRun(20, do)
	}
	few, many, lines := count(10, 10), count(10, 10_000), count(1000, 10)
	if many > few+1 || lines > few+1 {
		t.Errorf("%v allocations for 10 lines of 10 values, %v for 10 of 10,000, %v for 1000 of 10", few, many, lines)
	}
}

// FuzzImport reads any body and holds the sum: what was not rejected was
// accepted.
func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"tags":{"name":"aa"},"timestamps":[2,3],"values":[1,2.5]}` + "\n\nbad\r\n"))
	f.Add([]byte("\xEF\xBB\xBF{}\n{"))
	f.Fuzz(func(t *testing.T, body []byte) {
		p, list := taken(t, ingest.Options{Limits: ingest.Limits{ImportErrors: 3}})
		a := p.Import(body, here, now)
		known := a.Status == 200 && a.Rejected == 0 || a.Status == 202 && a.Accepted > 0 && a.Rejected > 0 || a.Status == 400 && a.Accepted == 0
		if !known || len(a.Errors) > 3 || (a.Rejected > 0) != (len(a.Errors) > 0) {
			t.Fatalf("%q: %+v", body, a)
		}
		values := 0
		for _, l := range *list {
			values += strings.Count(l, "=")
		}
		if values != a.Accepted {
			t.Fatalf("%q: %+v, %d stored: %q", body, a, values, *list)
		}
		if !slices.IsSortedFunc(a.Errors, func(x, y ingest.LineError) int { return x.Line - y.Line }) {
			t.Fatalf("%q: %+v", body, a)
		}
	})
}
