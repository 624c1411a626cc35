package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

// testCase is one case of a file. Input, Given and Expect are read by the kind,
// each into a struct that has all fields they may have.
type testCase struct {
	ID, Area, Source, Kind string
	Expr                   string
	Input, Given, Expect   json.RawMessage

	servers *sites // for what runs over HTTP
}

func readCases(file string) ([]*testCase, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var cases []*testCase
	if err := strictly(text, &cases); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return cases, nil
}

// describe returns the input of a case for a person.
func (c *testCase) describe() string {
	var b strings.Builder
	if c.Expr != "" {
		fmt.Fprintf(&b, "  expr  %s\n", c.Expr)
	}
	if c.Input != nil {
		fmt.Fprintf(&b, "  input %s\n", clip(c.Input))
	}
	if c.Given != nil {
		fmt.Fprintf(&b, "  given %s\n", clip(c.Given))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func clip(text []byte) string {
	const most = 700
	var b bytes.Buffer
	if json.Compact(&b, text) != nil || b.Len() > most {
		return fmt.Sprintf("%.*s…", most, b.Bytes())
	}
	return b.String()
}

// read decodes the three parts of a case. A part whose target is nil must be
// absent or empty. Notes for people are left out.
func (c *testCase) read(input, given, expect any) error {
	for _, part := range []struct {
		name string
		text json.RawMessage
		into any
	}{{"input", c.Input, input}, {"given", c.Given, given}, {"expect", c.Expect, expect}} {
		text := withoutNote(part.text)
		if part.into == nil {
			part.into = &struct{}{}
		}
		if len(text) == 0 {
			continue
		}
		if err := strictly(text, part.into); err != nil {
			return fmt.Errorf("harness: read %s: %w", part.name, err)
		}
	}
	return nil
}

// strictly decodes JSON and refuses unknown fields.
func strictly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

// withoutNote removes the field `note` of an object.
func withoutNote(text json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil || fields["note"] == nil {
		return text
	}
	delete(fields, "note")
	text, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return text
}

// number is a double, written as a string where JSON has no number for it.
type number float64

func (n *number) UnmarshalJSON(b []byte) error {
	switch s := strings.Trim(string(b), `"`); s {
	case "NaN":
		*n = number(math.NaN())
	case "Infinity":
		*n = number(math.Inf(1))
	case "-Infinity":
		*n = number(math.Inf(-1))
	default:
		v, err := strconv.ParseFloat(s, 64)
		*n = number(v)
		return err
	}
	return nil
}

func floats(list []number) []float64 {
	out := make([]float64, len(list))
	for i, n := range list {
		out[i] = float64(n)
	}
	return out
}

// integer is an int64, written as a string where a double would lose digits.
type integer int64

func (n *integer) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseInt(strings.Trim(string(b), `"`), 10, 64)
	*n = integer(v)
	return err
}

// someText is a list of strings, or one.
type someText []string

func (s *someText) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(s))
	}
	*s = make(someText, 1)
	return json.Unmarshal(b, &(*s)[0])
}

// literal is a string, or the text of a number.
type literal string

func (l *literal) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		s = string(b)
	}
	*l = literal(s)
	return nil
}
