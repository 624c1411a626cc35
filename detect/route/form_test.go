package route_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"pulse/detect/route"
)

const whole = `
routes:
  - matchers: ['team="a"', 'region=~"eu|us"']
    receivers: [x, y]
    group_by: [region]
    group_wait: 30s
    group_interval: 5m
    repeat_interval: 4h
    continue: true
    mute: [nights]
    active: [office]
    routes:
      - receivers: []
        group_by: []
        repeat_interval: 0s
        mute: []
  - receivers: [z]
inhibit:
  - {name: r, source: [severity=page], target: [severity=warn], equal: [region]}
mute:
  - name: office
    timezone: Europe/Berlin
    intervals:
      - times: [{start: "09:00", end: "17:30"}]
        weekdays: ['monday:friday', sunday]
        days_of_month: ['1:5', '-3:-1', '7']
        months: ['january:march', december]
        years: ['2026:2028', '2030']
        timezone: Asia/Tokyo
  - {name: nights, intervals: [{times: [{start: "22:00", end: "06:00"}]}]}
`

// shape is a configuration as text that tells nil from empty.
func shape(t *testing.T, c *route.Config) string {
	t.Helper()
	text, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestFormsReadBack(t *testing.T) {
	c := read(t, whole)
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var fromJSON, fromYAML route.Config
	if err := json.Unmarshal(text, &fromJSON); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(shape(t, c), shape(t, &fromJSON)); d != "" {
		t.Error(d)
	}
	text, err = yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &fromYAML); err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	if d := cmp.Diff(shape(t, c), shape(t, &fromYAML)); d != "" {
		t.Error(d)
	}
	for _, part := range []string{`"receivers": []`, `"mute": []`, `"group_by": []`, `"repeat_interval": "0s"`, `"op": "=~"`, `"monday:friday"`, `"-3:-1"`, `"start": "22:00"`} {
		if !strings.Contains(shape(t, c), part) {
			t.Errorf("%s is not written:\n%s", part, shape(t, c))
		}
	}
	if strings.Contains(shape(t, c), "null") {
		t.Error(shape(t, c))
	}
}

// TestAlertmanagerNames: what Alertmanager calls a key is read as well.
func TestAlertmanagerNames(t *testing.T) {
	theirs := read(t, `
routes:
  - receiver: x
    matchers: [team="a", 'region=~"eu|us"']
    mute_time_intervals: [office]
    routes: [{active_time_intervals: [office], group_by: ['...']}]
inhibit: [{name: r, source_matchers: [a=1], target_matchers: ['{b="2"}']}]
mute:
  - name: office
    time_intervals: [{times: [{start_time: "09:00", end_time: "17:00"}], location: Europe/Berlin}]
`)
	ours := read(t, `
routes:
  - receivers: [x]
    matchers: 'team=a,region=~eu|us'
    mute: office
    routes: [{active: office, group_by: '...'}]
inhibit: [{name: r, source: a=1, target: [{key: b, value: 2}]}]
mute:
  - name: office
    intervals: [{times: [{start: "09:00", end: "17:00"}], timezone: Europe/Berlin}]
`)
	if d := cmp.Diff(shape(t, ours), shape(t, theirs)); d != "" {
		t.Error(d)
	}
}

