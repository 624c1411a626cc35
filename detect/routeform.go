package detect

import (
	"fmt"

	"pulse/detect/label"
	"pulse/detect/route"
	"pulse/detect/scalar"
)

// maxTestLabels bounds the labels of an alert in a test of routes.
const maxTestLabels = 200

// ParseRoutes reads the object {"routes": [...]}. Unknown keys are errors, here as below.
func ParseRoutes(body []byte) ([]route.Route, error) {
	f, err := readFields("body", body, []string{sectionRoutes})
	if err != nil {
		return nil, err
	}
	v, given := f.get(sectionRoutes)
	if !given {
		f.fail("routes is missing; without any it is []")
	}
	if f.err != nil {
		return nil, fmt.Errorf("body: %w", f.err)
	}
	return route.DecodeRoutes(v)
}

// ParseInhibit reads an inhibit rule; name is the one that it has when it does not say so.
func ParseInhibit(body []byte, name string) (x route.Inhibit, err error) {
	if err := x.UnmarshalJSON(body); err != nil {
		return x, fmt.Errorf("inhibit rule: %w", err)
	}
	return x, named("inhibit rule", &x.Name, name)
}

// ParseMute reads a mute in the same way.
func ParseMute(body []byte, name string) (x route.Mute, err error) {
	if err := x.UnmarshalJSON(body); err != nil {
		return x, fmt.Errorf("mute: %w", err)
	}
	return x, named("mute", &x.Name, name)
}

func named(what string, name *string, want string) error {
	if *name == "" {
		*name = want
	}
	if *name != want {
		return fmt.Errorf("%s: name in the body is %q, in the path %q", what, clip(*name, 100), clip(want, 100))
	}
	return nil
}

// ParseRouteTest reads what a test of routes asks: {"labels": {...}, "t": time}, now
// (Unix ms) when t is not given.
func ParseRouteTest(body []byte, now int64) (set label.Set, t int64, err error) {
	f, err := readFields("test", body, []string{"labels", "t"})
	if err != nil {
		return nil, 0, err
	}
	set = label.Set{}
	v, _ := f.get("labels")
	m, ok := v.(map[string]any)
	if !ok {
		f.fail("labels is %s, want an object", scalar.TypeName(v))
	}
	if len(m) > maxTestLabels {
		f.fail("labels has %d entries, at most %d", len(m), maxTestLabels)
	}
	for key, v := range m {
		value, ok := v.(string)
		switch {
		case !ok:
			f.fail("labels.%s is %s, want a text", clip(key, 100), scalar.TypeName(v))
		case key == "" || len(key) > label.MaxKey || len(value) > label.MaxValue:
			f.fail("labels has a name of %d bytes with %d bytes, want 1 to %d with at most %d", len(key), len(value), label.MaxKey, label.MaxValue)
		case value != "":
			set[key] = value
		}
	}
	if t = f.time("t", now); t == 0 {
		t = now
	}
	if f.err != nil {
		return nil, 0, fmt.Errorf("test: %w", f.err)
	}
	return set, t, nil
}
