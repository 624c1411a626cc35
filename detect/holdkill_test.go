package detect_test

import (
	"slices"
	"strings"
	"testing"
)

// heldStory lives through an inhibition, a mute, a silence and a change of routes, and returns
// what was told. At the n-th mark, or after the n-th transaction with notifications, the
// engine is killed; was says whether there are so many.
func heldStory(t *testing.T, marks bool, n int) (told string, was bool) {
	r := newTapedRig(t, second)
	r.put(warnRule)
	r.put(pageRule)
	r.routes(`[]`, over, `{"name":"night","intervals":[{"times":[{"start":"00:01","end":"00:02"}]}]}`)
	r.routes(`[{"matchers":["severity=warn"],"receivers":["chat"],"mute":["night"],"continue":true},{"receiver":"log"}]`)
	r.to(0)
	seen := 0
	arm := func() {
		r.engine.OnCommit(nil)
		r.tape.cut = nil
		count := func() bool { seen++; return seen == n }
		if marks {
			r.tape.cut = func(mark []byte) bool { return mark[1] == 1 && count() }
		} else {
			r.engine.OnCommit(func() {
				if count() {
					panic(errKilled)
				}
			})
		}
	}
	look := func(ms int64) {
		arm()
		if r.dies(func() { r.to(ms); r.to(ms); r.settle() }) {
			was = true
			r.recover()
			arm()
		}
		r.to(ms)
		r.settle()
	}
	values := map[string]float64{"eu": 20, "us": 20}
	for s := int64(1); s <= 150; s++ {
		switch s {
		case 3:
			values["eu"] = 1 // both levels: the page inhibits
		case 8:
			values["us"] = 7
		case 12:
			values["eu"] = 7 // the page ends, the warning goes on
		case 20:
			values["eu"] = 20
		case 30:
			values["eu"] = 1
		case 35:
			values["eu"] = 20 // both end at once
		case 50:
			r.silence(`{region="us"}`, `,"endsAt":"now+30s"`)
		case 55:
			values["us"] = 20 // told before: its end is told
		case 60:
			values["us"] = 7 // silenced, and from 60 s on muted
		case 70:
			values["eu"] = 7 // muted
		case 100:
			r.routes(`[{"matchers":["severity=warn"],"receivers":["chat","desk"],"mute":["night"],"continue":true},{"receiver":"log"}]`)
		case 110:
			values["eu"] = 20 // before the mute is over
		case 130:
			values["us"] = 20
		}
		r.at(s*second - 100)
		for _, region := range []string{"eu", "us"} {
			r.send("n-"+region, p(values[region], "name", "sps", "region", region))
		}
		look(s*second + 500)
	}
	var out []string
	for _, x := range r.took() {
		for _, to := range x.To {
			out = append(out, x.ID+" "+x.Rule+" "+x.Tags["region"]+" "+to.Receiver)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n"), was
}

// TestHeldAndKilled: a kill at any mark, or after any transaction that stored
// notifications, changes nothing of who is told what.
func TestHeldAndKilled(t *testing.T) {
	want, _ := heldStory(t, true, 0)
	for text, n := range map[string]int{"-firing warn eu chat": 1, "-firing warn us chat": 2, "-firing page eu log": 2, "-firing warn eu log": 2, "-firing warn us log": 2, "-firing warn us desk": 1, "-resolved warn us desk": 1} {
		if got := strings.Count(want, text); got != n {
			t.Errorf("%q %d times, want %d", text, got, n)
		}
	}
	if t.Failed() {
		t.Fatalf("told:\n%s", want)
	}
	for _, marks := range []bool{true, false} {
		every := 1
		if marks && testing.Short() {
			every = 17
		}
		for n := 1; ; n += every {
			got, was := heldStory(t, marks, n)
			if !was {
				if n < 5 {
					t.Errorf("marks %v: killed %d times", marks, n-1)
				}
				break
			}
			if got != want {
				t.Fatalf("marks %v, killed at %d: told\n%s\nwant\n%s", marks, n, got, want)
			}
		}
	}
}
