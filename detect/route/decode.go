package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strconv"
	"strings"

	"pulse/detect/algo"
	"pulse/detect/duration"
	"pulse/detect/label"
	"pulse/detect/scalar"
)

// Error is what is wrong with a configuration, and where.
type Error struct {
	Path string // such as "routes[1].routes[0].matchers"; "" is all of it
	Err  error
}

// Error is `path: what`.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Err.Error()
	}
	return e.Path + ": " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// The keys of the parts, in the order of the documentation. Those after the empty one
// are Alertmanager's, read as well and never written.
var (
	configKeys = []string{"routes", "inhibit", "mute"}
	routeKeys  = []string{"receiver", "receivers", "matchers", "group_by", "group_wait", "group_interval", "repeat_interval",
		"continue", "mute", "active", "routes", "", "mute_time_intervals", "active_time_intervals"}
	inhibitKeys  = []string{"name", "source", "target", "equal", "", "source_matchers", "target_matchers"}
	muteKeys     = []string{"name", "timezone", "intervals", "", "time_intervals"}
	intervalKeys = []string{"times", "weekdays", "days_of_month", "months", "years", "timezone", "", "location"}
	timesKeys    = []string{"start", "end", "", "start_time", "end_time"}
)

// DecodeRoutes reads the tree that JSON or YAML gave for the key routes: a list. Like
// the two below it fails with an *Error; names and limits are checked by Check.
func DecodeRoutes(tree any) ([]Route, error) {
	r := &reader{}
	routes := r.routes(r.items("routes", tree), "routes", 1)
	return routes, r.failed()
}

// DecodeInhibit reads what the key inhibit has: a list.
func DecodeInhibit(tree any) ([]Inhibit, error) {
	r := &reader{}
	rules := each(r, "inhibit", r.items("inhibit", tree), r.inhibit)
	return rules, r.failed()
}

// DecodeMute reads what the key mute has: a list.
func DecodeMute(tree any) ([]Mute, error) {
	r := &reader{}
	mutes := each(r, "mute", r.items("mute", tree), r.mute)
	return mutes, r.failed()
}

// reader turns a tree into a configuration and keeps the first error.
type reader struct {
	err *Error
	n   int // routes read
}

func (r *reader) fail(path, format string, args ...any) {
	if r.err == nil {
		r.err = &Error{path, fmt.Errorf(format, args...)}
	}
}

func (r *reader) failed() error {
	if r.err == nil {
		return nil
	}
	return r.err
}

// items returns a list; absent and null are the empty one.
func (r *reader) items(path string, tree any) []any {
	list, ok := tree.([]any)
	if !ok && tree != nil {
		r.fail(path, "is %s, want a list", scalar.TypeName(tree))
	}
	return list
}

// each reads every item of a list that is an object.
func each[T any](r *reader, path string, items []any, read func(*fields) T) []T {
	var out []T
	for i, item := range items {
		f := r.object(path+"["+strconv.Itoa(i)+"]", item)
		if out = append(out, read(f)); r.err != nil {
			return nil
		}
	}
	return out
}

func (r *reader) object(path string, tree any) *fields {
	m, ok := tree.(map[string]any)
	if !ok {
		r.fail(path, "is %s, want an object", scalar.TypeName(tree))
	}
	return &fields{r, path, m}
}

func (r *reader) config(f *fields) Config {
	f.known(configKeys)
	routes, inhibit, mute := f.at("routes"), f.at("inhibit"), f.at("mute")
	return Config{
		Routes:  r.routes(r.items(routes, f.m["routes"]), routes, 1),
		Inhibit: each(r, inhibit, r.items(inhibit, f.m["inhibit"]), r.inhibit),
		Mute:    each(r, mute, r.items(mute, f.m["mute"]), r.mute),
	}
}

func (r *reader) routes(items []any, path string, depth int) []Route {
	if r.n += len(items); r.n > MaxRoutes {
		r.fail(path, "more than %d routes", MaxRoutes)
		return nil
	}
	if depth > MaxDepth && len(items) > 0 {
		r.fail(path, "routes within routes more than %d deep", MaxDepth)
		return nil
	}
	return each(r, path, items, func(f *fields) Route { return r.route(f, depth) })
}

func (r *reader) route(f *fields, depth int) Route {
	for _, old := range []string{"match", "match_re"} {
		if _, given := f.get(old); given {
			r.fail(f.at(old), `is written as matchers, such as matchers: ['team="a"', 'region=~"eu|us"']`)
		}
	}
	f.known(routeKeys)
	x := Route{
		Receivers:      f.list("receivers", "receiver"),
		Matchers:       f.matchers("matchers"),
		GroupBy:        f.list("group_by"),
		GroupWait:      f.duration("group_wait"),
		GroupInterval:  f.duration("group_interval"),
		RepeatInterval: f.duration("repeat_interval"),
		Continue:       f.yes("continue"),
		Mute:           f.list("mute", "mute_time_intervals"),
		Active:         f.list("active", "active_time_intervals"),
	}
	x.Routes = r.routes(r.items(f.at("routes"), f.m["routes"]), f.at("routes"), depth+1)
	return x
}

func (r *reader) inhibit(f *fields) Inhibit {
	f.known(inhibitKeys)
	return Inhibit{
		Name:   f.text("name"),
		Source: f.matchers("source", "source_matchers"),
		Target: f.matchers("target", "target_matchers"),
		Equal:  f.list("equal"),
	}
}

