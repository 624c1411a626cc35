package scalar_test

import (
	"encoding/json"
	"testing"

	"pulse/detect/scalar"
)

func TestText(t *testing.T) {
	for _, c := range []struct {
		value      any
		text, name string
		ok         bool
	}{
		{nil, "", "null", false},
		{"1e-7", "1e-7", "text", true},
		{json.Number("1e-7"), "1e-7", "a number", true},
		{1e-7, "0.0000001", "a number", true},
		{uint64(1 << 63), "9223372036854775808", "a number", true},
		{-3, "-3", "a number", true},
		{true, "true", "a boolean", true},
		{[]any{"x"}, "", "a list", false},
		{map[string]any{}, "", "an object", false},
	} {
		if text, ok := scalar.Text(c.value); text != c.text || ok != c.ok {
			t.Errorf("Text(%#v) is %q, %v, want %q, %v", c.value, text, ok, c.text, c.ok)
		}
		if name := scalar.TypeName(c.value); name != c.name {
			t.Errorf("TypeName(%#v) is %q, want %q", c.value, name, c.name)
		}
	}
}
