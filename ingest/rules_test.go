package ingest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pulse/ingest"
	"pulse/store/tags"
)

func TestRule(t *testing.T) {
	f := func(name, config, set, want string) {
		t.Helper()
		var settings map[string]any
		if err := json.Unmarshal([]byte(config), &settings); err != nil {
			t.Fatal(err)
		}
		var m map[string]string
		if err := json.Unmarshal([]byte(set), &m); err != nil {
			t.Fatal(err)
		}
		rule, err := ingest.NewRule(name, settings)
		if err != nil {
			t.Errorf("%s %s: %v", name, config, err)
			return
		}
		got := ""
		if bad := rule.Check(tags.FromMap(m)); bad != nil {
			got = bad.Error()
		}
		if got != want {
			t.Errorf("%s %s on %s: %q, want %q", name, config, set, got, want)
		}
	}
	const chars = "([-.0-9A-Z^_a-z~] are allowed)"
	lengths := `{"name":{"min":3,"max":5},"others":{"min":2,"max":4}}`

	f("has-key", `{"key":"name"}`, `{"name":"foo"}`, "")
	f("has-key", `{"key":"region"}`, `{"name":"foo"}`, "missing key 'region'")
	f("has-key", `{}`, `{"a":"b"}`, "missing key 'name'")
	f("key-length", `{"min":2,"max":4}`, `{"abcd":"def"}`, "")
	f("key-length", `{"min":2,"max":4}`, `{"abcde":"def"}`, "key too long: [abcde] (5 > 4)")
	f("key-length", `{}`, `{"a":"def"}`, "key too short: [a] (1 < 2)")
	f("name-value-length", lengths, `{"name":"abc"}`, "")
	f("name-value-length", lengths, `{"name":"ab"}`, "value too short: name = [ab] (2 < 3)")
	f("name-value-length", lengths, `{"name":"abcdef"}`, "value too long: name = [abcdef] (6 > 5)")
	f("name-value-length", lengths, `{"def":"abcd"}`, "")
	f("name-value-length", lengths, `{"def":"a"}`, "value too short: def = [a] (1 < 2)")
	f("name-value-length", lengths, `{"def":"abcde"}`, "value too long: def = [abcde] (5 > 4)")
	f("valid-characters", `{}`, `{"az.AZ-09_^~":"az.AZ-09_^~"}`, "")
	f("valid-characters", `{}`, `{"a b":"c"}`, "invalid characters in key: [a b] "+chars)
	f("valid-characters", `{}`, `{"aa":"ü"}`, "invalid characters in value: aa = [ü] "+chars)
	f("valid-characters", `{}`, `{"aa":"x\u0000"}`, "invalid characters in value: aa = [x\x00] "+chars)
	f("valid-characters", `{"default-pattern":"a-ce"}`, `{"ab":"d"}`, "invalid characters in value: ab = [d] ([a-ce] are allowed)")
	f("max-user-tags", `{"limit":2}`, `{"name":"foo","foo":"bar","nf.region":"west","atlas.dstype":"gauge"}`, "")
	f("max-user-tags", `{"limit":2}`, `{"name":"foo","foo":"bar","abc":"def"}`, "too many user tags: 3 > 2")
	f("reserved-key", `{"prefix":"nf.","allowed":["job"]}`, `{"nf.job":"def","x":"y"}`, "")
	f("reserved-key", `{"prefix":"nf.","allowed":["job"]}`, `{"nf.jobs":"def"}`, "invalid key for reserved prefix 'nf.': nf.jobs")
	f("key-pattern", `{"pattern":"^[a-c]+$"}`, `{"aaa":"ab"}`, "")
	f("key-pattern", `{"pattern":"[a-c]+"}`, `{"aaad":"ab"}`, "key doesn't match pattern '[a-c]+': [aaad]")
	f("value-pattern", `{"pattern":"a|b"}`, `{"def":"b"}`, "")
	f("value-pattern", `{"pattern":"a|b"}`, `{"def":"bc"}`, "value doesn't match pattern 'a|b': [bc]")

	long := strings.Repeat("v", 10_000)
	f("name-value-length", `{}`, `{"name":"`+long+`"}`, "value too long: name = ["+long[:512]+"...] (10000 > 255)")
}

