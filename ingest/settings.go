package ingest

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
)

// settings reads the configuration of one rule. The first error stays; finish
// also reports settings that nobody read.
type settings struct {
	rule string
	left map[string]any
	err  error
}

func (s *settings) keep(err error) {
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("rule %s: %w", s.rule, err)
	}
}

// get returns the value of key if it is a T, and otherwise or when absent the
// default.
func get[T any](s *settings, key string, otherwise T) T {
	v, ok := s.left[key]
	if !ok {
		return otherwise
	}
	delete(s.left, key)
	x, ok := v.(T)
	if !ok {
		s.keep(fmt.Errorf("%s must be a %T, not %T", key, otherwise, v))
		return otherwise
	}
	return x
}

func (s *settings) text(key, otherwise string) string { return get(s, key, otherwise) }

// number takes a whole number, as JSON or as YAML gives it.
func (s *settings) number(key string, otherwise int) int {
	v, ok := s.left[key]
	if !ok {
		return otherwise
	}
	delete(s.left, key)
	var n float64
	switch v := v.(type) {
	case float64:
		n = v
	case int:
		n = float64(v)
	case int64:
		n = float64(v)
	case uint64:
		n = float64(v)
	default:
		n = math.NaN()
	}
	if n != math.Trunc(n) || n < 0 || n > math.MaxInt32 {
		s.keep(fmt.Errorf("%s must be a whole number from 0 to %d", key, math.MaxInt32))
		return otherwise
	}
	return int(n)
}

func (s *settings) list(key string) []string {
	var out []string
	for _, v := range get(s, key, []any{}) {
		text, ok := v.(string)
		if !ok {
			s.keep(fmt.Errorf("%s must be a list of strings", key))
		}
		out = append(out, text)
	}
	return out
}

func (s *settings) bounds(otherwise bounds) bounds {
	b := bounds{s.number("min", otherwise.min), s.number("max", otherwise.max)}
	if b.min > b.max {
		s.keep(fmt.Errorf("min %d is above max %d", b.min, b.max))
	}
	return b
}

// group returns the settings inside an object; take gives them back.
func (s *settings) group(key string) *settings {
	return &settings{rule: s.rule + " " + key, left: maps.Clone(get(s, key, map[string]any{}))}
}

func (s *settings) take(groups ...*settings) {
	for _, g := range groups {
		if err := g.finish(); s.err == nil {
			s.err = err
		}
	}
}

func (s *settings) pattern() pattern {
	text := s.text("pattern", "")
	if text == "" {
		s.keep(fmt.Errorf("pattern is missing"))
	}
	whole, err := regexp.Compile(`^(?:` + text + `)$`)
	s.keep(err)
	return pattern{text, whole}
}

func (s *settings) finish() error {
	if len(s.left) > 0 {
		s.keep(fmt.Errorf("unknown setting %q", slices.Sorted(maps.Keys(s.left))[0]))
	}
	return s.err
}
