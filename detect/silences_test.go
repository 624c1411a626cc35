package detect_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pulse/detect"
	"pulse/detect/silence"
)

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
)

// silence puts a silence of an hour, or another length, and returns it.
func (r *rig) silence(matchers, more string) silence.Silence {
	r.t.Helper()
	if !strings.Contains(more, "endsAt") {
		more += `,"endsAt":"now+1h"`
	}
	s, err := detect.ParseSilence([]byte(fmt.Sprintf(`{"matchers":[%q],"author":"ann","comment":"upgrade"%s}`, matchers, more)), r.now())
	if err != nil {
		r.t.Fatal(err)
	}
	if s, err = r.engine.PutSilence(s, r.now()); err != nil {
		r.t.Fatal(err)
	}
	return s
}

const regional = `{"id":"regional","owner":"team-a","expr":"name,sps,:eq,:sum,(,region,),:by,10,:lt","for":"0s","severity":"page","labels":{"team":"playback"}}`

// TestSilencedBy: the list of alerts says which silences mean them now, and that
// changes nothing else.
func TestSilencedBy(t *testing.T) {
	r := newRig(t, second)
	r.put(regional)
	r.to(0)
	r.feed(1, 3, map[string]float64{"eu": 1, "us": 1})
	if got := r.alerts("firing"); len(got) != 2 || len(got[0].SilencedBy)+len(got[1].SilencedBy) != 0 {
		t.Fatalf("got %+v", got)
	}
	eu := r.silence(`{region="eu",type="alert"}`, "")
	team := r.silence(`{team="playback",severity=~"page|warn",owner="team-a",alertname="regional",rule!="x"}`, "")
	r.silence(`{region="ap"}`, "")
	r.silence(`{type="nodata"}`, "")
	r.silence(`{region="eu"}`, `,"startsAt":"now+10m"`)
	want := map[string][]string{"eu": {eu.ID, team.ID}, "us": {team.ID}}
	slices.Sort(want["eu"])
	check := func() {
		t.Helper()
		for _, a := range r.alerts("firing") {
			if region := a.Tags["region"]; !slices.Equal(a.SilencedBy, want[region]) || a.State != "firing" {
				t.Errorf("%s: silenced by %v, state %s; want %v", region, a.SilencedBy, a.State, want[region])
			}
			one, err := r.engine.AlertByID(t.Context(), a.Incident)
			if err != nil || !slices.Equal(one.SilencedBy, a.SilencedBy) {
				t.Errorf("alone: %v, %v", one.SilencedBy, err)
			}
			text, err := json.Marshal(a)
			if err != nil || !strings.Contains(string(text), `"silencedBy":["`) {
				t.Errorf("%s, %v", text, err)
			}
		}
	}
	check()
	r.restart(true)
	check()
	if err := r.engine.ExpireSilence(team.ID, "bob", r.now()); err != nil {
		t.Fatal(err)
	}
	want = map[string][]string{"eu": {eu.ID}}
	check = func() {
		t.Helper()
		for _, a := range r.alerts("firing") {
			if region := a.Tags["region"]; !slices.Equal(a.SilencedBy, want[region]) {
				t.Errorf("%s: silenced by %v, want %v", region, a.SilencedBy, want[region])
			}
		}
	}
	check()
	if got, _ := r.engine.Silence(team.ID); got.EndedBy != "ended by bob" || got.State(r.now()) != silence.Expired {
		t.Errorf("got %+v", got)
	}
	if n := r.engine.OpenSilences(r.now()); n != 4 {
		t.Errorf("%d silences, want 4", n)
	}
}

// feed publishes a value per region at each of the seconds from to to, and closes them.
func (r *rig) feed(from, to int64, values map[string]float64) {
	r.t.Helper()
	for s := from; s <= to; s++ {
		r.at(s*second - 100)
		var points []point
		for region, v := range values {
			points = append(points, p(v, "name", "sps", "region", region))
		}
		r.send("n-1", points...)
		r.to(s*second + 500)
	}
	r.to((to + 1) * second)
}

