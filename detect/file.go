package detect

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"

	"pulse/detect/notify"
	"pulse/detect/scalar"
)

// maxFile bounds the bytes of a rule file, maxNodes its items after aliases have
// been expanded, maxRules the rules of a server.
const (
	maxFile  = 16 << 20
	maxNodes = 2_000_000
	maxRules = 20_000
)

// Limits that a server shows.
const (
	MaxRules         = maxRules
	MaxRuleGroups    = maxGroups
	MaxAlertsPerRule = maxAlerts
)

// File is the content of rule files.
type File struct {
	Rules     []Rule
	Receivers []notify.Receiver

	routing fileRouting       // routes, inhibit rules and mutes
	sources []*source         // where they come from
	known   map[string]string // `rule` or `receiver` and the id of each; the name of its file
}

// Empty reports whether there is nothing in any section.
func (file *File) Empty() bool {
	routes, inhibit, mutes := file.Routing()
	return len(file.Rules)+len(file.Receivers)+routes+inhibit+mutes == 0
}

// Routing counts the routes, those in routes included, the inhibit rules and the mutes.
func (file *File) Routing() (routes, inhibit, mutes int) {
	c := &file.routing.config
	return countRoutes(c.Routes), len(c.Inhibit), len(c.Mute)
}

// ParseRulesYAML reads the text of one file: a mapping with the keys `rules`,
// `receivers`, `routes`, `inhibit` and `mute`, all optional lists. JSON is YAML too. An unknown key at any
// level, a repeated key or a repeated id is an error, which names the line.
func ParseRulesYAML(text []byte) (File, error) {
	var file File
	if faults := file.read("", text); len(faults) > 0 {
		return File{}, first(faults)
	}
	return file, nil
}

// read adds what stands in a file and returns what is wrong with how it is written.
func (file *File) read(name string, text []byte) []*Fault {
	s := &source{name: name, text: text}
	file.sources = append(file.sources, s)
	broken := func(err error) []*Fault { return []*Fault{{File: name, Err: err}} }
	if len(text) > maxFile {
		return broken(fmt.Errorf("%d bytes, at most %d", len(text), maxFile))
	}
	if p := tooDeep(text); p.known() {
		return []*Fault{{File: name, Place: p, Err: errNesting}}
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return []*Fault{s.syntax(err)}
	}
	if v == nil {
		return nil
	}
	if countNodes(v, 0) > maxNodes {
		return broken(fmt.Errorf("aliases expand to more than %d items", maxNodes))
	}
	m, ok := v.(map[string]any)
	if !ok {
		return []*Fault{{File: name, Place: placeOf(s.root()), Err: fmt.Errorf("content is %s, want the keys rules, receivers, routes, inhibit and mute", scalar.TypeName(v))}}
	}
	f := fields{m: m}
	f.known("rules", "receivers", sectionRoutes, sectionInhibit, sectionMute)
	rules, receivers := f.items("rules"), f.items("receivers")
	if f.err != nil {
		return []*Fault{{File: name, Place: placeIn(s.root(), f.err.Error()), Err: f.err}}
	}
	return slices.Concat(file.readRules(s, rules), file.readReceivers(s, receivers), file.routing.read(s, m))
}

func (file *File) readRules(s *source, items []any) (faults []*Fault) {
	if n := len(file.Rules) + len(items); n > maxRules {
		return []*Fault{{File: s.name, Err: fmt.Errorf("%d rules, at most %d", n, maxRules)}}
	}
	if len(items) > 0 {
		s.first = items[0]
	}
	for _, item := range items {
		id := ""
		if m, ok := item.(map[string]any); ok {
			id, _ = m["id"].(string)
		}
		s.ids = append(s.ids, id)
	}
	for i, item := range items {
		r, err := decodeRule(item)
		if err != nil && s.ids[i] == "" {
			err = fmt.Errorf("rules[%d]: %w", i, err)
		} else if err == nil {
			err = file.unique(s, "rule", r.ID)
		}
		if err == nil {
			file.Rules = append(file.Rules, r)
		} else {
			faults = append(faults, s.fault("rules", i, err))
		}
	}
	return faults
}

