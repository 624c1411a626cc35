// Package scalar names what stands in a decoded YAML or JSON text: null, text, numbers,
// booleans, lists ([]any) and objects (map[string]any).
package scalar

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// Text returns the text of a text, number or boolean, and whether v is one.
func Text(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64), true
	case int, int64, uint64, bool:
		return fmt.Sprint(x), true
	}
	return "", false
}

// TypeName says what v is, for messages: "text", "a list".
func TypeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "text"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "a number"
}