func TestDecodeRefuses(t *testing.T) {
	f := func(text, path, want string) {
		t.Helper()
		var tree map[string]any
		if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
			t.Fatal(err)
		}
		_, err := route.DecodeRoutes(tree["routes"])
		if err == nil {
			_, err = route.DecodeInhibit(tree["inhibit"])
		}
		if err == nil {
			_, err = route.DecodeMute(tree["mute"])
		}
		var e *route.Error
		if !errors.As(err, &e) || e.Path != path || !strings.Contains(e.Err.Error(), want) {
			t.Errorf("%s: got %v, want %q at %q", text, err, want, path)
		}
		var c route.Config
		if again := yaml.Unmarshal([]byte(text), &c); again == nil || !strings.Contains(again.Error(), err.Error()) {
			t.Errorf("%s: as a whole: %v", text, again)
		}
	}
	f(`routes: {receiver: a}`, "routes", "is an object, want a list")
	f(`routes: [a]`, "routes[0]", "is text, want an object")
	f(`routes: [{receiver: a}, {receivr: b}]`, "routes[1]", `key "receivr" is unknown, did you mean "receiver"?`)
	f(`routes: [{receiver: a, receivers: [b]}]`, "routes[0]", "has both receivers and receiver")
	f(`routes: [{}, {routes: [{matchers: [a=1, 'b']}]}]`, "routes[1].routes[0].matchers[1]", "want =, !=, =~ or !~")
	f(`routes: [{matchers: {a: 1}}]`, "routes[0].matchers", "want a list")
	f(`routes: [{match: {a: 1}}]`, "routes[0].match", "is written as matchers")
	f(`routes: [{group_wait: 30}]`, "routes[0].group_wait", "is no duration")
	f(`routes: [{group_interval: [1]}]`, "routes[0].group_interval", "is a list, want text")
	f(`routes: [{continue: "yes"}]`, "routes[0].continue", "want true or false")
	f(`routes: [{group_by: [{}]}]`, "routes[0].group_by[0]", "want text")
	f(`routes: [{group_by: {}}]`, "routes[0].group_by", "want a list")
	f(`routes: [{"": 1}]`, "routes[0]", `key "" is unknown`)
	f(`inhibit: [{name: a, source: ['a=~"("']}]`, "inhibit[0].source[0]", "missing closing )")
	f(`inhibit: [{name: a, from: [b=1]}]`, "inhibit[0]", `key "from" is unknown`)
	f(`mute: [{name: a, timezone: Mars/Base}]`, "mute[0].timezone", "no time zone")
	f(`mute: [{name: a, timezone: Local}]`, "mute[0].timezone", "no time zone")
	f(`mute: [{name: a, timezone: ../../etc/passwd}]`, "mute[0].timezone", "no time zone")
	f(`mute: [{intervals: [{}, {times: [{start: "9:00", end: "17:00"}]}]}]`, "mute[0].intervals[1].times[0].start", "no time of day")
	f(`mute: [{intervals: [{times: [{start: "09:00"}]}]}]`, "mute[0].intervals[0].times[0]", "end is missing")
	f(`mute: [{intervals: [{times: [{start: "09:00", end: "24:01"}]}]}]`, "mute[0].intervals[0].times[0].end", "no time of day")
	f(`mute: [{intervals: [{weekdays: [funday]}]}]`, "mute[0].intervals[0].weekdays[0]", "monday:friday")
	f(`mute: [{intervals: [{weekdays: [1]}]}]`, "mute[0].intervals[0].weekdays[0]", "monday:friday")
	f(`mute: [{intervals: [{days_of_month: [0]}]}]`, "mute[0].intervals[0].days_of_month[0]", "but 0")
	f(`mute: [{intervals: [{days_of_month: ['-1:5']}]}]`, "mute[0].intervals[0].days_of_month[0]", "from the end of the month")
	f(`mute: [{intervals: [{days_of_month: ['5:1']}]}]`, "mute[0].intervals[0].days_of_month[0]", "ends before it begins")
	f(`mute: [{intervals: [{days_of_month: ['-1:-3']}]}]`, "mute[0].intervals[0].days_of_month[0]", "ends before it begins")
	f(`mute: [{intervals: [{months: [13]}]}]`, "mute[0].intervals[0].months[0]", "january:march")
	f(`mute: [{intervals: [{months: ['']}]}]`, "mute[0].intervals[0].months[0]", "january:march")
	f(`mute: [{intervals: [{years: ['2028:2026']}]}]`, "mute[0].intervals[0].years[0]", "ends before it begins")
	f(`routes: [`+strings.Repeat(`{receiver: a, routes: [`, 20)+`{}`+strings.Repeat(`]}`, 20)+`]`,
		"routes[0]"+strings.Repeat(".routes[0]", 19)+".routes", "more than 20 deep")
	f(`routes: [`+strings.Repeat(`{},`, 1001)+`]`, "routes", "more than 1000 routes")
	f(`routes: [{routes: [`+strings.Repeat(`{},`, 600)+`]}, {routes: [`+strings.Repeat(`{},`, 400)+`]}]`, "routes[1].routes", "more than 1000 routes")

	var r route.Route
	for text, want := range map[string]string{`{"receiver":"a"}x`: "invalid character", `[]`: "want an object", `{"group_wait":"x"}`: `group_wait: "x" is no duration`} {
		if err := json.Unmarshal([]byte(text), &r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestCheck(t *testing.T) {
	f := func(text, path, want string) {
		t.Helper()
		var c route.Config
		if err := yaml.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		err := c.Check(func(name string) bool { return len(name) == 1 })
		var e *route.Error
		switch {
		case path == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case path != "" && (!errors.As(err, &e) || e.Path != path || !strings.Contains(e.Err.Error(), want)):
			t.Errorf("%s: got %v, want %q at %q", text, err, want, path)
		}
	}
	f(``, "", "")
	f(`routes: [{receiver: a}]`, "", "")
	f(`routes: [{receivers: []}]`, "", "")
	f(`routes: [{receiver: a, routes: [{matchers: [b=1]}]}]`, "", "")
	f(`routes: [{matchers: [b=1]}]`, "routes[0]", "names no receiver")
	f(`routes: [{receiver: a}, {routes: [{receiver: a}]}]`, "routes[1]", "names no receiver")
	f(`routes: [{receiver: a, routes: [{receivers: [b, nobody]}]}]`, "routes[0].routes[0].receivers[1]", `no receiver of alerts "nobody"`)
	f(`routes: [{receivers: [a, a]}]`, "routes[0].receivers[1]", "twice")
	f(`routes: [{receiver: ""}]`, "routes[0].receivers[0]", "is empty")
	f(`routes: [{receivers: [`+strings.Repeat("a, ", 17)+`]}]`, "routes[0].receivers", "at most 16")
	f(`routes: [{receiver: a, group_by: [x, x]}]`, "routes[0].group_by[1]", "twice")
	f(`routes: [{receiver: a, group_by: ['']}]`, "routes[0].group_by[0]", "no name")
	f(`routes: [{receiver: a, group_by: ['...', x]}]`, "routes[0].group_by", "and others")
	f(`routes: [{receiver: a, group_wait: 61m}]`, "routes[0].group_wait", "is 1h1m, want 0s to 1h")
	f(`routes: [{receiver: a, group_interval: 0s}]`, "routes[0].group_interval", "want 1s to 1w")
	f(`routes: [{receiver: a, repeat_interval: 100ms}]`, "routes[0].repeat_interval", "is 100ms, want 1s")
	f(`routes: [{receiver: a, repeat_interval: 0s}]`, "", "")
	f(`routes: [{receiver: a, mute: [none]}]`, "routes[0].mute[0]", `no mute "none"`)
	f(`{routes: [{receiver: a, active: [m, m]}], mute: [{name: m, intervals: [{}]}]}`, "routes[0].active[1]", "twice")
	f(`mute: [{name: m}]`, "mute[0]", "no intervals")
	f(`mute: [{intervals: [{}]}]`, "mute[0]", "name is missing")
	f(`mute: [{name: a/b, intervals: [{}]}]`, "mute[0]", "must be 1 to 64 characters")
	f(`mute: [{name: a, intervals: [{}]}, {name: a, intervals: [{}]}]`, "mute[1]", "that of two")
	f(`mute: [{name: a, intervals: [{times: [{start: "09:00", end: "09:00"}]}]}]`, "mute[0].intervals[0].times[0]", "begins and ends at 09:00")
	f(`mute: [{name: a, intervals: [{times: [{start: "24:00", end: "09:00"}]}]}]`, "mute[0].intervals[0].times[0]", "not from a time of day")
	f(`mute: [{name: a, intervals: [{weekdays: [`+strings.Repeat("monday,", 33)+`]}]}]`, "mute[0].intervals[0].weekdays", "at most 32")
	f(`mute: [{name: a, intervals: [`+strings.Repeat("{},", 51)+`]}]`, "mute[0].intervals", "at most 50")
	f(`inhibit: [{source: [a=1], target: [b=1]}]`, "inhibit[0]", "name is missing")
	f(`inhibit: [{name: a, target: [b=1]}]`, "inhibit[0]", "source has no matchers")
	f(`inhibit: [{name: a, source: [b=1]}]`, "inhibit[0]", "target has no matchers")
	f(`inhibit: [{name: a, source: [a=1], target: [b=1]}, {name: a, source: [a=1], target: [b=1]}]`, "inhibit[1]", "that of two")
	f(`inhibit: [{name: a, source: [a=1], target: [b=1], equal: [x, x]}]`, "inhibit[0].equal[1]", "twice")

	var many route.Config
	for i := range 1001 {
		many.Inhibit = append(many.Inhibit, route.Inhibit{Name: fmt.Sprint(i)})
	}
	if err := many.Check(nil); err == nil || !strings.Contains(err.Error(), "inhibit: has 1001 entries, at most 1000") {
		t.Error(err)
	}
	for _, c := range []route.Config{
		{Mute: []route.Mute{{Name: "m", Intervals: []route.Interval{{Months: []route.Range{{From: 0, To: 3}}}}}}},
		{Mute: []route.Mute{{Name: "m", Intervals: []route.Interval{{Weekdays: []route.Range{{From: 0, To: 7}}}}}}},
		{Mute: []route.Mute{{Name: "m", Intervals: []route.Interval{{Times: []route.Times{{Start: -1, End: 7}}}}}}},
	} {
		if err := c.Check(nil); err == nil {
			t.Errorf("%+v is right", c)
		}
	}
}

func TestWarnings(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		got := read(t, text).Warnings()
		ok := len(got) == len(want)
		for i := range min(len(got), len(want)) {
			ok = ok && strings.HasPrefix(got[i], want[i])
		}
		if !ok {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	f(``)
	f(`routes: [{receiver: a, matchers: [x=1]}, {receiver: b}]`)
	f(`routes: [{receiver: a, continue: true}, {receiver: b}]`)
	f(`routes: [{receiver: a}, {receiver: b, matchers: [x=1]}]`, "routes[1]: is never reached")
	f(`routes: [{receiver: a, matchers: [x=1]}]`, "routes: an alert that none of them takes")
	f(`routes: [{receiver: a, continue: true}]`, "routes: an alert that none")
	f(`routes: [{receiver: a, routes: [{matchers: [x=1]}, {receiver: b}, {receiver: c}]}]`, "routes[0].routes[2]: is never")
}

func FuzzConfig(f *testing.F) {
	var tree any
	if err := yaml.Unmarshal([]byte(whole), &tree); err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"routes":[{"receiver":null,"matchers":"a=1","routes":[{}]}],"inhibit":null,"mute":[{"name":1}]}`))
	f.Add([]byte(`{"mute":[{"name":"x","intervals":[{"months":["december:2"],"years":[2027],"location":"UTC"}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var c, back route.Config
		if json.Unmarshal(text, &c) != nil {
			return
		}
		checked := c.Check(nil)
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &back); err != nil && checked == nil {
			t.Fatalf("%s: %v", again, err)
		}
		if checked != nil {
			return
		}
		if twice, err := json.Marshal(back); err != nil || string(twice) != string(again) {
			t.Fatalf("%s\n%s", again, twice)
		}
		s, now := set("a=1 b=2"), int64(1_790_000_000_000)
		for _, l := range c.Decide(s, now) {
			if len(l.GroupKey) > 512 || l.Receiver == "" {
				t.Fatalf("%+v", l)
			}
		}
		c.Inhibited(s, firing(nil))
		c.NewInhibitor().By(s)
		if next := c.Next(now); next <= now {
			t.Fatalf("next %d after %d", next, now)
		}
	})
}

func FuzzInterval(f *testing.F) {
	f.Add("09:00", "17:00", "monday:friday", "-3:-1", "january:march", "2026:2028", int64(1_790_000_000_000))
	f.Add("22:00", "06:00", "sunday", "1", "2", "2026", int64(-1))
	f.Fuzz(func(t *testing.T, start, end, weekdays, days, months, years string, now int64) {
		now %= 1 << 48
		text, err := json.Marshal(map[string]any{"name": "m", "timezone": "America/New_York", "intervals": []any{map[string]any{
			"times": []any{map[string]string{"start": start, "end": end}}, "weekdays": []string{weekdays},
			"days_of_month": []string{days}, "months": []string{months}, "years": []string{years},
		}}})
		if err != nil {
			return
		}
		var m, back route.Mute
		if json.Unmarshal(text, &m) != nil || (&route.Config{Mute: []route.Mute{m}}).Check(nil) != nil {
			return
		}
		again, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(again, &back); err != nil || !cmp.Equal(m.Intervals, back.Intervals) {
			t.Fatalf("%s is %s, %v", text, again, err)
		}
		next := m.Next(now)
		if next <= now || next < now+366*86_400_000 && m.Active(next) == m.Active(next-1) {
			t.Fatalf("%s: next %d after %d", again, next, now)
		}
	})
}
