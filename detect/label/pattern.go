package label

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is a compiled regular expression that matches whole values. What can be
// decided without the engine is: most patterns list words or have a fixed beginning.
type pattern struct {
	engine *regexp.Regexp
	values []string // all that it matches, sorted; nil when they cannot be listed
	prefix string   // what every match begins with
	rest   bool     // all that begins so and has no line break behind it matches
}

// maxListed bounds how many values a pattern is listed as.
const maxListed = 100

// compile returns the pattern anchored at both ends.
func compile(text string) (*pattern, error) {
	// On its own first: `a)(b` would become one with the anchors around it.
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("regular expression %.80q: %w", text, err)
	}
	if size(tree) > MaxInstructions {
		return nil, fmt.Errorf("regular expression %.80q needs more than %d instructions", text, MaxInstructions)
	}
	engine, err := regexp.Compile("^(?:" + text + ")$")
	if err != nil {
		return nil, err
	}
	p := &pattern{engine: engine}
	tree = tree.Simplify()
	if values, ok := list(tree); ok {
		slices.Sort(values)
		p.values = slices.Compact(values)
		return p, nil
	}
	p.prefix, p.rest = beginning(tree)
	return p, nil
}

func (p *pattern) matches(value string) bool {
	if p.values != nil {
		_, found := slices.BinarySearch(p.values, value)
		return found
	}
	rest, ok := strings.CutPrefix(value, p.prefix)
	if !ok || p.rest {
		return ok && strings.IndexByte(rest, '\n') < 0
	}
	return p.engine.MatchString(value)
}

// size is about how many instructions a tree compiles to.
func size(tree *syntax.Regexp) int {
	n := 1
	for _, sub := range tree.Sub {
		n += size(sub)
	}
	switch tree.Op {
	case syntax.OpLiteral:
		n += len(tree.Rune)
	case syntax.OpRepeat:
		n *= max(1, tree.Min, tree.Max)
	}
	return n
}

// list returns every text that the tree matches, or false when there are more than
// maxListed or it is not plain to see.
func list(tree *syntax.Regexp) ([]string, bool) {
	switch tree.Op {
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpLiteral:
		return []string{string(tree.Rune)}, plain(tree)
	case syntax.OpCapture:
		return list(tree.Sub[0])
	case syntax.OpQuest:
		values, ok := list(tree.Sub[0])
		return append(values, ""), ok
	case syntax.OpCharClass:
		return class(tree.Rune)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range tree.Sub {
			values, ok := list(sub)
			if all = append(all, values...); !ok || len(all) > maxListed {
				return nil, false
			}
		}
		return all, true
	case syntax.OpConcat:
		all := []string{""}
		for _, sub := range tree.Sub {
			values, ok := list(sub)
			if !ok || len(all)*len(values) > maxListed {
				return nil, false
			}
			var next []string
			for _, head := range all {
				for _, tail := range values {
					next = append(next, head+tail)
				}
			}
			all = next
		}
		return all, true
	}
	return nil, false
}

// plain reports whether a literal matches its own text and nothing else.
func plain(literal *syntax.Regexp) bool {
	return literal.Flags&syntax.FoldCase == 0 &&
		!slices.ContainsFunc(literal.Rune, func(c rune) bool { return !utf8.ValidRune(c) })
}

// class lists the characters of pairs of a first and a last one.
func class(pairs []rune) (all []string, ok bool) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if int(pairs[i+1]-pairs[i])+len(all) >= maxListed {
			return nil, false
		}
		for c := pairs[i]; c <= pairs[i+1]; c++ {
			if !utf8.ValidRune(c) {
				return nil, false
			}
			all = append(all, string(c))
		}
	}
	return all, true
}

// beginning returns what every match of the tree begins with, and whether it goes on
// with anything that has no line break.
func beginning(tree *syntax.Regexp) (prefix string, anything bool) {
	parts := []*syntax.Regexp{tree}
	if tree.Op == syntax.OpConcat {
		parts = tree.Sub
	}
	if parts[0].Op == syntax.OpLiteral && plain(parts[0]) {
		prefix, parts = string(parts[0].Rune), parts[1:]
	}
	return prefix, len(parts) == 1 && parts[0].Op == syntax.OpStar && parts[0].Sub[0].Op == syntax.OpAnyCharNotNL
}
