package detect

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"pulse/detect/duration"
	"pulse/detect/label"
	"pulse/detect/route"
)

// ErrUnknownRouting is returned for a name that no inhibit rule or mute has.
var ErrUnknownRouting = errors.New("unknown")

// keyRouting holds the routing in the engine's bucket, whole.
var keyRouting = []byte("routing")

// routing is how alerts find receivers, and which files that comes from. A value is
// never changed; the methods return another one.
type routing struct {
	Config route.Config `json:"config"`
	// Routes names the files of the routes, "" when they were made over the API: their
	// order is what they mean, so they have one origin.
	Routes string `json:"routesFile,omitempty"`
	// Inhibit and Mute name the file of each name that comes from one.
	Inhibit map[string]string `json:"inhibitFiles,omitempty"`
	Mute    map[string]string `json:"muteFiles,omitempty"`
}

// withFiles is r with what files say in the place of what they said before. What files
// have they take over from the API. Entries of files stand first, so that
// fileRouting.place finds them.
func (r routing) withFiles(f *fileRouting) routing {
	out := routing{Inhibit: map[string]string{}, Mute: map[string]string{}}
	switch {
	case len(f.config.Routes) > 0:
		out.Config.Routes, out.Routes = f.config.Routes, f.files(sectionRoutes)
	case r.Routes == "":
		out.Config.Routes = r.Config.Routes
	}
	for i, x := range f.config.Inhibit {
		out.Inhibit[x.Name] = f.parts[sectionInhibit][i].source.name
	}
	for i, x := range f.config.Mute {
		out.Mute[x.Name] = f.parts[sectionMute][i].source.name
	}
	out.Config.Inhibit = slices.Clone(f.config.Inhibit)
	for _, x := range r.Config.Inhibit {
		if r.Inhibit[x.Name] == "" && out.Inhibit[x.Name] == "" {
			out.Config.Inhibit = append(out.Config.Inhibit, x)
		}
	}
	out.Config.Mute = slices.Clone(f.config.Mute)
	for _, x := range r.Config.Mute {
		if r.Mute[x.Name] == "" && out.Mute[x.Name] == "" {
			out.Config.Mute = append(out.Config.Mute, x)
		}
	}
	return out
}

// withRoutes is r with other routes, made over the API; none is allowed.
func (r routing) withRoutes(list []route.Route) (routing, error) {
	if r.Routes != "" {
		return r, &OwnedError{What: sectionRoutes, File: r.Routes}
	}
	r.Config.Routes = list
	return r, nil
}

// withInhibit is r with an inhibit rule added or replaced over the API; nil removes it.
func (r routing) withInhibit(name string, x *route.Inhibit) (routing, error) {
	if file := r.Inhibit[name]; file != "" {
		return r, &OwnedError{What: "inhibit rule", Name: name, File: file}
	}
	list, err := replaced(r.Config.Inhibit, x, func(x route.Inhibit) bool { return x.Name == name })
	if err != nil {
		return r, fmt.Errorf("%w inhibit rule %q", err, clip(name, maxID))
	}
	r.Config.Inhibit = list
	return r, nil
}

// withMute is r with a mute added or replaced over the API; nil removes it.
func (r routing) withMute(name string, x *route.Mute) (routing, error) {
	if file := r.Mute[name]; file != "" {
		return r, &OwnedError{What: "mute", Name: name, File: file}
	}
	list, err := replaced(r.Config.Mute, x, func(x route.Mute) bool { return x.Name == name })
	if err != nil {
		return r, fmt.Errorf("%w mute %q", err, clip(name, maxID))
	}
	r.Config.Mute = list
	return r, nil
}

// replaced is a copy of list in which x stands in the place of what is the same, or at
// the end; nil removes that.
func replaced[T any](list []T, x *T, same func(T) bool) ([]T, error) {
	out := slices.Clone(list)
	i := slices.IndexFunc(out, same)
	switch {
	case x == nil && i < 0:
		return nil, ErrUnknownRouting
	case x == nil:
		return slices.Delete(out, i, i+1), nil
	case i < 0:
		return append(out, *x), nil
	}
	out[i] = *x
	return out, nil
}

// naming returns the path of the first route that names a receiver, "" for none.
func (r *routing) naming(receiver string) string {
	return naming(r.Config.Routes, sectionRoutes, receiver)
}

func naming(list []route.Route, path, receiver string) string {
	for i := range list {
		at := fmt.Sprintf("%s[%d]", path, i)
		if slices.Contains(list[i].Receivers, receiver) {
			return at
		}
		if found := naming(list[i].Routes, at+"."+sectionRoutes, receiver); found != "" {
			return found
		}
	}
	return ""
}

// put stores the routing within a transaction.
func (r *routing) put(root *bbolt.Bucket) error {
	text, err := r.text()
	if err != nil {
		return fmt.Errorf("store routes: %w", err)
	}
	return root.Put(keyRouting, text)
}

func (r *routing) text() ([]byte, error) { return json.Marshal(r) }

// readRouting returns the stored routing, the empty one when there is none.
func readRouting(root *bbolt.Bucket) (r routing, err error) {
	text := root.Get(keyRouting)
	if text == nil {
		return routing{}, nil
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return routing{}, fmt.Errorf("read stored routes: %w", err)
	}
	return r, nil
}

// RouteTest is which way an alert would take.
type RouteTest struct {
	Labels    label.Set    `json:"labels"`
	Routed    bool         `json:"routed"`    // there are routes
	Taken     []string     `json:"taken"`     // paths of the routes that want it
	Receivers []string     `json:"receivers"` // that would be told now
	Legs      []RoutedTest `json:"legs"`      // with those that are muted
}

// RoutedTest is one receiver of an alert.
type RoutedTest struct {
	Receiver       string    `json:"receiver"`
	Route          string    `json:"route"` // path
	GroupKey       string    `json:"groupKey"`
	GroupLabels    label.Set `json:"groupLabels"`
	GroupWait      string    `json:"groupWait"` // a duration
	GroupInterval  string    `json:"groupInterval"`
	RepeatInterval string    `json:"repeatInterval"` // 0s: never
	MutedBy        []string  `json:"mutedBy,omitempty"`
	Outside        []string  `json:"outside,omitempty"` // active times, of which it is none
}

// test says where an alert with these labels would go at t (Unix ms). Where there are
// no routes everyone is told.
func (r *routing) test(set label.Set, everyone []string, t int64) RouteTest {
	out := RouteTest{Labels: set, Routed: r.Config.Routed(), Taken: append([]string{}, r.Config.Taken(set)...), Receivers: []string{}, Legs: []RoutedTest{}}
	if !r.Config.Routed() {
		out.Receivers = everyone
		return out
	}
	text := func(ms int64) string { return duration.Duration(ms).String() }
	for _, l := range r.Config.Decide(set, t) {
		out.Legs = append(out.Legs, RoutedTest{
			l.Receiver, l.Path, l.GroupKey, l.GroupLabels, text(l.GroupWait), text(l.GroupInterval), text(l.RepeatInterval), l.MutedBy, l.Outside,
		})
		if !l.Muted() {
			out.Receivers = append(out.Receivers, l.Receiver)
		}
	}
	slices.SortFunc(out.Receivers, cmp.Compare)
	return out
}
