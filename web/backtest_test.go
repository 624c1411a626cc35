package web_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"pulse/web"
)

type outcome struct {
	Pages []struct {
		Tags             map[string]string
		Type             string
		StartsAt, EndsAt *time.Time
		Value, Expected  *float64
	}
	PageCount     int
	MinutesFiring float64
	Delays        []struct {
		Start, End int64
		Tags       map[string]string
		Pages      int
		StartsAt   *time.Time
		DelayMs    *int64
	}
	Needless     *int
	Steps        []struct{ Start, End, Step int64 }
	Groups       []struct{ MinutesFiring float64 }
	GroupsJudged int
	Notices      []string
	Against      *outcome
	Diff         *struct {
		Added, Removed []json.RawMessage
		Moved          []struct {
			StartsAt time.Time
			Against  struct{ StartsAt time.Time }
		}
		Same, Pages int
	}
}

// TestBacktest sends values, and asks what two rules that nobody has put would
// have made of them.
func TestBacktest(t *testing.T) {
	r := newRig(t, settings{})
	for i := range 120 {
		s := int64(i + 1)
		v := 100
		if s > 60 && s <= 90 {
			v = 20
		}
		r.move(time.Second)
		r.publish(point(epoch+s*1000, float64(v), "gauge", "sps", "region", "eu"), point(epoch+s*1000, 100, "gauge", "sps", "region", "us"))
	}
	r.move(5 * time.Second)
	const expr = `"expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50}`
	ask := func(more string) answer {
		return r.call("POST", "/api/v1/backtest", fmt.Sprintf(`{"rule":{"id":"low",%s,"for":"4s"},"start":%d,"end":%d%s}`, expr, epoch, epoch+120_000, more), asJSON)
	}
	a := ask("")
	got := decode[outcome](t, a)
	if a.status != 200 || len(got.Pages) != 1 || got.PageCount != 1 || got.GroupsJudged != 2 || got.Diff != nil || got.Needless != nil || len(got.Groups) != 1 {
		t.Fatalf("got %s", a)
	}
	p := got.Pages[0]
	if p.Tags["region"] != "eu" || p.Type != "alert.firing" || p.StartsAt.UnixMilli() != epoch+65_000 || p.EndsAt.UnixMilli() != epoch+91_000 || *p.Value != 20 || p.Expected != nil {
		t.Errorf("page: %s", a)
	}
	if want := 26.0 / 60; got.MinutesFiring != want || got.Groups[0].MinutesFiring != want {
		t.Errorf("%v minutes, want %v", got.MinutesFiring, want)
	}
	if len(got.Steps) != 1 || got.Steps[0].Start != epoch || got.Steps[0].End != epoch+120_000 || got.Steps[0].Step != 1000 {
		t.Errorf("steps %+v", got.Steps)
	}

	a = ask(fmt.Sprintf(`,"against":{%s},"incidents":[{"start":%d,"end":%d,"tags":{"region":"eu"}},{"start":"2026-01-01T00:00:10Z","end":"2026-01-01T00:00:20Z","tags":{}}]`,
		expr, epoch+60_000, epoch+90_000))
	got = decode[outcome](t, a)
	if d := got.Delays; len(d) != 2 || d[0].DelayMs == nil || *d[0].DelayMs != 5000 || d[0].Pages != 1 || d[0].Start != epoch+60_000 || d[1].DelayMs != nil || d[1].StartsAt != nil || d[1].Start != epoch+10_000 {
		t.Errorf("delays: %s", a)
	}
	if got.Needless == nil || *got.Needless != 0 {
		t.Errorf("needless: %s", a)
	}
	if d := got.Diff; d == nil || len(d.Moved) != 1 || d.Moved[0].Against.StartsAt.UnixMilli() != epoch+61_000 || len(d.Added)+len(d.Removed)+d.Same+d.Pages != 0 || got.Against == nil || *got.Against.Delays[0].DelayMs != 1000 {
		t.Errorf("diff: %s", a)
	}
	if rules := r.get("/api/v1/rules"); strings.TrimSpace(string(rules.body)) != "[]" {
		t.Errorf("a back-test put a rule: %s", rules)
	}
}

type trace struct {
	Tags                          map[string]string
	Every                         int64
	T                             []int64
	Value, Expected, Lower, Upper []*float64
	Out                           []bool
	State                         []string
}

