package detect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/template/parse"

	"pulse/detect/algo"
	"pulse/detect/notify"
	"pulse/detect/scalar"
	"pulse/query/asl"
	"pulse/query/stream"
	"pulse/store"
)

// Finding is what a check of rule files found.
type Finding struct {
	Fault
	// Check names what was looked for: one of the constants below.
	Check string
	// Warning: a server takes the rule, but it may not be what was meant.
	Warning bool
}

// What a check looks for. The first four make a server refuse the file, or a rule
// page in a way that nobody meant; the others are advice.
const (
	CheckSyntax    = "syntax"    // the file cannot be read
	CheckRule      = "rule"      // the rule cannot be judged
	CheckTemplate  = "template"  // an annotation names a tag that the groups never have
	CheckReceiver  = "receiver"  // notify names nobody, or the receiver's settings are wrong
	CheckRoute     = "route"     // routes, inhibit rules or mutes cannot be used, or lead nowhere
	CheckDuplicate = "duplicate" // another rule judges the same values in the same way
	CheckRunbook   = "runbook"   // who is paged is not told what to do
	CheckHold      = "hold"      // a single step pages
	CheckFlap      = "flap"      // an alert that flaps is over as early as any other
	CheckGroups    = "groups"    // one alert per series, or very many
	CheckMatches   = "matches"   // nothing to judge
	CheckFires     = "fires"     // always on
)