func TestNewRuleErrors(t *testing.T) {
	f := func(name string, config map[string]any, want string) {
		t.Helper()
		if _, err := ingest.NewRule(name, config); err == nil || err.Error() != want {
			t.Errorf("%s %v: %v, want %s", name, config, err, want)
		}
	}
	f("no-such", nil, `unknown rule "no-such"`)
	f("key-length", map[string]any{"mni": 2}, `rule key-length: unknown setting "mni"`)
	f("key-length", map[string]any{"min": "2"}, `rule key-length: min must be a whole number from 0 to 2147483647`)
	f("key-length", map[string]any{"min": 9, "max": 8.0}, `rule key-length: min 9 is above max 8`)
	f("name-value-length", map[string]any{"name": map[string]any{"min": -1}}, `rule name-value-length name: min must be a whole number from 0 to 2147483647`)
	f("name-value-length", map[string]any{"name": 3}, `rule name-value-length: name must be a map[string]interface {}, not int`)
	f("reserved-key", map[string]any{"allowed": []any{1}}, `rule reserved-key: allowed must be a list of strings`)
	f("key-pattern", nil, `rule key-pattern: pattern is missing`)
	f("value-pattern", map[string]any{"pattern": "("}, "rule value-pattern: error parsing regexp: missing closing ): `^(?:()$`")
	f("valid-characters", map[string]any{"default-pattern": "z-a"}, `rule valid-characters: characters "z-a": bad range or not ASCII`)
}

// TestDefaultRules checks which rule of each list decides first.
func TestDefaultRules(t *testing.T) {
	first := func(rules []ingest.Rule, set tags.Tags) string {
		for _, rule := range rules {
			if bad := rule.Check(set); bad != nil {
				return bad.Reason.String()
			}
		}
		return ""
	}
	many := func(prefix string, n int) tags.Tags {
		m := map[string]string{"name": "ab"}
		for i := range n {
			m[fmt.Sprint(prefix, "k", i)] = "v"
		}
		return tags.FromMap(m)
	}
	f := func(set tags.Tags, publish, update string) {
		t.Helper()
		if got := first(ingest.PublishRules(), set); got != publish {
			t.Errorf("publish {%s}: %q, want %q", set, got, publish)
		}
		if got := first(ingest.UpdateRules(), set); got != update {
			t.Errorf("update {%s}: %q, want %q", set, got, update)
		}
	}
	f(tags.Of("name", "ab", "nf.node", "i-1", "atlas.dstype", "gauge"), "", "")
	f(tags.Of("a", ""), "missing-key", "key-too-short")
	f(tags.Of("name", "ab", "aa", ""), "value-too-short", "value-too-short")
	f(tags.Of("name", "a b", "nf.x", "c"), "invalid-value-characters", "reserved-key")
	f(tags.Of("name", "ab", "atlas.x", "c"), "reserved-key", "reserved-key")
	f(many("", 19), "", "")
	f(many("", 20), "too-many-user-tags", "too-many-user-tags")
	f(tags.Of("name", "ab", "nf.country.rollup", "x", "nf.zone", "y", "atlas.legacy", "z"), "", "")
	f(tags.Of("na", strings.Repeat("v", 120), "name", strings.Repeat("v", 255)), "", "")
	f(tags.Of("na", strings.Repeat("v", 121), "name", "vv"), "value-too-long", "value-too-long")
}

func TestReasonNames(t *testing.T) {
	var names []string
	for _, r := range ingest.Reasons() {
		names = append(names, r.String())
		if v := (&ingest.Violation{Reason: r, Err: fmt.Errorf("full")}); v.Error() == "" {
			t.Errorf("%s has no message", r)
		}
	}
	slices.Sort(names)
	if n := len(slices.Compact(names)); n != len(ingest.Reasons()) || names[0] == "" {
		t.Errorf("names are not unique or empty: %q", names)
	}
}