// TestBacktestTrace: one group is judged as it is among all, by a rule in force and by
// any other, and is drawn with no more points than were asked for.
func TestBacktestTrace(t *testing.T) {
	r := newRig(t, settings{})
	const rule = `{"id":"low","expr":"name,sps,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":%d},"for":"4s"}`
	r.putRule("low", fmt.Sprintf(rule, 50))
	for i := range 120 {
		s := int64(i + 1)
		v := 100
		if s > 60 && s <= 90 {
			v = 20
		}
		r.move(time.Second)
		r.publish(point(epoch+s*1000, float64(v), "gauge", "sps", "region", "eu"), point(epoch+s*1000, 100, "gauge", "sps", "region", "us"))
	}
	r.move(5 * time.Second)
	ask := func(below int, more string) (outcome, *trace) {
		a := r.call("POST", "/api/v1/backtest", fmt.Sprintf(`{"rule":`+rule+`,"start":%d,"end":%d%s}`, below, epoch, epoch+120_000, more), asJSON)
		if a.status != 200 {
			t.Fatal(a)
		}
		return decode[outcome](t, a), decode[struct{ Trace *trace }](t, a).Trace
	}
	for _, below := range []int{50, 60} { // as the rule in force, and as no other
		all, none := ask(below, "")
		one, x := ask(below, `,"group":{"region":"eu"},"trace":40`)
		if none != nil || x == nil || len(all.Pages) != 1 || len(one.Pages) != 1 || *one.Pages[0].StartsAt != *all.Pages[0].StartsAt || *one.Pages[0].EndsAt != *all.Pages[0].EndsAt || one.GroupsJudged != 1 {
			t.Fatalf("below %d: one group %+v, all %+v, trace %v", below, one, all, x)
		}
		n := len(x.T)
		if x.Tags["region"] != "eu" || x.Every != 3000 || n > 40 || n < 38 || len(x.Value) != n || len(x.Expected) != n || len(x.Lower) != n || len(x.Upper) != n || len(x.Out) != n || len(x.State) != n {
			t.Fatalf("trace %+v", x)
		}
		for i, at := range x.T {
			s, value, state := (at-epoch)/1000, 100.0, "inactive"
			if s > 60 && s <= 90 {
				value, state = 20, "pending"
			}
			if s >= 66 && s <= 91 { // fires at 65, is over at 91
				state = "firing"
			}
			if (at-epoch)%3000 != 0 || x.Value[i] == nil || *x.Value[i] != value || x.Out[i] != (value == 20) || *x.Lower[i] != float64(below) || x.Upper[i] != nil || x.State[i] != state {
				t.Errorf("below %d, %d s: value %v, out %t, state %s, want %v and %s", below, s, *x.Value[i], x.Out[i], x.State[i], value, state)
			}
		}
	}
	if other, x := ask(60, `,"group":{"region":"ap"},"trace":40`); x != nil || other.GroupsJudged != 0 {
		t.Errorf("a group that there is not: %+v, %+v", other, x)
	}
	if _, x := ask(60, `,"trace":2000`); x == nil || x.Every != 1000 || len(x.T) < 118 {
		t.Errorf("a point for each step: %+v", x)
	}
}

