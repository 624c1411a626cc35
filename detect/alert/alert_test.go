package alert_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"pulse/detect/alert"
)

// TestScripts runs testdata/*.txt: a line of configuration, the observations of
// consecutive steps (o out, i in, u unjudged, . missing, pN a pause of N
// seconds), and after ---- what changed at which second.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("scripts: %v, found %d", err, len(files))
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range strings.Split(strings.TrimSpace(string(raw)), "\n\n") {
			runScript(t, fmt.Sprintf("%s case %d", filepath.Base(file), i+1), block)
		}
	}
}

func runScript(t *testing.T, name, block string) {
	var lines []string
	for _, line := range strings.Split(block, "\n") {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	head, want, ok := strings.Cut(strings.Join(lines, "\n"), "\n----")
	if !ok {
		t.Fatalf("%s: no ---- line", name)
	}
	config, steps, _ := strings.Cut(head, "\n")
	c := parseConfig(t, name, config)
	var s alert.State
	var got []string
	at := int64(0)
	for _, word := range strings.Fields(steps) {
		if ms, ok := strings.CutPrefix(word, "p"); ok {
			n, _ := strconv.Atoi(ms)
			at += int64(n) * 1000
			s.Pause(int64(n) * 1000)
			continue
		}
		for _, r := range word {
			at += c.Step
			if change := s.Step(&c, at, observation(t, name, r)); change != 0 {
				got = append(got, fmt.Sprintf("%d %s", at/1000, names(change)))
			}
		}
	}
	if g, w := strings.Join(got, "\n"), strings.TrimSpace(want); g != w {
		t.Errorf("%s:\n%s\ngot\n%s\nwant\n%s", name, head, g, w)
	}
}

func parseConfig(t *testing.T, name, text string) alert.Config {
	c := alert.Config{Step: 10_000, Keep: 10_000}
	for _, word := range strings.Fields(text) {
		key, value, _ := strings.Cut(word, "=")
		if key == "no_data" {
			c.NoData = map[string]alert.NoData{"auto": alert.Auto, "ok": alert.OK, "alert": alert.Alert, "keep": alert.Keep}[value]
			continue
		}
		if n, err := strconv.Atoi(value); key == "flaps" && err == nil {
			c.Flaps = int32(n)
			continue
		}
		d, err := time.ParseDuration(value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch key {
		case "step":
			c.Step = d.Milliseconds()
		case "for":
			c.For = d.Milliseconds()
		case "keep":
			c.Keep = d.Milliseconds()
		case "calm":
			c.Calm = d.Milliseconds()
		case "absence":
			c.AbsenceAfter = d.Milliseconds()
		default:
			t.Fatalf("%s: unknown key %q", name, key)
		}
	}
	return c
}

func observation(t *testing.T, name string, r rune) alert.Observation {
	switch r {
	case 'o':
		return alert.Out
	case 'i':
		return alert.In
	case 'u':
		return alert.Unjudged
	case '.':
		return alert.Missing
	}
	t.Fatalf("%s: unknown observation %q", name, r)
	return 0
}

func names(c alert.Change) string {
	var out []string
	for _, x := range []struct {
		bit  alert.Change
		name string
	}{
		{alert.Pended, "pended"}, {alert.Dropped, "dropped"}, {alert.Fired, "fired"},
		{alert.Resolved, "resolved"}, {alert.DataLost, "lost"}, {alert.DataReturn, "returned"},
	} {
		if c.Has(x.bit) {
			out = append(out, x.name)
		}
	}
	return strings.Join(out, " ")
}

// TestInvariants holds over random observations, policies and pauses: a firing
// has a pending before it, no less than for has been judged between the two, a
// resolve comes only for what fired, and missing data resolves nothing unless
// the policy says that it is in band. An alert that flaps is over only when it was
// calm for as long as it must be, and none begins more often in a row than it may.
func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := alert.Config{
			Step:         1000,
			For:          rapid.Int64Range(0, 5).Draw(t, "for") * 1000,
			Keep:         rapid.Int64Range(0, 5).Draw(t, "keep") * 1000,
			AbsenceAfter: rapid.Int64Range(0, 5).Draw(t, "absence") * 1000,
			NoData:       rapid.SampledFrom([]alert.NoData{alert.Auto, alert.OK, alert.Alert, alert.Keep}).Draw(t, "policy"),
			Flaps:        rapid.SampledFrom([]int32{0, 2, 3, 4}).Draw(t, "flaps"),
			Calm:         rapid.Int64Range(1, 6).Draw(t, "calm") * 1000,
		}
		var s alert.State
		var fires, losses row
		firing, lost, judgedOut := false, false, 0
		at := int64(0)
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			o := rapid.SampledFrom([]alert.Observation{alert.Missing, alert.Unjudged, alert.In, alert.Out, alert.Out}).Draw(t, "o")
			at += c.Step
			ch := s.Step(&c, at, o)
			out := o == alert.Out || o == alert.Missing && c.NoData == alert.Alert
			if out && !firing {
				judgedOut++
			}
			if ch.Has(alert.Dropped) {
				judgedOut = 0
			}
			if ch.Has(alert.Fired) {
				if firing || !out {
					t.Fatalf("fired at %d on %v while firing=%v", at, o, firing)
				}
				if int64(judgedOut-1)*c.Step < c.For {
					t.Fatalf("fired at %d after %d steps out of band, for is %d", at, judgedOut, c.For)
				}
				firing = true
			}
			if ch.Has(alert.Resolved) {
				if !firing || o != alert.In && !(o == alert.Missing && c.NoData == alert.OK) {
					t.Fatalf("resolved at %d on %v, firing=%v", at, o, firing)
				}
				firing, judgedOut = false, 0
			}
			if ch.Has(alert.DataLost) {
				if lost || o != alert.Missing || c.NoData != alert.Auto {
					t.Fatalf("data lost at %d on %v under %v", at, o, c.NoData)
				}
				lost = true
			}
			if ch.Has(alert.DataReturn) {
				if !lost || o == alert.Missing {
					t.Fatalf("data returned at %d on %v, lost=%v", at, o, lost)
				}
				lost = false
			}
			in := o == alert.In || o == alert.Missing && c.NoData == alert.OK
			fires.step(t, &c, "the alert", ch.Has(alert.Fired), ch.Has(alert.Resolved), firing, in, out)
			losses.step(t, &c, "the no-data alert", ch.Has(alert.DataLost), ch.Has(alert.DataReturn), lost, o != alert.Missing, o == alert.Missing && c.NoData == alert.Auto)
			if c.Flaps > 0 && (fires.times != s.Fires.Times || losses.times != s.Losses.Times) {
				t.Fatalf("state %+v, began %d and %d times in a row", s, fires.times, losses.times)
			}
			if firing != (s.Phase == alert.Firing) || lost != (s.NoDataAt != 0) {
				t.Fatalf("state %+v, changes say firing=%v lost=%v", s, firing, lost)
			}
		}
	})
}

