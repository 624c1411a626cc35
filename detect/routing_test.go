package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"go.etcd.io/bbolt"

	"pulse/detect/label"
	"pulse/detect/route"
)

// readRoutingFiles reads the sections of files, by name and text, and checks them with
// the receivers oncall and email.
func readRoutingFiles(t *testing.T, before routing, files ...string) (routing, error) {
	t.Helper()
	var f fileRouting
	for i := 0; i < len(files); i += 2 {
		s := &source{name: files[i], text: []byte(files[i+1])}
		var m map[string]any
		if err := yaml.Unmarshal(s.text, &m); err != nil {
			t.Fatalf("%v\n%s", err, s.text)
		}
		if faults := f.read(s, m); len(faults) > 0 {
			return before, faults[0]
		}
	}
	r := before.withFiles(&f)
	if err := r.Config.Check(func(name string) bool { return name == "oncall" || name == "email" }); err != nil {
		return before, f.place(err)
	}
	return r, nil
}

// TestRoutingFaults: what is wrong is told with the file and the place, which is where
// the mark stands.
func TestRoutingFaults(t *testing.T) {
	const mark = "▸"
	const good = "routes:\n  - {receiver: oncall, routes: [{matchers: [a=b]}]}\nmute:\n  - {name: nights, intervals: [{weekdays: [sunday]}]}\ninhibit:\n  - {name: i, source: [a=b], target: [c=d]}\n"
	for _, c := range []struct{ text, want string }{
		{"▸routes: 5", "is a number, want a list"},
		{"routes:\n  - ▸5", "is a number, want an object"},
		{"routes:\n  - receiver: oncall\n    ▸grup_by: [a]", `"grup_by"`},
		{"routes:\n  - receiver: oncall\n    routes:\n      - matchers:\n          - a=b\n          - ▸a=~\"(\"", "matchers"},
		{"routes:\n  - receiver: oncall\n    ▸group_interval: soon", "group_interval"},
		{"routes:\n  - ▸receiver: nobody", "nobody"},
		{"routes:\n  - receiver: oncall\n    routes:\n      - receiver: email\n        mute: [▸weekends]", "weekends"},
		{"inhibit:\n  - name: x\n    ▸target: []\n    source: [a=b]", "target"},
		{"inhibit:\n  - ▸source: [a=b]\n    target: [c=d]", "name is missing"},
		{"inhibit:\n  - {name: x, source: [▸'a'], target: [c=d]}", "source"},
		{"mute:\n  - name: x\n    intervals:\n      - weekdays: [▸moonday]", "moonday"},
		{"mute:\n  - name: x\n    ▸timezone: Mars/Base\n    intervals: [{weekdays: [sunday]}]", "Mars"},
		{"mute:\n  - {▸name: nights, intervals: [{weekdays: [sunday]}]}", "is that of two"},
	} {
		before, after, _ := strings.Cut(c.text, mark)
		at := Place{1 + strings.Count(before, "\n"), 1 + len([]rune(before[strings.LastIndex(before, "\n")+1:]))}
		_, err := readRoutingFiles(t, routing{}, "a.yaml", good, "b.yaml", before+after)
		var fault *Fault
		if !errors.As(err, &fault) || fault.File != "b.yaml" || fault.Place != at || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %v\nwant b.yaml:%s and %s", c.text, err, at, c.want)
		}
	}
	if r, err := readRoutingFiles(t, routing{}, "a.yaml", good); err != nil || len(r.Config.Routes) != 1 {
		t.Errorf("a good file: %+v, %v", r, err)
	}
}

