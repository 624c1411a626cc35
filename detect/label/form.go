package label

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strings"

	"pulse/detect/scalar"
)

// keys of a matcher in JSON and YAML.
var keys = []string{"key", "op", "value"}

// ItemError is what is wrong with one item of a list.
type ItemError struct {
	Index int
	Err   error
}

// Error is `[1]: what`.
func (e *ItemError) Error() string { return fmt.Sprintf("[%d]: %v", e.Index, e.Err) }
func (e *ItemError) Unwrap() error { return e.Err }

// Decode reads matchers from a tree as JSON or YAML gives it: one text (ParseAll), or
// a list whose items are texts or objects {key, op, value}; without op it is "=". A
// number or boolean is taken as its text. nil is the empty list. What is wrong with an
// item of a list is an *ItemError.
func Decode(tree any) (Matchers, error) {
	switch x := tree.(type) {
	case nil:
		return nil, nil
	case string:
		return ParseAll(x)
	case []any:
		var ms Matchers
		for i, item := range x {
			more, err := decodeItem(item)
			if err != nil {
				return nil, &ItemError{i, err}
			}
			if ms = append(ms, more...); len(ms) > MaxMatchers {
				return nil, fmt.Errorf("%w: more than %d in a list", ErrMatcher, MaxMatchers)
			}
		}
		return ms, nil
	}
	return nil, fmt.Errorf("%w: want a list such as ['severity=\"page\"', 'region=~\"eu|us\"']", ErrMatcher)
}

// decodeItem reads an item of a list; a text may hold several.
func decodeItem(item any) (Matchers, error) {
	switch x := item.(type) {
	case string:
		ms, err := ParseAll(x)
		if err == nil && len(ms) == 0 {
			err = fmt.Errorf("%w: it is empty", ErrMatcher)
		}
		return ms, err
	case map[string]any:
		m, err := decodeObject(x)
		return Matchers{m}, err
	}
	return nil, fmt.Errorf(`%w: want text such as severity="page" or an object with the keys key, op, value`, ErrMatcher)
}

func decodeObject(object map[string]any) (Matcher, error) {
	given := make([]string, 0, len(object))
	for key := range object {
		given = append(given, key)
	}
	sort.Strings(given)
	text := map[string]string{}
	for _, key := range given {
		if !slices.Contains(keys, key) {
			return Matcher{}, fmt.Errorf("%w: key %.60q is unknown (known: %s)", ErrMatcher, key, strings.Join(keys, ", "))
		}
		value, ok := scalar.Text(object[key])
		if !ok && object[key] != nil {
			return Matcher{}, fmt.Errorf("%w: %s is no text", ErrMatcher, key)
		}
		text[key] = value
	}
	if text["op"] == "" {
		text["op"] = string(Equal)
	}
	return New(text["key"], Op(text["op"]), text["value"])
}

// MarshalJSON writes {"key":...,"op":...,"value":...}.
func (m Matcher) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Key   string `json:"key"`
		Op    Op     `json:"op"`
		Value string `json:"value"`
	}{m.Key, m.Op, m.Value})
}

// UnmarshalJSON reads an object or a text form and compiles.
func (m *Matcher) UnmarshalJSON(body []byte) error {
	tree, err := readJSON(body)
	if err != nil {
		return err
	}
	ms, err := decodeItem(tree)
	if err == nil && len(ms) != 1 {
		err = fmt.Errorf("%w: %d, want one", ErrMatcher, len(ms))
	}
	if err == nil {
		*m = ms[0]
	}
	return err
}

// MarshalJSON writes a list, never null.
func (ms Matchers) MarshalJSON() ([]byte, error) {
	return json.Marshal(append([]Matcher{}, ms...))
}

// UnmarshalJSON is Decode.
func (ms *Matchers) UnmarshalJSON(body []byte) error {
	tree, err := readJSON(body)
	if err != nil {
		return err
	}
	*ms, err = Decode(tree)
	return err
}

// MarshalYAML writes the text forms: they are what people write in files.
func (ms Matchers) MarshalYAML() (any, error) {
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = m.String()
	}
	return out, nil
}

// UnmarshalYAML is Decode.
func (ms *Matchers) UnmarshalYAML(read func(any) error) error {
	var tree any
	if err := read(&tree); err != nil {
		return err
	}
	var err error
	*ms, err = Decode(tree)
	return err
}

func readJSON(body []byte) (tree any, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	err = d.Decode(&tree)
	return tree, err
}