func (file *File) readReceivers(s *source, items []any) (faults []*Fault) {
	for _, item := range items {
		name := ""
		if m, ok := item.(map[string]any); ok {
			name, _ = m["name"].(string)
		}
		s.names = append(s.names, name)
	}
	for i, item := range items {
		var r notify.Receiver
		text, err := json.Marshal(item)
		if err == nil {
			if s.name == "" {
				r, err = notify.ParseReceiver(text)
			} else {
				r, err = notify.ParseFileReceiver(text, filepath.Dir(s.name))
			}
		}
		if err != nil {
			err = fmt.Errorf("receivers[%d]: %w", i, err)
		} else if err = file.unique(s, "receiver", r.Name); err == nil {
			file.Receivers = append(file.Receivers, r)
		}
		if err != nil {
			faults = append(faults, s.fault("receivers", i, err))
		}
	}
	return faults
}

// unique refuses the second of a name.
func (file *File) unique(s *source, what, name string) error {
	if file.known == nil {
		file.known = map[string]string{}
	}
	if other, found := file.known[what+" "+name]; found {
		err := fmt.Errorf("%s %q is defined twice", what, clip(name, maxID))
		if other != s.name {
			err = fmt.Errorf("%w, first in %s", err, other)
		}
		return err
	}
	file.known[what+" "+name] = s.name
	return nil
}

// Content tells of each file that was read whether it has any.
func (file *File) Content() map[string]bool {
	out := make(map[string]bool, len(file.sources))
	for _, s := range file.sources {
		out[s.name] = s.root() != nil
	}
	return out
}

// Owned returns the receivers with the names of their files.
func (file *File) Owned() []notify.OwnedReceiver {
	out := make([]notify.OwnedReceiver, len(file.Receivers))
	for i, r := range file.Receivers {
		out[i] = notify.OwnedReceiver{Receiver: r, File: file.Source("receiver", r.Name)}
	}
	return out
}

// countNodes returns the number of items of a tree, counted without sharing, or
// some number above maxNodes.
func countNodes(v any, n int) int {
	if n++; n > maxNodes {
		return n
	}
	switch x := v.(type) {
	case []any:
		for _, item := range x {
			if n = countNodes(item, n); n > maxNodes {
				return n
			}
		}
	case map[string]any:
		for _, item := range x {
			if n = countNodes(item, n); n > maxNodes {
				return n
			}
		}
	}
	return n
}

func (f *fields) items(key string) []any {
	v, ok := f.get(key)
	if !ok {
		return nil
	}
	items, ok := v.([]any)
	if !ok {
		f.fail("%s is %s, want a list", key, scalar.TypeName(v))
	}
	return items
}

// LoadFiles reads every file that glob matches, in order of their names, into
// one File. A glob without a wildcard must name a file that exists; one with a
// wildcard may match nothing.
func LoadFiles(glob string) (File, error) {
	names, err := filepath.Glob(glob)
	if err != nil {
		return File{}, fmt.Errorf("rule files %q: %w", glob, err)
	}
	if len(names) == 0 && !strings.ContainsAny(glob, `*?[\`) {
		names = []string{glob} // reading it explains what is wrong
	}
	sort.Strings(names)
	var all File
	var faults []*Fault
	for _, name := range names {
		text, err := readBounded(name)
		if err != nil {
			return File{}, err
		}
		faults = append(faults, all.read(name, text)...)
	}
	if len(faults) > 0 {
		return File{}, first(faults)
	}
	return all, nil
}

func readBounded(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("rule file: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("rule file %s has %d bytes, at most %d", name, info.Size(), maxFile)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("rule file: %w", err)
	}
	return text, nil
}
