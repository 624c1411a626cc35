package detect

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"

	"pulse/detect/notify"
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
	MaxAlertsPerRule = maxAlerts
)

// File is the content of rule files.
type File struct {
	Rules     []Rule
	Receivers []notify.Receiver
}

// Empty reports whether there is neither a rule nor a receiver.
func (file *File) Empty() bool { return len(file.Rules)+len(file.Receivers) == 0 }

// ParseRulesYAML reads the text of one file: a mapping with the keys `rules` and
// `receivers`, both optional lists. JSON is YAML too. An unknown key at any
// level, a repeated key or a repeated id is an error.
func ParseRulesYAML(text []byte) (File, error) {
	if len(text) > maxFile {
		return File{}, fmt.Errorf("%d bytes, at most %d", len(text), maxFile)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return File{}, fmt.Errorf("not YAML: %s", strings.TrimSpace(withoutSecrets(yaml.FormatError(err, false, true))))
	}
	if v == nil {
		return File{}, nil
	}
	if countNodes(v, 0) > maxNodes {
		return File{}, fmt.Errorf("aliases expand to more than %d items", maxNodes)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return File{}, fmt.Errorf("content is %s, want the keys rules and receivers", typeName(v))
	}
	f := fields{m: m}
	f.known("rules", "receivers")
	rules, receivers := f.items("rules"), f.items("receivers")
	if f.err != nil {
		return File{}, f.err
	}
	var file File
	for i, item := range rules {
		r, err := decodeRule(item)
		if err != nil {
			return File{}, fmt.Errorf("rules[%d]: %w", i, err)
		}
		file.Rules = append(file.Rules, r)
	}
	for i, item := range receivers {
		text, err := json.Marshal(item)
		if err != nil {
			return File{}, fmt.Errorf("receivers[%d]: %w", i, err)
		}
		r, err := notify.ParseReceiver(text)
		if err != nil {
			return File{}, fmt.Errorf("receivers[%d]: %w", i, err)
		}
		file.Receivers = append(file.Receivers, r)
	}
	return file, file.checkUnique()
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
		f.fail("%s is %s, want a list", key, typeName(v))
	}
	return items
}

func (file *File) checkUnique() error {
	if len(file.Rules) > maxRules {
		return fmt.Errorf("%d rules, at most %d", len(file.Rules), maxRules)
	}
	seen := map[string]bool{}
	for _, r := range file.Rules {
		if seen[r.ID] {
			return fmt.Errorf("rule %q is defined twice", clip(r.ID, maxID))
		}
		seen[r.ID] = true
	}
	seen = map[string]bool{}
	for _, r := range file.Receivers {
		if seen[r.Name] {
			return fmt.Errorf("receiver %q is defined twice", clip(r.Name, maxID))
		}
		seen[r.Name] = true
	}
	return nil
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
	for _, name := range names {
		text, err := readBounded(name)
		if err != nil {
			return File{}, err
		}
		file, err := ParseRulesYAML(text)
		if err != nil {
			return File{}, fmt.Errorf("%s: %w", name, err)
		}
		all.Rules = append(all.Rules, file.Rules...)
		all.Receivers = append(all.Receivers, file.Receivers...)
		if err := all.checkUnique(); err != nil {
			return File{}, fmt.Errorf("%s: %w", name, err)
		}
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

// What an excerpt of a file must not show: signing secrets in any place, what
// stands for one, and what a URL carries behind the host.
var (
	secretText  = regexp.MustCompile(`whsec_[^\s"',\]}]*`)
	secretValue = regexp.MustCompile(`(?i)(secrets?["']?\s*:\s*)[^\s*][^\n]*`)
	urlRest     = regexp.MustCompile(`(https?://)([^\s/?#"'@]*@)?([^\s/?#"']*)([/?#][^\s"']*)?`)
)

// withoutSecrets masks them in an excerpt of a file.
func withoutSecrets(text string) string {
	text = secretText.ReplaceAllString(text, "***")
	text = secretValue.ReplaceAllString(text, "$1***")
	return urlRest.ReplaceAllString(text, "$1$3/***")
}
