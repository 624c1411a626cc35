package detect

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"pulse/detect/notify"
	"pulse/detect/route"
)

// Fault is what is wrong with a file, and where.
type Fault struct {
	File string // "" when it has no name
	Place
	Rule string // id of the rule, "" when it is about none
	Err  error
}

// Place is a position in a file. 1 is the first line and the first character of
// one; 0: not known.
type Place struct{ Line, Column int }

// known reports whether there is a position.
func (p Place) known() bool { return p.Line > 0 }

func (p Place) String() string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

// Error is `file:line:column: what`.
func (f *Fault) Error() string {
	switch {
	case f.File != "" && f.known():
		return fmt.Sprintf("%s:%s: %v", f.File, f.Place, f.Err)
	case f.File != "":
		return fmt.Sprintf("%s: %v", f.File, f.Err)
	case f.known():
		return fmt.Sprintf("line %d, column %d: %v", f.Line, f.Column, f.Err)
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

// source is a file that was read, for finding places in it.
type source struct {
	name   string
	text   []byte
	first  any      // of its rules, as it was read
	ids    []string // of its rules, in order; "" where a rule has none
	names  []string // of its receivers, in the same way
	parsed bool
	body   ast.Node // nil when it is no YAML

	values int // of the series of its tests
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

// secretive is in files with secrets. Of such a file no line is shown: where its text is
// at fault, nobody knows which part of it is secret.
var secretive = regexp.MustCompile(`(?i)receiver|secret|whsec_|password|_key|\burl`)

// repeated is what the YAML reader repeats of a file, but for words such as those of keys.
var repeated = regexp.MustCompile(`(?s)"([a-z_]*[^a-z_"].*|[a-z_]{25,})"|alias name .*`)

// syntax is the fault of a text that is no YAML.
func (s *source) syntax(err error) *Fault {
	f := &Fault{File: s.name}
	text := strings.TrimSpace(yaml.FormatError(err, false, true))
	if secretive.Match(s.text) {
		text = repeated.ReplaceAllString(yaml.FormatError(err, false, false), `"***"`)
	}
	var known yaml.Error
	if errors.As(err, &known) && known.GetToken() != nil {
		p := known.GetToken().Position
		f.Place = Place{p.Line, p.Column}
		text = strings.TrimPrefix(text, fmt.Sprintf("[%s] ", f.Place))
	}
	f.Err = fmt.Errorf("not YAML: %s", text)
	return f
}

// fault is about the i-th entry of a section, rules or receivers.
func (s *source) fault(section string, i int, err error) *Fault {
	f := &Fault{File: s.name, Err: err}
	name := ""
	switch {
	case section == "rules" && i < len(s.ids):
		f.Rule = s.ids[i]
		name = fmt.Sprintf("rule %q: ", clip(f.Rule, maxID))
	case section == "receivers" && i < len(s.names):
		name = "receiver " + s.names[i] + ": "
	}
	node := child(s.root(), section)
	if list, ok := plain(node).(*ast.SequenceNode); ok && i < len(list.Values) {
		f.Place = placeIn(list.Values[i], reason(err, section, i, name))
	} else {
		f.Place = placeOf(node)
	}
	return f
}

// reason is the text of an error about an entry without the entry's name.
func reason(err error, section string, i int, name string) string {
	text := strings.TrimPrefix(err.Error(), fmt.Sprintf("%s[%d]: ", section, i))
	if _, rest, ok := strings.Cut(text, name); ok && name != "" {
		return rest
	}
	return strings.TrimPrefix(strings.TrimPrefix(text, "rule: "), "receiver: ")
}

// placeIn returns the place of the part of an entry that a message is about. The
// messages about an entry begin with the path to what is at fault, such as
// notify[0] or detector.alpha, or name a key in quotes.
func placeIn(entry ast.Node, message string) Place {
	for _, before := range []string{`key "`, `unknown field "`} {
		if _, rest, ok := strings.Cut(message, before); ok {
			key, _, _ := strings.Cut(rest, `"`)
			if p := placeOfKey(entry, key, 3); p.known() {
				return p
			}
		}
	}
	if _, rest, ok := strings.Cut(message, "Go struct field Receiver."); ok { // of encoding/json
		message = rest
	}
	if strings.HasPrefix(message, "egress ") {
		message = "url " + message
	}
	if m := ofKind.FindStringSubmatch(message); m != nil && m[2] == "" {
		message = "detector." + strings.TrimPrefix(message, strings.TrimSuffix(m[0], m[1]))
	}
	message = strings.Replace(message, "detector kind ", "detector.kind ", 1)
	message = strings.Replace(strings.Replace(message, "label key", "labels", 1), "annotation key", "annotations", 1)
	best := placeOf(entry)
	for node := entry; ; {
		next, p, rest := follow(node, message)
		if next == nil {
			return best
		}
		if p.known() {
			best = p
		}
		node, message = next, strings.TrimPrefix(rest, ".")
		if !strings.HasPrefix(rest, ".") && !strings.HasPrefix(rest, "[") {
			return best
		}
	}
}

// follow takes one step of the path at the beginning of a message: a key or an
// index. It returns where that leads, nil for nowhere, and what is left.
func follow(n ast.Node, message string) (next ast.Node, at Place, rest string) {
	switch n := plain(n).(type) {
	case *ast.SequenceNode:
		digits, after, ok := strings.Cut(strings.TrimPrefix(message, "["), "]")
		i, err := strconv.Atoi(digits)
		if !ok || !strings.HasPrefix(message, "[") || err != nil || i < 0 || i >= len(n.Values) {
			return nil, Place{}, ""
		}
		return n.Values[i], placeOf(n.Values[i]), after
	case *ast.MappingNode:
		length := 0
		for _, pair := range n.Values {
			key := keyText(pair)
			if after, ok := strings.CutPrefix(message, "receivers[0]"); ok && key == "receiver" { // which is how one may be written
				message = key + after
			}
			if len(key) <= length || !strings.HasPrefix(message, key) {
				continue
			}
			if after := message[len(key):]; after == "" || strings.ContainsAny(after[:1], " .:[") {
				next, at, rest, length = pair.Value, placeOf(pair.Key), after, len(key)
			}
		}
	}
	return next, at, rest
}

// placeOfKey finds a key of a mapping, or of those in it up to a depth.
func placeOfKey(n ast.Node, key string, depth int) Place {
	m, ok := plain(n).(*ast.MappingNode)
	if !ok {
		return Place{}
	}
	for _, pair := range m.Values {
		if keyText(pair) == key {
			return placeOf(pair.Key)
		}
	}
	if depth > 1 {
		for _, pair := range m.Values {
			if p := placeOfKey(pair.Value, key, depth-1); p.known() {
				return p
			}
		}
	}
	return Place{}
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

// placeOf returns where a node begins.
func placeOf(n ast.Node) Place {
	if m, ok := plain(n).(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		n = m.Values[0].Key
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return Place{}
	}
	p := n.GetToken().Position
	return Place{p.Line, p.Column}
}

// Place adds file and place to an error about one of the file's rules or receivers, or
// about what it says of routes, inhibit rules and mutes.
func (file *File) Place(err error) error {
	var rule *RuleError
	var receiver *notify.ReceiverError
	var routing *route.Error
	section, name := "rules", ""
	switch {
	case errors.As(err, &rule):
		name = rule.ID
	case errors.As(err, &receiver):
		section, name = "receivers", receiver.Name
	case errors.As(err, &routing):
		return file.routing.place(err)
	default:
		return err
	}
	for _, s := range file.sources {
		list := s.ids
		if section == "receivers" {
			list = s.names
		}
		if i := slices.Index(list, name); i >= 0 {
			return s.fault(section, i, err)
		}
	}
	return err
}

// Source returns the name of the file that a rule, or a receiver, came from.
func (file *File) Source(what, name string) string { return file.known[what+" "+name] }

// Count returns how many rules and receivers a file of that name has, those with
// faults among them.
func (file *File) Count(name string) (rules, receivers int) {
	for _, s := range file.sources {
		if s.name == name {
			rules, receivers = rules+len(s.ids), receivers+len(s.names)
		}
	}
	return rules, receivers
}