// TestRoutingOwners: files own what they say, the API the rest, and a file takes over.
func TestRoutingOwners(t *testing.T) {
	mute := func(name, day string) *route.Mute {
		var m route.Mute
		if err := json.Unmarshal([]byte(fmt.Sprintf(`{"name":%q,"intervals":[{"weekdays":[%q]}]}`, name, day)), &m); err != nil {
			t.Fatal(err)
		}
		return &m
	}
	rule := &route.Inhibit{Name: "api", Source: label.Matchers{}, Target: label.Matchers{}}
	var r routing
	step := func(f func() (routing, error)) {
		t.Helper()
		var err error
		if r, err = f(); err != nil {
			t.Fatal(err)
		}
	}
	has := func(what, want string) {
		t.Helper()
		var got []string
		if len(r.Config.Routes) > 0 {
			got = append(got, "routes")
		}
		for _, x := range r.Config.Inhibit {
			got = append(got, x.Name)
		}
		for _, x := range r.Config.Mute {
			got = append(got, x.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", what, got, want)
		}
	}
	refused := func(what string, err error) {
		t.Helper()
		var owned *OwnedError
		if !errors.As(err, &owned) || owned.File != "a.yaml" {
			t.Errorf("%s: %v", what, err)
		}
	}
	step(func() (routing, error) { return r.withRoutes([]route.Route{{Receivers: []string{"oncall"}}}) })
	step(func() (routing, error) { return r.withInhibit("api", rule) })
	step(func() (routing, error) { return r.withMute("api", mute("api", "sunday")) })
	step(func() (routing, error) { return r.withMute("both", mute("both", "monday")) })
	step(func() (routing, error) { return r.withMute("both", mute("both", "tuesday")) })
	has("over the API", "routes api api both")
	before := r
	r = r.withFiles(&fileRouting{})
	has("without files", "routes api api both")

	const text = "routes: [{receiver: email}]\nmute: [{name: both, intervals: [{weekdays: [friday]}]}, {name: file, intervals: [{weekdays: [friday]}]}]\n"
	r.Config.Inhibit = nil
	step(func() (routing, error) { return readRoutingFiles(t, r, "a.yaml", text) })
	has("with a file", "routes both file api")
	if r.naming("email") != "routes[0]" || r.naming("oncall") != "" {
		t.Errorf("naming %q %q", r.naming("email"), r.naming("oncall"))
	}
	_, err := r.withRoutes(nil)
	refused("routes", err)
	_, err = r.withMute("both", nil)
	refused("delete", err)
	_, err = r.withMute("file", mute("file", "sunday"))
	refused("put", err)
	if _, err := r.withMute("nobody", nil); !errors.Is(err, ErrUnknownRouting) {
		t.Errorf("unknown: %v", err)
	}
	step(func() (routing, error) { return r.withMute("api", nil) })
	has("deleted", "routes both file")
	r = r.withFiles(&fileRouting{})
	has("when the file is gone", "")
	if len(before.Config.Mute) != 2 || before.Config.Mute[1].Name != "both" {
		t.Errorf("a value changed: %+v", before)
	}
}

// TestRoutingStored: it comes back from the database as it was.
func TestRoutingStored(t *testing.T) {
	r, err := readRoutingFiles(t, routing{}, "a.yaml", "routes: [{receiver: email, group_by: [], routes: [{matchers: ['a=~\"b|c\"'], repeat_interval: 4h}]}]\nmute: [{name: m, timezone: Europe/Berlin, intervals: [{weekdays: ['monday:friday']}]}]\n")
	if err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "x.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var back, none routing
	err = db.Update(func(tx *bbolt.Tx) error {
		root, err := tx.CreateBucket(keyDetect)
		if err != nil {
			return err
		}
		if none, err = readRouting(root); err != nil {
			return err
		}
		if err := r.put(root); err != nil {
			return err
		}
		back, err = readRouting(root)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(r)
	b, _ := json.Marshal(back)
	if string(a) != string(b) || none.Config.Routed() {
		t.Errorf("got  %s\nwant %s, and first %+v", b, a, none)
	}
}

// TestRouteTest: the dry run shows the paths and whom it would tell.
func TestRouteTest(t *testing.T) {
	r, err := readRoutingFiles(t, routing{}, "a.yaml", `
routes:
  - matchers: [severity=page]
    receiver: oncall
    mute: [sundays]
    continue: true
    routes: [{matchers: [region=eu], group_by: [region], repeat_interval: 4h}]
  - {receiver: email}
mute: [{name: sundays, intervals: [{weekdays: [sunday]}]}]
`)
	if err != nil {
		t.Fatal(err)
	}
	const thursday, sunday = 1_700_000_000_000 + 2*86_400_000, 1_700_000_000_000 + 5*86_400_000
	set := label.Set{"severity": "page", "region": "eu"}
	got := r.test(set, nil, thursday)
	if !slices.Equal(got.Taken, []string{"routes[0].routes[0]", "routes[1]"}) || !slices.Equal(got.Receivers, []string{"email", "oncall"}) ||
		got.Legs[0].Route != "routes[0].routes[0]" || got.Legs[0].RepeatInterval != "4h" || got.Legs[0].GroupLabels["region"] != "eu" {
		t.Errorf("got %+v", got)
	}
	if got := r.test(set, nil, sunday); !slices.Equal(got.Receivers, []string{"email"}) || !slices.Equal(got.Legs[0].MutedBy, []string{"sundays"}) {
		t.Errorf("on a Sunday %+v", got)
	}
	if got := (&routing{}).test(set, []string{"a", "b"}, thursday); !slices.Equal(got.Receivers, []string{"a", "b"}) {
		t.Errorf("without routes %+v", got)
	}
}
