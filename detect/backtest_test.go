package detect_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/store"
	"pulse/store/tags"
)

func mustRule(t testing.TB, body string) detect.Rule {
	t.Helper()
	rule, err := detect.ParseRuleJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return rule
}

// told is the pages of a rule among what was sent, in the form of pageText.
func told(sent []notify.Notification, rule string) []string {
	var out []string
	begun := map[string]int{} // incident → out
	for _, n := range sent {
		if n.Rule != rule {
			continue
		}
		switch n.Type {
		case notify.TypeFiring, notify.TypeNoData:
			begun[n.Incident] = len(out)
			out = append(out, pageText(&detect.Page{
				Tags: tags.FromMap(n.Tags), NoData: n.Type == notify.TypeNoData, StartsAt: n.StartsAt,
				Value: n.Value, Expected: n.Expected, Lower: n.Lower, Upper: n.Upper, Score: n.Score, Flapping: n.Flapping,
			}))
		case notify.TypeResolved:
			if i, ok := begun[n.Incident]; ok {
				out[i] = strings.Replace(out[i], "ends 0", fmt.Sprint("ends ", n.EndsAt-epoch), 1)
			}
		}
	}
	slices.Sort(out)
	return out
}

// pageText has every bit of a page.
func pageText(p *detect.Page) string {
	ends := p.EndsAt
	if ends != 0 {
		ends -= epoch
	}
	text := fmt.Sprintf("%09d ends %d %s nodata=%v flapping=%v", p.StartsAt-epoch, ends, p.Tags, p.NoData, p.Flapping)
	for _, v := range []float64{p.Value, p.Expected, p.Lower, p.Upper, p.Score} {
		text += fmt.Sprintf(" %x", v)
	}
	return text
}

func pageTexts(pages []detect.Page) []string {
	var out []string
	for i := range pages {
		out = append(out, pageText(&pages[i]))
	}
	slices.Sort(out)
	return out
}