// LintFiles checks rule files for a server with the given primary step in ms: all
// that it would refuse, and what is probably a mistake. The file has the rules that
// can be read.
func LintFiles(names []string, primary int64) (File, []Finding, error) {
	var file File
	var out []Finding
	for _, name := range names {
		text, err := readBounded(name)
		if err != nil {
			return file, nil, err
		}
		for _, f := range file.read(name, text) {
			out = append(out, Finding{Fault: *f, Check: CheckSyntax})
		}
	}
	out = append(out, file.Check(primary)...)
	slices.SortStableFunc(out, func(a, b Finding) int {
		if c := slices.Index(names, a.File) - slices.Index(names, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return file, out, nil
}

// Check returns what is wrong with the rules for a server with the given primary
// step in ms: what PutRule would refuse, annotations that name a tag which the
// expression's groups never have, receivers that the file does not define although
// it defines some; and, as warnings, rules that are there twice, page on one step or
// for each series, or leave who is paged without a runbook.
func (file *File) Check(primary int64) []Finding {
	st, err := store.New(store.Options{Step: primary})
	if err != nil {
		return []Finding{{Fault: Fault{Err: err}, Check: CheckRule}}
	}
	grace := max(primary, int64(minGrace))
	e := &Engine{
		o: Options{Hub: stream.NewHub(st)}, step: primary,
		compiler: compiler{interpreter: asl.New(asl.All(), asl.Limits{}), primary: primary, grace: grace},
	}
	var out []Finding
	same := map[string]string{} // what is judged → the first rule that does
	for i := range file.Rules {
		r := &file.Rules[i]
		found := func(check string, err error) {
			out = append(out, file.finding(r.ID, check, err))
		}
		if err := e.Check(*r); err != nil {
			found(CheckRule, err)
			continue
		}
		c, err := e.compiler.compile(*r)
		if err != nil {
			found(CheckRule, err)
			continue
		}
		for _, err := range c.unknownTags() {
			found(CheckTemplate, err)
		}
		for _, err := range file.unknownReceivers(r) {
			found(CheckReceiver, err)
		}
		if other, ok := same[c.judges()]; ok {
			found(CheckDuplicate, twice(other))
		} else {
			same[c.judges()] = r.ID
		}
		c.advise(found)
	}
	return slices.Concat(out, file.checkReceivers(), file.checkRouting())
}

// twice is about a rule that judges as another one.
func twice(other string) error {
	return fmt.Errorf("expr and detector are those of rule %q: whoever gets both is paged twice", other)
}

// advise calls found with what is probably not meant about the rule by itself.
func (c *compiled) advise(found func(check string, err error)) {
	r := &c.rule
	if strings.TrimSpace(r.Annotations["runbook"]) == "" {
		found(CheckRunbook, errors.New("annotations.runbook is missing: who is paged is not told what to do"))
	}
	if text := c.hasty(); text != "" {
		found(CheckHold, errors.New(text))
	}
	if r.Flap.Calm != 0 && r.Flap.Calm <= r.Keep {
		found(CheckFlap, fmt.Errorf("flap.calm is %s, not longer than keep (%s): an alert that flaps is over as early as any other", r.Flap.Calm, r.Keep))
	}
	if c.keys == nil {
		found(CheckGroups, errors.New("expr gives one alert per series; group it by what people act on, with :by"))
	}
}

// checkReceivers returns what is wrong with the settings of the receivers.
func (file *File) checkReceivers() (out []Finding) {
	for i := range file.Receivers {
		r := &file.Receivers[i]
		err, elsewhere := r.Check()
		if err == nil {
			continue
		}
		f := Finding{Check: CheckReceiver, Warning: elsewhere, Fault: Fault{Err: err}}
		var placed *Fault
		if errors.As(file.Place(&notify.ReceiverError{Name: r.Name, Err: err}), &placed) {
			f.File, f.Fault.Place = placed.File, placed.Place
		}
		out = append(out, f)
	}
	return out
}

// checkRouting returns what is wrong with routes, inhibit rules and mutes, and what is
// seldom meant. Receivers that no file defines are made over the API, if none is defined.
func (file *File) checkRouting() (out []Finding) {
	conf := &file.routing.config
	var known func(string) bool
	if len(file.Receivers) > 0 {
		names := file.ReceiverNames()
		known = func(name string) bool { return slices.Contains(names, name) }
	}
	if err := conf.Check(known); err != nil {
		f := Finding{Check: CheckRoute, Fault: Fault{Err: err}}
		var placed *Fault
		if errors.As(file.Place(err), &placed) {
			f.Fault = *placed
		}
		return []Finding{f}
	}
	for _, text := range conf.Warnings() {
		f := Finding{Check: CheckRoute, Warning: true, Fault: Fault{Err: errors.New(text)}}
		if parts := file.routing.parts[sectionRoutes]; len(parts) > 0 {
			f.File = parts[len(parts)-1].source.name
		}
		out = append(out, f)
	}
	return out
}

// finding is about one rule.
func (file *File) finding(id, check string, err error) Finding {
	f := Finding{Check: check, Warning: check != CheckRule && check != CheckTemplate && check != CheckReceiver}
	text := fmt.Sprintf("rule %q: ", clip(id, maxID))
	if !strings.HasPrefix(err.Error(), text) {
		err = fmt.Errorf("%s%w", text, err)
	}
	f.Fault = Fault{Rule: id, Err: err}
	var placed *Fault
	if errors.As(file.Place(&RuleError{id, err}), &placed) {
		f.File, f.Fault.Place = placed.File, placed.Place
	}
	return f
}

// Warn returns a finding about a rule that only data can tell.
func (file *File) Warn(id, check, message string) Finding {
	return file.finding(id, check, errors.New(message))
}

// hasty says why a single step may page, "" when it may not.
func (c *compiled) hasty() string {
	r := &c.rule
	if r.For > 0 {
		return ""
	}
	hold, given := r.Detector.Params["hold"]
	text, _ := scalar.Text(hold)
	switch {
	case given:
		if d, err := ParseDuration(text); err != nil || int64(d) > c.step {
			return ""
		}
		return "detector.hold is at most one step and there is no for: a single step out of band pages"
	case r.Detector.Kind == "signal" || r.Detector.Kind == "static":
		return "expr and detector page on a single step: give the rule a for, such as 1m"
	}
	return ""
}

func (file *File) unknownReceivers(r *Rule) []error {
	if len(file.Receivers) == 0 {
		return nil // they are made over the API
	}
	var faults []error
	names := file.ReceiverNames()
	for i, name := range r.Notify {
		if !slices.Contains(names, name) {
			faults = append(faults, fmt.Errorf("notify[%d] names %q, which is no receiver of alerts of the file%s (%s)", i, name, algo.Meant(name, names), listedNames(names)))
		}
	}
	return faults
}

// ReceiverNames returns the names of the receivers of alerts: of all but those that get heartbeats.
func (file *File) ReceiverNames() []string {
	names := make([]string, 0, len(file.Receivers))
	for _, r := range file.Receivers {
		if r.Heartbeat == "" {
			names = append(names, r.Name)
		}
	}
	return names
}

// unknownTags finds uses of .Tags.k where k is no key of the rule's groups.
func (c *compiled) unknownTags() []error {
	if c.keys == nil {
		return nil
	}
	var faults []error
	for _, a := range c.notes {
		if a.tmpl.Tree == nil {
			continue
		}
		for _, key := range tagsNamed(a.tmpl.Root) {
			if !slices.Contains(c.keys, key) {
				have := "the rule has one group without tags"
				if len(c.keys) > 0 {
					have = "groups have " + strings.Join(c.keys, ", ")
				}
				faults = append(faults, fmt.Errorf("annotations.%s names .Tags.%s, but %s", a.key, key, have))
			}
		}
	}
	return faults
}

// tagsNamed returns the keys k of every .Tags.k in a template.
func tagsNamed(node parse.Node) []string {
	var out []string
	field := func(ident []string) {
		if len(ident) >= 2 && ident[0] == "Tags" {
			out = append(out, ident[1])
		}
	}
	pipe := func(p *parse.PipeNode) {
		if p != nil {
			for _, cmd := range p.Cmds {
				for _, arg := range cmd.Args {
					out = append(out, tagsNamed(arg)...)
				}
			}
		}
	}
	branch := func(b *parse.BranchNode) {
		pipe(b.Pipe)
		out = append(out, tagsNamed(b.List)...)
		out = append(out, tagsNamed(b.ElseList)...)
	}
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				out = append(out, tagsNamed(child)...)
			}
		}
	case *parse.ActionNode:
		pipe(n.Pipe)
	case *parse.PipeNode:
		pipe(n)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.FieldNode:
		field(n.Ident)
	case *parse.VariableNode:
		if len(n.Ident) > 0 && n.Ident[0] == "$" {
			field(n.Ident[1:])
		}
	}
	return out
}