// TestPreview: a preview says what is hit now and what would have been.
func TestPreviewSilence(t *testing.T) {
	r := newRig(t, second)
	r.put(regional)
	r.to(0)
	r.feed(1, 3, map[string]float64{"eu": 1, "us": 1})
	r.feed(4, 8, map[string]float64{"eu": 20, "us": 20})
	r.feed(9, 11, map[string]float64{"eu": 1, "us": 1})
	r.feed(12, 15, map[string]float64{"eu": 1, "us": 20})
	if n := len(r.alerts("resolved")); n != 3 {
		t.Fatalf("%d incidents ended, want 3", n)
	}
	for _, c := range []struct {
		body      string
		now, past int
	}{
		{`{"matchers":["region=eu"]}`, 1, 1},
		{`{"matchers":[{"key":"region","op":"=~","value":"eu|us"},{"key":"team","op":"!=","value":"x"}],"since":"1h"}`, 1, 3},
		{`{"matchers":"rule=regional,owner=team-a","since":"6s"}`, 1, 1},
		{`{"matchers":["region=ap"]}`, 0, 0},
	} {
		ms, since, err := detect.ParsePreview([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.engine.PreviewSilence(ms, since, r.now())
		if err != nil {
			t.Fatal(err)
		}
		if got.Now.Count != c.now || got.Past.Count != c.past {
			t.Errorf("%s: %d now and %d past, want %d and %d", c.body, got.Now.Count, got.Past.Count, c.now, c.past)
		}
		for _, x := range got.Past.Shown {
			if x.EndsAt <= x.StartsAt || x.StartsAt < epoch || x.EndsAt > r.now() || x.Rule != "regional" || x.State != "resolved" {
				t.Errorf("%+v", x)
			}
		}
		if c.past > 0 && (len(got.Past.Rules) != 1 || got.Past.Rules[0].Count != c.past) {
			t.Errorf("%+v", got.Past.Rules)
		}
	}
	for body, want := range map[string]string{
		`{"matchers":[]}`:                        "matchers is empty",
		`{"matchers":["a!=b"]}`:                  "",
		`{"matchers":["a=~("]}`:                  "matchers[0]: ",
		`{"matchers":["a=b"],"since":"2y"}`:      "since",
		`{"matchers":["a=b"],"until":"2d"}`:      "key \"until\" is unknown",
		`{"matchers":["a=b"],"since":"2d"} more`: "followed by more text",
		`[]`:                                     "want an object",
	} {
		ms, _, err := detect.ParsePreview([]byte(body))
		if want == "" {
			if _, err := r.engine.PreviewSilence(ms, 0, r.now()); !errors.Is(err, silence.ErrInvalid) {
				t.Errorf("%s: %v", body, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", body, err, want)
		}
	}
}

func TestParseSilence(t *testing.T) {
	const now = epoch
	for body, want := range map[string]string{
		`{"matchers":["a=b"],"endsAt":"now+2h","author":"x","comment":"y"}`:                                                                   "",
		`{"id":"1","matchers":[{"key":"a","value":"b"}],"startsAt":"2026-01-01T00:00:00Z","endsAt":1767232800000,"endWhenNormalFor":"1h30m"}`: "",
		`{"matchers":["a=b"]}`:                                 "endsAt is missing",
		`{"matchers":["a=b"],"endsAt":"tomorrow"}`:             "endsAt is tomorrow, want a time such as",
		`{"matchers":["a=b"],"endsAt":"now-2h"}`:               "endsAt is now-2h",
		`{"matchers":["a=b"],"endsAt":true}`:                   "endsAt is true",
		`{"matchers":["a=b"],"endsAt":0}`:                      "endsAt is 0",
		`{"matchers":["a=b"],"endsAt":1.5}`:                    "endsAt is 1.5",
		`{"matchers":["a=b"],"startsAt":[],"endsAt":"now+1h"}`: "startsAt is []",
		`{"matchers":["a~b"],"endsAt":"now+1h"}`:               "matchers[0]: ",
		`{"matchers":5,"endsAt":"now+1h"}`:                     "matchers: ",
		`{"matchers":["a=b"],"ends_at":"now+1h"}`:              `key "ends_at" is unknown`,
		`{`:   "not JSON",
		`"x"`: "want an object",
	} {
		s, err := detect.ParseSilence([]byte(body), now)
		switch {
		case want == "" && (err != nil || s.EndsAt != now+2*hour || len(s.Matchers) != 1 || !s.Matchers[0].MatchesValue("b")):
			t.Errorf("%s: got %+v, %v", body, s, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want an error with %q", body, err, want)
		}
	}
}

// FuzzParseSilence: whatever is sent, it is refused or put as it was read.
func FuzzParseSilence(f *testing.F) {
	f.Add(`{"matchers":["a=b",{"key":"c","op":"!~","value":"d|e"}],"startsAt":"now+1h","endsAt":"now+2h","author":"x","comment":"y","endWhenNormalFor":"5m"}`)
	f.Add(`{"matchers":"{a=~\"b.*\"}","endsAt":1767232800000,"author":"x","comment":"y"}`)
	f.Add(`{"id":"x","matchers":[],"endsAt":"2026-01-01T00:00:00.000Z"}`)
	f.Fuzz(func(t *testing.T, body string) {
		s, err := detect.ParseSilence([]byte(body), epoch)
		if err != nil || s.Check() != nil {
			return
		}
		for _, m := range s.Matchers {
			m.MatchesValue("a")
		}
		if s.EndsAt <= s.StartsAt && s.StartsAt != 0 {
			t.Fatalf("%+v passes", s)
		}
	})
}