func TestBacktestRefuses(t *testing.T) {
	r := newRig(t, settings{})
	const rule = `{"expr":"name,sps,:eq,:sum"}`
	for _, c := range []struct{ name, body, text string }{
		{"nothing", ``, "JSON"},
		{"half", `{"rule":`, "JSON"},
		{"a list", `[]`, "want an object"},
		{"two", `{}{}`, "more text"},
		{"no rule", `{"start":1,"end":2}`, "rule is missing"},
		{"no start", `{"rule":` + rule + `,"end":2}`, "start is missing"},
		{"a start that is no time", `{"rule":` + rule + `,"start":"yesterday","end":2}`, "start is"},
		{"a negative start", `{"rule":` + rule + `,"start":-5,"end":2}`, "start is"},
		{"a huge end", `{"rule":` + rule + `,"start":1,"end":1e300}`, "end is"},
		{"no time", `{"rule":` + rule + `,"start":2,"end":2}`, "not before"},
		{"an unknown key", `{"rule":` + rule + `,"start":1,"end":2,"stop":3}`, `stop`},
		{"an unknown key of the rule", `{"rule":{"expr":"name,sps,:eq","exprr":""},"start":1,"end":2}`, "exprr"},
		{"a word that no rule may have", `{"rule":{"expr":"name,sps,:eq,:sum,:integral"},"start":1,"end":2}`, "integral"},
		{"an impossible detector", `{"rule":{"expr":"name,sps,:eq","detector":{"kind":"static"}},"start":1,"end":2}`, "static"},
		{"a bad version", `{"rule":` + rule + `,"against":{"expr":":nope"},"start":1,"end":2}`, "against"},
		{"incidents that are no list", `{"rule":` + rule + `,"start":1,"end":2,"incidents":{}}`, "incidents"},
		{"an incident without an end", `{"rule":` + rule + `,"start":1,"end":2,"incidents":[{"start":1}]}`, "incidents[0]: end"},
		{"an incident backwards", `{"rule":` + rule + `,"start":1,"end":2,"incidents":[{"start":2,"end":1}]}`, "incidents[0]"},
		{"a group that is no object", `{"rule":` + rule + `,"start":1,"end":2,"group":"eu"}`, "group is"},
		{"too many points", `{"rule":` + rule + `,"start":1,"end":2,"trace":2001}`, "1 to 2000"},
		{"points that are no number", `{"rule":` + rule + `,"start":1,"end":2,"trace":"all"}`, "trace is"},
		{"too many incidents", `{"rule":` + rule + `,"start":1,"end":2,"incidents":[` + strings.Repeat(`{"start":1,"end":2},`, 1000) + `{"start":1,"end":2}]}`, "at most 1000"},
	} {
		wantError(t, c.name, r.call("POST", "/api/v1/backtest", c.body, asJSON), 400, c.text)
	}
	good := fmt.Sprintf(`{"rule":%s,"start":%d,"end":%d}`, rule, epoch-60_000, epoch)
	wantError(t, "a form", r.call("POST", "/api/v1/backtest", good, "Content-Type: text/plain"), 415, "application/json")
	wantError(t, "another site", r.call("POST", "/api/v1/backtest", good, asJSON, "Origin: https://evil.example"), 403, "cross-site")
	wantError(t, "a large body", r.call("POST", "/api/v1/backtest", strings.Repeat(" ", 2<<20), asJSON), 413, "")
	if a := r.call("POST", "/api/v1/backtest", good, asJSON); a.status != 200 {
		t.Errorf("a good one: %s", a)
	}
}

// long is a rig on which a back-test takes many seconds, and its body.
func longBacktest(t *testing.T, o web.Options) (*rig, string) {
	r := newRig(t, settings{web: o})
	var points []string
	for i := range 500 {
		points = append(points, point(epoch, 100, "gauge", "sps", "node", fmt.Sprint(i)))
	}
	r.publish(points...)
	const days = 40 * time.Hour
	r.move(days)
	return r, fmt.Sprintf(`{"rule":{"expr":"name,sps,:eq,:sum,(,node,),:by","detector":"double-exponential","no_data":"zero"},"start":%d,"end":%d}`,
		epoch-1000, epoch+days.Milliseconds())
}

// TestBacktestEndsWithClient: a back-test that nobody waits for any more does not
// run on.
func TestBacktestEndsWithClient(t *testing.T) {
	r, body := longBacktest(t, web.Options{})
	used := func() int64 {
		limits := decode[struct {
			Limits map[string]struct{ Used int64 }
		}](t, r.get("/api/v1/status"))
		return limits.Limits["backtests"].Used
	}
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /api/v1/backtest HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", r.addr, len(body), body)
	for used() == 0 {
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if line, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
			t.Fatalf("answered at once: %s", line)
		}
	}
	conn.Close()
	began := time.Now()
	for used() > 0 {
		if time.Since(began) > patience {
			t.Fatal("it runs on")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// TestBacktestTakesTooLong: the limit of time is an answer that says so.
func TestBacktestTakesTooLong(t *testing.T) {
	r, body := longBacktest(t, web.Options{BacktestTimeout: 50 * time.Millisecond})
	wantError(t, "50 ms", r.call("POST", "/api/v1/backtest", body, asJSON), 503, "shorten the range")
}
