package detect

import (
	"fmt"
	"slices"
	"strings"
	"text/template/parse"

	"pulse/query/asl"
	"pulse/query/stream"
	"pulse/store"
)

// Check returns everything that is wrong with the rules of a file for a server
// with the given primary step in ms: what PutRule would refuse, annotations that
// name a tag which the expression's groups never have, and receivers that the
// file does not define although it defines some.
func (file *File) Check(primary int64) []error {
	st, err := store.New(store.Options{Step: primary})
	if err != nil {
		return []error{err}
	}
	grace := max(primary, int64(minGrace))
	e := &Engine{
		o: Options{Hub: stream.NewHub(st)}, step: primary,
		compiler: compiler{interpreter: asl.New(asl.All(), asl.Limits{}), primary: primary, grace: grace},
	}
	var faults []error
	for i := range file.Rules {
		r := &file.Rules[i]
		if err := e.Check(*r); err != nil {
			faults = append(faults, err)
			continue
		}
		c, err := e.compiler.compile(*r)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		for _, err := range append(c.unknownTags(), file.unknownReceivers(r)...) {
			faults = append(faults, fmt.Errorf("rule %q: %w", r.ID, err))
		}
	}
	return faults
}

func (file *File) unknownReceivers(r *Rule) []error {
	if len(file.Receivers) == 0 {
		return nil // they are made over the API
	}
	var faults []error
	names := make([]string, len(file.Receivers))
	for i := range file.Receivers {
		names[i] = file.Receivers[i].Name
	}
	for _, name := range r.Notify {
		if !slices.Contains(names, name) {
			faults = append(faults, fmt.Errorf("notify names %q, which is no receiver of the file (%s)", name, strings.Join(names, ", ")))
		}
	}
	return faults
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