func (r *rig) backtest(b detect.Backtest) detect.BacktestResult {
	r.t.Helper()
	out, err := r.engine.Backtest(context.Background(), b)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// TestBacktestEqualsLive: over streams with outages, silent sources and groups
// that come and go, the back-test of a rule finds the pages that the live one
// sent, with the same verdicts to the last bit: from the step at which it was put,
// as somebody else's rule too, and from later on from its checkpoints.
func TestBacktestEqualsLive(t *testing.T) {
	const put, n = 400, 1300
	rules := map[string]string{
		"low":    `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":600}`,
		"keeps":  `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":900},"for":"3s","keep":"7s"`,
		"flaps":  `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":940},"flap":{"times":3,"calm":"12s"},"absence_after":"9s"`,
		"holt":   `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"double-exponential","train":"60s","hold":"2s"}`,
		"sum":    `"expr":"name,sps,:eq,:sum","detector":{"kind":"exponential","train":"60s","hold":"2s"},"no_data":"keep"`,
		"alerts": `"expr":"name,sps,:eq,:max,(,region,),:by","detector":{"kind":"static","below":1},"no_data":"alert","for":"2s"`,
		"zero":   `"expr":"name,sps,:eq,:max,(,region,),:by","detector":{"kind":"static","below":1},"no_data":"zero"`,
		"coarse": `"expr":"name,sps,:eq,:sum,(,region,),:by","step":"5s","detector":{"kind":"static","below":700},"absence_after":"20s"`,
		"gone":   `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"absence","after":"15s"}`,
		"worse":  `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"compare","baseline":"name,sps,:eq,region,us,:eq,:and,:sum"}`,
		"daily":  `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"seasonal","train":"60s"}`,
		"auto":   `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"auto"}`,
		"signal": `"expr":"name,sps,:eq,:sum,(,region,),:by,:dup,30,0.1,0.02,:des,0.8,:mul,:lt"`,
	}
	paged := map[string]int{}
	defer func() {
		for id := range rules {
			if paged[id] == 0 {
				t.Errorf("rule %s paged nobody", id)
			}
		}
	}()
	for seed := range uint64(3) {
		r := newRig(t, 1000)
		rnd := rand.New(rand.NewPCG(seed, 4))
		var silent, low [3]int
		for i := range n {
			s := int64(i + 1)
			r.at(s*1000 - 600)
			if i == put {
				for id, body := range rules {
					r.put(`{"id":"` + id + `",` + body + `}`)
				}
			}
			for j, region := range []string{"eu", "us", "ap"} {
				if silent[j]--; silent[j] < -200 && rnd.IntN(100) == 0 {
					silent[j] = rnd.IntN(90)
				}
				if low[j]--; low[j] < 0 && rnd.IntN(80) == 0 {
					low[j] = rnd.IntN(20)
				}
				if silent[j] > 0 || region == "ap" && i < put+30 {
					continue
				}
				v := 1000 + 100*math.Sin(float64(i)/40) + 10*rnd.NormFloat64()
				if low[j] > 0 {
					v *= 0.3
				}
				r.send("source-"+region, p(math.Round(v), "name", "sps", "region", region))
			}
			r.to(s*1000 + 50)
		}
		r.to((n + 1) * 1000)
		r.to((n + 7) * 1000)
		sent := r.took()
		ended := int64(epoch + n*1000)
		for id, body := range rules {
			live := told(sent, id)
			paged[id] += len(live)
			for _, as := range []string{id, "another"} {
				b := detect.Backtest{Rule: mustRule(t, `{"id":"`+as+`",`+body+`}`), Start: epoch + put*1000, End: ended}
				got := r.backtest(b)
				if g, w := strings.Join(pageTexts(got.Pages), "\n"), strings.Join(until(live, n), "\n"); g != w {
					t.Fatalf("seed %d, rule %s as %s:\ngot\n%s\nwant\n%s", seed, id, as, g, w)
				}
			}
			b := detect.Backtest{Rule: mustRule(t, `{"id":"`+id+`",`+body+`}`), Start: epoch + 851_000, End: ended}
			got := r.backtest(b)
			want := slices.DeleteFunc(until(live, n), func(s string) bool { return s <= "000851000 z" })
			if g, w := strings.Join(pageTexts(got.Pages), "\n"), strings.Join(want, "\n"); g != w {
				t.Fatalf("seed %d, rule %s from the middle:\ngot\n%s\nwant\n%s", seed, id, g, w)
			}
			on := slices.ContainsFunc(live, func(s string) bool { return onAt(s, 860) && onAt(s, 851) })
			told := slices.ContainsFunc(got.Notices, func(s string) bool { return strings.Contains(s, "firing already") })
			if on != told && (on || !slices.ContainsFunc(live, func(s string) bool { return onAt(s, 851) })) {
				t.Errorf("seed %d, rule %s: on %v when it began, %v", seed, id, on, got.Notices)
			}
		}
	}
}

// onAt reports whether a page is about a breach and on at a second.
func onAt(live string, s int) bool {
	var at, end int
	fmt.Sscanf(live, "%d ends %d", &at, &end)
	return strings.Contains(live, "nodata=false") && at <= s*1000 && (end == 0 || end > s*1000)
}

// until drops what began after step n, and the end of what ended after it.
func until(live []string, n int) []string {
	var out []string
	for _, s := range live {
		var at, end int
		fmt.Sscanf(s, "%d ends %d", &at, &end)
		if at > n*1000 {
			continue
		}
		if end > n*1000 {
			s = strings.Replace(s, fmt.Sprint("ends ", end), "ends 0", 1)
		}
		out = append(out, s)
	}
	return out
}

// TestBacktestBeforeItWasPut: a range that begins before a rule was put is judged, as a whole,
// as a draft of it is, however far back its detectors have read.
func TestBacktestBeforeItWasPut(t *testing.T) {
	const put, n, from = 1000, 1300, 700
	rules := map[string]string{
		"low":   `"expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":600}`,
		"holt":  `"expr":"name,sps,:eq,:sum","detector":{"kind":"double-exponential","train":"60s","hold":"2s"}`,
		"daily": `"expr":"name,sps,:eq,:sum","detector":{"kind":"seasonal","train":"60s"}`,
	}
	r := newRig(t, 1000)
	for s := int64(1); s <= n; s++ {
		r.at(s*1000 - 600)
		if s == put {
			for id, body := range rules {
				r.put(`{"id":"` + id + `",` + body + `}`)
			}
		}
		v := 1000 + 10*math.Sin(float64(s))
		if s > 800 && s <= 830 || s > 1200 && s <= 1230 {
			v *= 0.3
		}
		r.send("a", p(math.Round(v), "name", "sps"))
		r.to(s*1000 + 50)
	}
	r.to((n + 7) * 1000)
	for id, body := range rules {
		run := func(as string) detect.BacktestResult {
			return r.backtest(detect.Backtest{
				Rule: mustRule(t, `{"id":"`+as+`",`+body+`}`), Start: epoch + from*1000, End: epoch + n*1000, Trace: n - from,
			})
		}
		got, want := run(id), run("another")
		if g, w := strings.Join(pageTexts(got.Pages), "\n"), strings.Join(pageTexts(want.Pages), "\n"); g != w || len(want.Pages) != 2 {
			t.Errorf("rule %s: got pages\n%s\nas another\n%s", id, g, w)
		}
		if g, w := got.Trace.Times, want.Trace.Times; len(g) != n-from || !slices.Equal(g, w) {
			t.Errorf("rule %s is drawn with %d points, as another with %d, want %d", id, len(g), len(w), n-from)
		}
		if g, w := fmt.Sprint(got.Trace.Expected), fmt.Sprint(want.Trace.Expected); g != w {
			t.Errorf("rule %s expects\n%s\nas another\n%s", id, g, w)
		}
	}
}

// TestBacktestIncidents: delays, needless pages, minutes, and how two versions
// differ.
func TestBacktestIncidents(t *testing.T) {
	r := newRig(t, 1000)
	for i := range 600 {
		s := int64(i + 1)
		r.at(s*1000 - 300)
		v, w := 100.0, 100.0
		switch {
		case s > 100 && s <= 160:
			v = 20
		case s > 300 && s <= 310:
			w = 60
		case s > 500:
			w = 10
		}
		r.send("a", p(v, "name", "sps", "region", "eu"), p(w, "name", "sps", "region", "us"))
		r.to(s*1000 + 50)
	}
	r.to(610_000)
	const expr = `"expr":"name,sps,:eq,:sum,(,region,),:by"`
	strict := mustRule(t, `{"id":"a",`+expr+`,"detector":{"kind":"static","below":80},"for":"5s"}`)
	lax := mustRule(t, `{"id":"a",`+expr+`,"detector":{"kind":"static","below":50},"for":"10s"}`)
	at := func(s int64) int64 { return epoch + s*1000 }
	got := r.backtest(detect.Backtest{
		Rule: strict, Against: &lax, Start: at(0), End: at(600),
		Incidents: []detect.Marked{
			{at(100), at(160), tags.Of("region", "eu")},
			{at(100), at(160), tags.Of("region", "us")},
			{at(100), at(160), tags.Of("team", "playback")},
			{at(120), at(130), nil},
			{at(500), at(600), tags.Of("region", "us", "device", "tv")},
		},
	})
	if len(got.Pages) != 3 || got.Judged != 2 || got.Needless != 1 || got.Verdicts != 1200 {
		t.Fatalf("got %+v", got.Outcome)
	}
	if p := got.Pages[0]; p.StartsAt != at(106) || p.EndsAt != at(161) || p.Value != 20 || p.Cause != "limit" {
		t.Errorf("page %+v", p)
	}
	if p := got.Pages[2]; p.StartsAt != at(506) || p.EndsAt != 0 {
		t.Errorf("page %+v", p)
	}
	if want := int64(55+5+95) * 1000; got.Firing != want {
		t.Errorf("firing %d ms, want %d", got.Firing, want)
	}
	var delays []string
	for _, d := range got.Delays {
		delays = append(delays, fmt.Sprint(d.Pages, d.First != nil, d.Ms))
	}
	if text := strings.Join(delays, "|"); text != "1 true 6000|0 false 0|1 true 6000|1 true 0|1 true 6000" {
		t.Errorf("delays %s", text)
	}
	if d := got.Diff; d == nil || len(d.Added) != 1 || len(d.Removed) != 0 || len(d.Moved) != 2 || d.Same != 0 || d.Pages != 1 ||
		d.Added[0].StartsAt != at(306) || d.Moved[0].Other.StartsAt != at(111) || d.Firing != 15_000 {
		t.Errorf("diff %+v", got.Diff)
	}
	later := r.backtest(detect.Backtest{Rule: strict, Start: at(700), End: at(800), Incidents: []detect.Marked{{at(700), at(760), nil}}})
	if len(later.Notices) != 1 || len(later.Delays) != 1 || later.Delays[0].First != nil {
		t.Errorf("of time to come: %+v", later.Outcome)
	}
	if same := r.backtest(detect.Backtest{Rule: lax, Against: &lax, Start: at(0), End: at(600)}).Diff; same.Same != 2 || len(same.Added)+len(same.Removed)+len(same.Moved) != 0 {
		t.Errorf("a rule against itself: %+v", same)
	}
}

// TestBacktestRefuses: what is too large or makes no sense is refused with what
// to change.
func TestBacktestRefuses(t *testing.T) {
	r := newRig(t, 1000)
	for s := int64(1); s <= 3; s++ {
		r.at(s*1000 - 300)
		r.many(12_000, 100, nil)
		r.to(s * 1000)
	}
	r.to(60_000)
	ctx, cancel := context.WithCancel(context.Background())
	f := func(ctx context.Context, body string, start, end int64, edit func(*detect.Backtest), want string, is error) {
		t.Helper()
		b := detect.Backtest{Rule: mustRule(t, body), Start: start, End: end}
		if edit != nil {
			edit(&b)
		}
		_, err := r.engine.Backtest(ctx, b)
		if err == nil || !strings.Contains(err.Error(), want) || is != nil && !errors.Is(err, is) {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
	const sum, each = `{"id":"a","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":1}}`, `{"id":"a","expr":"name,sps,:eq,:sum,(,node,),:by"}`
	f(ctx, sum, 5, 5, nil, "is not before end", nil)
	f(ctx, each, epoch, epoch+60_000, nil, "too many lines", nil)
	f(ctx, `{"id":"a","expr":"name,sps,:eq,:sum,:integral"}`, epoch, epoch+60_000, nil, "integral", nil)
	f(ctx, `{"id":"a","expr":"nope,:nope"}`, epoch, epoch+60_000, nil, "nope", nil)
	f(ctx, sum, epoch, epoch+60_000, func(b *detect.Backtest) { x := mustRule(t, `{"id":"b","expr":":nope"}`); b.Against = &x }, "against", nil)
	f(ctx, sum, epoch, epoch+60_000, func(b *detect.Backtest) { b.Incidents = []detect.Marked{{5, 5, nil}} }, "incidents[0]", nil)
	f(ctx, sum, epoch, epoch+60_000, func(b *detect.Backtest) { b.Incidents = make([]detect.Marked, 1001) }, "at most 1000", detect.ErrBacktest)
	full := errors.New("full")
	f(ctx, sum, epoch, epoch+60_000, func(b *detect.Backtest) { b.Reserve = func(int64) error { return full } }, "full", full)
	cancel()
	f(ctx, sum, epoch, epoch+60_000, nil, "canceled", context.Canceled)
	if got := r.backtest(detect.Backtest{Rule: mustRule(t, `{"id":"a","expr":"name,none,:eq,:sum,(,a,),:by"}`), Start: epoch, End: epoch + 60_000}); got.Judged != 0 || len(got.Notices) != 1 || len(got.Pages) != 0 {
		t.Errorf("nothing selected: %+v", got)
	}
}

// TestBacktestTiers: what only a coarser tier has is judged at its step, the rest
// at the rule's; an alert that is on where they meet is one page.
func TestBacktestTiers(t *testing.T) {
	r := newRig(t, 1000)
	var err error
	if r.store, err = store.New(store.Options{Step: 1000, Tiers: []store.Tier{{Step: 1000, Retention: 1200_000}, {Step: 10_000, Retention: 7200_000}}}); err != nil {
		t.Fatal(err)
	}
	r.start()
	const n = 4000
	for s := int64(1); s <= n; s++ {
		r.at(s*1000 - 300)
		v := 100.0
		if s > 500 && s <= 560 || s > 2500 && s <= 3800 || s > 3900 && s <= 3904 {
			v = 10
		}
		r.send("a", p(v, "name", "sps", "region", "eu"))
		r.to(s * 1000)
	}
	r.to(n*1000 + 5000)
	f := func(body string, start, end int64) detect.BacktestResult {
		return r.backtest(detect.Backtest{Rule: mustRule(t, body), Start: epoch + start*1000, End: epoch + end*1000})
	}
	const low = `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50}`
	got := f(`{"id":"a",`+low+`}`, 0, n)
	if len(got.Steps) != 2 || got.Steps[0].Start != epoch || got.Steps[0].Step != 10_000 || got.Steps[1].Step != 1000 ||
		got.Steps[0].End != got.Steps[1].Start || got.Steps[1].End != epoch+n*1000 || got.Steps[1].Start%10_000 != 0 {
		t.Fatalf("steps %+v", got.Steps)
	}
	join := (got.Steps[1].Start - epoch) / 1000
	if join < 2510 || join > 3790 {
		t.Fatalf("steps change at %d s, outside the long drop", join)
	}
	var pages []string
	for _, p := range got.Pages {
		pages = append(pages, fmt.Sprint((p.StartsAt-epoch)/1000, "-", (p.EndsAt-epoch)/1000))
	}
	if text := strings.Join(pages, " "); text != "510-570 2510-3801 3901-3905" {
		t.Errorf("pages %s", text)
	}
	if want := int64(60+1290+1+4) * 1000; got.Firing < want-10_000 || got.Firing > want+10_000 {
		t.Errorf("firing %d ms, want about %d", got.Firing, want)
	}
	if len(got.Notices) != 1 || !strings.Contains(got.Notices[0], "kept at a step of 10s") {
		t.Errorf("notices %q", got.Notices)
	}
	if at10 := f(`{"id":"a","step":"10s",`+low+`}`, 0, n); len(at10.Steps) != 1 || at10.Steps[0].Step != 10_000 || len(at10.Notices) != 0 || len(at10.Pages) != 2 {
		t.Errorf("at 10 s: %+v", at10.Outcome)
	}
	if late := f(`{"id":"a",`+low+`}`, 3850, n); len(late.Steps) != 1 || late.Steps[0].Step != 1000 || len(late.Pages) != 1 {
		t.Errorf("what the first tier has: %+v", late.Outcome)
	}
	// A detector that must know the stream first begins in the fine part before it
	// is used there.
	learns := f(`{"id":"a","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"exponential","train":"100s","learn_shift":"100s","hold":"1s"}}`, 0, n)
	if len(learns.Steps) != 2 || learns.Steps[1].Start <= got.Steps[1].Start {
		t.Errorf("steps %+v, where nothing is learnt %+v", learns.Steps, got.Steps)
	}
	r.to(3 * 3600_000)
	if gone := f(`{"id":"a",`+low+`}`, 0, n); len(gone.Steps) != 1 || gone.Steps[0].Start <= epoch || !strings.Contains(strings.Join(gone.Notices, " "), "nothing is kept from before") {
		t.Errorf("what is gone: %+v", gone.Outcome)
	}
}

// TestBacktestRanges: whatever the tiers have, ranges are in order, touch, are made
// of whole steps, and each has its values in a tier that is no coarser than it must be.
func TestBacktestRanges(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 5_000 {
		steps := [][]int64{{1000}, {1000, 10_000}, {10_000, 60_000, 3_600_000}, {1000, 5000, 60_000}}[rnd.IntN(4)]
		now := int64(epoch) + rnd.Int64N(1000)*60_000
		var tiers []store.TierRange
		from := now
		for i, s := range steps {
			from -= (20 + rnd.Int64N(300)) * s
			tier := store.TierRange{Step: s, From: from, To: math.MaxInt64}
			if i > 0 {
				tier.To = tiers[i-1].From/s*s + rnd.Int64N(5)*s
			}
			if i+1 < len(steps) {
				tier.From = (from + steps[i+1] - 1) / steps[i+1] * steps[i+1]
			} else if tier.From = from / s * s; rnd.IntN(3) == 0 {
				tier.From = -1 << 60
			}
			from = tier.From
			if from < 0 {
				from = 0
			}
			tiers = append(tiers, tier)
		}
		every := steps[0] * []int64{1, 2, 3, 6, 7}[rnd.IntN(5)]
		rule := mustRule(t, fmt.Sprintf(`{"id":"a","expr":"name,x,:eq","step":"%dms","detector":%s}`, every,
			[]string{`{"kind":"static","below":1}`, `"exponential"`}[rnd.IntN(2)]))
		start := now - rnd.Int64N(400*steps[len(steps)-1])
		start, end := start/every*every, now/every*every
		ranges, notices := detect.Ranges(rule, steps[0], tiers, start, end)
		fail := func(why string) {
			t.Fatalf("%s: tiers %+v, step %d, (%d, %d]: %+v %v", why, tiers, every, start, end, ranges, notices)
		}
		for i, r := range ranges {
			if r.Start >= r.End || r.Start%r.Step != 0 || r.End%r.Step != 0 || r.Step%every != 0 {
				fail("not whole steps")
			}
			if i > 0 && (ranges[i-1].End != r.Start || ranges[i-1].Step <= r.Step) {
				fail("does not touch the range before, or is not finer")
			}
			has := false
			for _, tier := range tiers {
				has = has || r.Step%tier.Step == 0 && tier.From <= r.Start
			}
			if !has {
				fail("no tier has it")
			}
		}
		switch n := len(ranges); {
		case n == 0:
			if end-start > 2*steps[len(steps)-1]*7 && tiers[len(tiers)-1].From < start {
				fail("nothing")
			}
		case ranges[0].Start >= start+ranges[0].Step && !strings.Contains(fmt.Sprint(notices), "nothing is kept"):
			fail("begins late")
		case ranges[0].Start <= start-ranges[0].Step || ranges[n-1].End > end || end-ranges[n-1].End >= ranges[n-1].Step:
			fail("begins or ends elsewhere")
		case len(notices) < n-1:
			fail("no notice")
		}
	}
}

// TestBacktestIncomplete: steps that the live rule closed without a source, whose
// points came later, are marked.
func TestBacktestIncomplete(t *testing.T) {
	r := newRig(t, 1000)
	const rule = `{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":150}}`
	r.put(rule)
	for s := int64(1); s <= 60; s++ {
		r.at(s*1000 - 300)
		r.send("a", p(100, "name", "sps", "node", "a"))
		late := s == 30 || s == 31 || s == 45
		if !late {
			r.send("b", p(100, "name", "sps", "node", "b"))
		}
		r.to(s*1000 + 50)
		if late {
			r.to(s*1000 + 2100) // the close is put off once
			r.sendAt("b", epoch+s*1000, p(100, "name", "sps", "node", "b"))
		}
	}
	r.to(70_000)
	if n := len(told(r.took(), "low")); n == 0 {
		t.Error("the live rule did not page for what was missing")
	}
	b := detect.Backtest{Rule: mustRule(t, rule), Start: epoch + 1000, End: epoch + 60_000}
	got := r.backtest(b)
	if len(got.Pages) != 0 {
		t.Errorf("pages %v", pageTexts(got.Pages))
	}
	has := func(s int64) bool {
		return slices.ContainsFunc(got.Incomplete, func(x detect.StepRange) bool { return x.Start < epoch+s*1000 && epoch+s*1000 <= x.End })
	}
	if !has(30) || !has(31) || !has(45) || has(20) || has(50) {
		t.Errorf("incomplete %+v", got.Incomplete)
	}
	if b.Rule.ID = "other"; len(r.backtest(b).Incomplete) != 0 {
		t.Error("another rule has incomplete steps")
	}
}

// FuzzParseBacktest: no body panics, and what is taken is within its limits.
func FuzzParseBacktest(f *testing.F) {
	f.Add([]byte(`{"rule":{"expr":"name,x,:eq"},"against":{"id":"b","expr":"1"},"start":5,"end":"2026-01-01T00:00:00Z","incidents":[{"start":1,"end":2,"tags":{"a":"b"}}]}`))
	f.Add([]byte(`{"rule":null,"start":1e3,"end":-1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := detect.ParseBacktestJSON(body)
		if err == nil && (b.Rule.ID == "" || b.Start < 0 || b.End < 0 || len(b.Incidents) > 1000) {
			t.Errorf("%q gives %+v", body, b)
		}
	})
}