func (r *reader) mute(f *fields) Mute {
	f.known(muteKeys)
	m := Mute{Name: f.text("name")}
	if zone := f.zone("timezone"); zone != nil {
		m.Timezone = *zone
	}
	key := f.one("intervals", "time_intervals")
	m.Intervals = each(r, f.at(key), r.items(f.at(key), f.m[key]), r.interval)
	return m
}

func (r *reader) interval(f *fields) Interval {
	f.known(intervalKeys)
	v := Interval{
		Weekdays:    f.ranges("weekdays", &weekdayList),
		DaysOfMonth: f.ranges("days_of_month", &dayList),
		Months:      f.ranges("months", &monthList),
		Years:       f.ranges("years", &yearList),
		Timezone:    f.zone("timezone", "location"),
	}
	v.Times = each(r, f.at("times"), r.items(f.at("times"), f.m["times"]), r.times)
	return v
}

func (r *reader) times(f *fields) Times {
	f.known(timesKeys)
	return Times{f.clock("start", "start_time"), f.clock("end", "end_time")}
}

// fields reads an object key by key.
type fields struct {
	*reader
	path string
	m    map[string]any
}

// at is the path of a key.
func (f *fields) at(key string) string {
	if f.path == "" {
		return key
	}
	return f.path + "." + key
}

func (f *fields) known(keys []string) {
	given := make([]string, 0, len(f.m))
	for key := range f.m {
		given = append(given, key)
	}
	sort.Strings(given)
	for _, key := range given {
		if key == "" || !slices.Contains(keys, key) {
			own := keys
			if i := slices.Index(keys, ""); i >= 0 {
				own = keys[:i]
			}
			f.fail(f.path, "key %.60q is unknown%s (known: %s)", key, algo.Meant(key, own), strings.Join(own, ", "))
		}
	}
}

// get returns the value of a key; null counts as not given.
func (f *fields) get(key string) (any, bool) {
	v, ok := f.m[key]
	return v, ok && v != nil
}

// one returns which of the names of a key is given, the first if none is. Two are an
// error.
func (f *fields) one(keys ...string) string {
	found := keys[0]
	n := 0
	for _, key := range keys {
		if _, ok := f.get(key); ok {
			found, n = key, n+1
		}
	}
	if n > 1 {
		f.fail(f.path, "has both %s", strings.Join(keys, " and "))
	}
	return found
}

func (f *fields) text(keys ...string) string {
	key := f.one(keys...)
	v, ok := f.get(key)
	if !ok {
		return ""
	}
	text, ok := textOf(v)
	if !ok {
		f.fail(f.at(key), "is %s, want text", scalar.TypeName(v))
	}
	return text
}

func (f *fields) yes(key string) bool {
	v, ok := f.get(key)
	yes, isBool := v.(bool)
	if ok && !isBool {
		f.fail(f.at(key), "is %s, want true or false", scalar.TypeName(v))
	}
	return yes
}

func (f *fields) duration(key string) *duration.Duration {
	if _, ok := f.get(key); !ok {
		return nil
	}
	d, err := duration.Parse(f.text(key))
	if err != nil {
		f.fail(f.at(key), "%w", err)
	}
	return &d
}

func (f *fields) matchers(keys ...string) label.Matchers {
	key := f.one(keys...)
	ms, err := label.Decode(f.m[key])
	if err != nil {
		index, rest := "", err
		var item *label.ItemError
		if errors.As(err, &item) {
			index, rest = "["+strconv.Itoa(item.Index)+"]", item.Err
		}
		f.fail(f.at(key)+index, "%w", rest)
	}
	return ms
}

// list reads a list of texts; a single text is a list of one. Not given is nil.
func (f *fields) list(keys ...string) []string {
	key := f.one(keys...)
	v, ok := f.get(key)
	if !ok {
		return nil
	}
	if text, ok := textOf(v); ok {
		return []string{text}
	}
	out := []string{}
	for i, item := range f.items(f.at(key), v) {
		text, ok := textOf(item)
		if !ok {
			f.fail(f.at(key)+"["+strconv.Itoa(i)+"]", "is %s, want text", scalar.TypeName(item))
		}
		out = append(out, text)
	}
	return out
}

func (f *fields) ranges(key string, l *list) []Range {
	var out []Range
	for i, text := range f.list(key) {
		r, err := l.parse(text)
		if err != nil {
			f.fail(f.at(key)+"["+strconv.Itoa(i)+"]", "%w", err)
		}
		out = append(out, r)
	}
	return out
}

func (f *fields) clock(keys ...string) int {
	key := f.one(keys...)
	if _, ok := f.get(key); !ok {
		f.fail(f.path, "%s is missing", key)
		return 0
	}
	minutes, err := parseClock(f.text(key))
	if err != nil {
		f.fail(f.at(key), "%w", err)
	}
	return minutes
}

func (f *fields) zone(keys ...string) *Zone {
	key := f.one(keys...)
	if _, ok := f.get(key); !ok {
		return nil
	}
	z, err := ParseZone(f.text(key))
	if err != nil {
		f.fail(f.at(key), "%w", err)
	}
	return &z
}

// textOf returns the text of a text or a number.
func textOf(v any) (string, bool) {
	if _, isBool := v.(bool); isBool {
		return "", false
	}
	return scalar.Text(v)
}

// fromJSON reads one object.
func fromJSON[T any](body []byte, read func(*reader, *fields) T) (out T, err error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return out, fmt.Errorf("not JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return out, errors.New("text after the object")
	}
	return fromTree(tree, read)
}

func fromTree[T any](tree any, read func(*reader, *fields) T) (out T, err error) {
	r := &reader{}
	out = read(r, r.object("", tree))
	if err := r.failed(); err != nil {
		var none T
		return none, err
	}
	return out, nil
}