// row follows how often an incident began in a row, by counting.
type row struct {
	times int32
	calm  int64 // ms since the last step that was not calm while it is on, since its end when it is over
}

func (r *row) step(t *rapid.T, c *alert.Config, what string, began, ended, on, calm, not bool) {
	switch {
	case began:
		if r.times++; c.Flaps > 0 && r.times > c.Flaps {
			t.Fatalf("%s began %d times in a row, %d are flapping", what, r.times, c.Flaps)
		}
		r.calm = 0
	case ended:
		r.calm += c.Step
		if flapping := c.Flaps > 0 && r.times >= c.Flaps; flapping && r.calm < c.Calm {
			t.Fatalf("%s flaps and was over after %d ms of calm, %d are needed", what, r.calm, c.Calm)
		} else if flapping {
			r.times = 0
		}
		r.calm = 0
	case calm:
		if r.calm += c.Step; !on && r.calm >= c.Calm {
			r.times = 0
		}
	case not && on:
		r.calm = 0
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	c := alert.Config{Step: 1000, For: 2000, Keep: 1000, AbsenceAfter: 3000, Flaps: 3, Calm: 5000}
	var s alert.State
	at := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		for o := alert.Missing; o <= alert.Out; o++ {
			at += c.Step
			s.Step(&c, at, o)
		}
	}); n != 0 {
		t.Errorf("%v allocations per step, want 0", n)
	}
}

func TestClear(t *testing.T) {
	c := alert.Config{Step: 1000, AbsenceAfter: 2000, Flaps: 2, Calm: 5000}
	var s alert.State
	s.Step(&c, 1000, alert.Out)
	s.Step(&c, 2000, alert.Missing)
	s.Step(&c, 3000, alert.Missing)
	if s.Phase != alert.Firing || s.NoDataAt != 3000 {
		t.Fatalf("state %+v, want firing and without data", s)
	}
	if ch := s.Clear(); ch != alert.Resolved|alert.DataReturn || s != (alert.State{}) {
		t.Errorf("Clear: %v, left %+v", names(ch), s)
	}
}
