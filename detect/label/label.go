// Package label says what an alert is called and which alerts are meant.
//
// An alert is matched by its labels, a Set: the tags of its group, the labels of
// its rule and a few that the server adds (Of). Routes, inhibit rules and silences
// choose alerts with Matchers, a conjunction of comparisons of one label each:
//
//	key = value    equal
//	key != value   not equal
//	key =~ regex   the whole value matches (RE2, linear time)
//	key !~ regex   it does not
//
// A label that is absent has the empty value, so `team=""` chooses alerts without
// a team and `team!="a"` chooses them too. Names, forms and meaning are those of
// Alertmanager; its text form (`severity=page, region=~"eu|us"`) is read and written.
//
// Everything here is a pure function of its arguments. A Matcher is immutable; a
// Set must not be changed while somebody reads it.
package label

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Labels that every alert has, whatever its rule and its tags say.
const (
	AlertName = "alertname" // the id of the rule, under the name that Alertmanager needs
	Rule      = "rule"      // the id of the rule
	Severity  = "severity"
	Owner     = "owner"
	Type      = "type" // TypeAlert or TypeNoData
)

// Values of the label Type.
const (
	TypeAlert  = "alert"  // a condition that holds
	TypeNoData = "nodata" // data that is missing
)

// Set is the labels of one alert by name. None has an empty value.
type Set map[string]string

// Of returns the labels of an alert in fresh memory. Later wins: the tags of its
// group, the labels of its rule, what the server adds. A label with an empty value
// is none, so a rule's empty label removes a tag.
//
//	absence   it tells of missing data
func Of(rule, severity, owner string, absence bool, labels, tags map[string]string) Set {
	s := make(Set, len(tags)+len(labels)+5)
	maps.Copy(s, tags)
	maps.Copy(s, labels)
	s[AlertName], s[Rule], s[Severity], s[Owner], s[Type] = rule, rule, severity, owner, TypeAlert
	if absence {
		s[Type] = TypeNoData
	}
	maps.DeleteFunc(s, func(_, value string) bool { return value == "" })
	return s
}

// Keys returns the names in ascending order.
func (s Set) Keys() []string { return slices.Sorted(maps.Keys(s)) }

// Only returns the labels of the names given, without those that are absent.
func (s Set) Only(keys []string) Set {
	out := make(Set, len(keys))
	for _, key := range keys {
		if value := s[key]; value != "" {
			out[key] = value
		}
	}
	return out
}

// String returns `{a="1", b="2"}` in order of the names: different sets have
// different texts, and the same set has the same text in every process.
func (s Set) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, key := range s.Keys() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quotedKey(key))
		b.WriteByte('=')
		b.WriteString(quoted(s[key]))
	}
	b.WriteByte('}')
	return b.String()
}

// Hash returns the FNV-1a 64 hash over name, 0xff, value, 0xff of every label in
// order of the names: the fingerprint by which Prometheus and Alertmanager know an
// alert. It never changes between releases. Labels with empty values count as absent.
func (s Set) Hash() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	add := func(text string) {
		for i := range len(text) {
			h = (h ^ uint64(text[i])) * prime
		}
		h = (h ^ 0xff) * prime
	}
	for _, key := range s.Keys() {
		if value := s[key]; value != "" {
			add(key)
			add(value)
		}
	}
	return h
}

// Fingerprint returns Hash as 16 lower-case hex digits.
func Fingerprint(s Set) string { return fmt.Sprintf("%016x", s.Hash()) }
