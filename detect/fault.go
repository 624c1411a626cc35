package detect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Fault is what is wrong with a file, and where.
type Fault struct {
	File string // "" when it has no name
	Line int    // 1 is the first; 0: not known
	Rule string // id of the rule, "" when it is about none
	Err  error
}

// Error is `file:line: what`.
func (f *Fault) Error() string {
	switch {
	case f.File != "" && f.Line > 0:
		return fmt.Sprintf("%s:%d: %v", f.File, f.Line, f.Err)
	case f.File != "":
		return fmt.Sprintf("%s: %v", f.File, f.Err)
	case f.Line > 0:
		return fmt.Sprintf("line %d: %v", f.Line, f.Err)
	}
	return f.Err.Error()
}

func (f *Fault) Unwrap() error { return f.Err }

// first returns the first of the faults as an error that says how many there are.
func first(faults []*Fault) error {
	if len(faults) > 1 {
		return fmt.Errorf("%w (and %d more)", faults[0], len(faults)-1)
	}
	return faults[0]
}

// RuleError is what is wrong with one rule of several.
type RuleError struct {
	ID  string
	Err error
}

func (e *RuleError) Error() string { return e.Err.Error() }
func (e *RuleError) Unwrap() error { return e.Err }

// source is a file that was read, for finding lines in it.
type source struct {
	name   string
	text   []byte
	ids    []string // of its rules, in order; "" where a rule has none
	parsed bool
	body   ast.Node // nil when it is no YAML

	receivers int
	values    int // of the series of its tests
}

// root returns the tree of the file with its positions.
func (s *source) root() ast.Node {
	if !s.parsed {
		s.parsed = true
		if f, err := parser.ParseBytes(s.text, 0); err == nil && len(f.Docs) > 0 {
			s.body = f.Docs[0].Body
		}
	}
	return s.body
}

// syntax is the fault of a text that is no YAML.
func (s *source) syntax(err error) *Fault {
	f := &Fault{File: s.name, Err: fmt.Errorf("not YAML: %s", strings.TrimSpace(withoutSecrets(yaml.FormatError(err, false, true))))}
	var known yaml.Error
	if errors.As(err, &known) && known.GetToken() != nil {
		f.Line = known.GetToken().Position.Line
	}
	return f
}

// fault is about the i-th entry of a section, rules or receivers.
func (s *source) fault(section string, i int, err error) *Fault {
	f := &Fault{File: s.name, Err: err}
	if section == "rules" && i < len(s.ids) {
		f.Rule = s.ids[i]
	}
	node := child(s.root(), section)
	if list, ok := plain(node).(*ast.SequenceNode); ok && i < len(list.Values) {
		f.Line = lineIn(list.Values[i], reason(err, f.Rule))
	} else {
		f.Line = lineOf(node)
	}
	return f
}

// reason is the text of an error about a rule without the rule's name.
func reason(err error, id string) string {
	text := err.Error()
	if _, rest, ok := strings.Cut(text, fmt.Sprintf("rule %q: ", clip(id, maxID))); ok {
		return rest
	}
	return strings.TrimPrefix(text, "rule: ")
}

// lineIn returns the line of the part of an entry that a message is about. The
// messages about an entry begin with the key that is at fault, or name it in quotes.
func lineIn(entry ast.Node, message string) int {
	if _, rest, ok := strings.Cut(message, `key "`); ok {
		if key, _, ok := strings.Cut(rest, `"`); ok {
			if line := lineOfKey(entry, key, 3); line > 0 {
				return line
			}
		}
	}
	m, _ := plain(entry).(*ast.MappingNode)
	if m == nil {
		return lineOf(entry)
	}
	message = strings.Replace(strings.Replace(message, "label key", "labels", 1), "annotation key", "annotations", 1)
	best, length := lineOf(entry), 0
	for _, pair := range m.Values {
		key := keyText(pair)
		if !strings.HasPrefix(message, key) || len(key) <= length {
			continue
		}
		rest := message[len(key):]
		if rest != "" && !strings.ContainsAny(rest[:1], " .:[") {
			continue
		}
		best, length = lineOf(pair.Key), len(key)
		if sub, ok := strings.CutPrefix(rest, "."); ok {
			sub, _, _ = strings.Cut(sub, " ")
			if line := lineOfKey(pair.Value, strings.TrimSuffix(sub, ":"), 1); line > 0 {
				best = line
			}
		}
	}
	return best
}

// lineOfKey finds a key of a mapping, or of those in it up to a depth.
func lineOfKey(n ast.Node, key string, depth int) int {
	m, ok := plain(n).(*ast.MappingNode)
	if !ok {
		return 0
	}
	for _, pair := range m.Values {
		if keyText(pair) == key {
			return lineOf(pair.Key)
		}
	}
	if depth > 1 {
		for _, pair := range m.Values {
			if line := lineOfKey(pair.Value, key, depth-1); line > 0 {
				return line
			}
		}
	}
	return 0
}

// child returns the value of a key of a mapping, nil when there is none.
func child(n ast.Node, key string) ast.Node {
	if m, ok := plain(n).(*ast.MappingNode); ok {
		if i := slices.IndexFunc(m.Values, func(p *ast.MappingValueNode) bool { return keyText(p) == key }); i >= 0 {
			return m.Values[i].Value
		}
	}
	return nil
}

// plain is the node behind a tag or an anchor; a single pair is made a mapping.
func plain(n ast.Node) ast.Node {
	for {
		switch x := n.(type) {
		case *ast.TagNode:
			n = x.Value
		case *ast.AnchorNode:
			n = x.Value
		case *ast.MappingValueNode:
			return &ast.MappingNode{BaseNode: x.BaseNode, Start: x.Start, Values: []*ast.MappingValueNode{x}}
		default:
			return n
		}
	}
}

func keyText(p *ast.MappingValueNode) string {
	if t := p.Key.GetToken(); t != nil {
		return t.Value
	}
	return ""
}

// lineOf returns the line at which a node begins, 0 when it is not known.
func lineOf(n ast.Node) int {
	if m, ok := plain(n).(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// Place adds file and line to an error about one of the file's rules.
func (file *File) Place(err error) error {
	var about *RuleError
	if !errors.As(err, &about) {
		return err
	}
	for _, s := range file.sources {
		if i := slices.Index(s.ids, about.ID); i >= 0 {
			return s.fault("rules", i, err)
		}
	}
	return err
}

// Count returns how many rules and receivers a file of that name has, those with
// faults among them.
func (file *File) Count(name string) (rules, receivers int) {
	for _, s := range file.sources {
		if s.name == name {
			rules, receivers = rules+len(s.ids), receivers+s.receivers
		}
	}
	return rules, receivers
}
