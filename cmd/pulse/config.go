package main

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// loadConfig reads a configuration file: YAML whose keys are the server's flag
// names. Flags and PULSE_* variables win over it.
func loadConfig(r io.Reader) (kong.Resolver, error) {
	b, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(b, &values); err != nil {
		return nil, fmt.Errorf("configuration file: %s", yaml.FormatError(err, false, true))
	}
	return fileValues(values), nil
}

// fileValues are the keys of a configuration file.
type fileValues map[string]any

// Validate refuses keys that are not flags of the server.
func (f fileValues) Validate(app *kong.Application) error {
	known := map[string]bool{}
	for _, n := range app.Children {
		if n.Name == "serve" {
			for _, flag := range n.Flags {
				known[flag.Name] = true
			}
		}
	}
	var unknown []string
	for key := range f {
		if !known[key] || key == "config" || key == "check-config" {
			unknown = append(unknown, key)
		}
	}
	if len(unknown) > 0 {
		sort.Strings(unknown)
		return fmt.Errorf("configuration file: unknown key %s", strings.Join(unknown, ", "))
	}
	return nil
}

// Resolve returns the file's text for a flag, nil when the file has none or a
// variable is set, which wins.
func (f fileValues) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if os.Getenv(name) != "" {
			return nil, nil
		}
	}
	v, ok := f[flag.Name]
	if !ok {
		return nil, nil
	}
	if list, ok := v.([]any); ok {
		texts := make([]string, len(list))
		for i, x := range list {
			texts[i] = fmt.Sprint(x)
		}
		return strings.Join(texts, ","), nil
	}
	if v == nil {
		return nil, fmt.Errorf("configuration file: key %s has no value", flag.Name)
	}
	return fmt.Sprint(v), nil
}

// printConfig writes the effective values as a configuration file. A default
// that is only known while serving is a comment.
func printConfig(w io.Writer, c *serveCmd) error { return printFields(w, reflect.ValueOf(c).Elem()) }

func printFields(w io.Writer, v reflect.Value) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		name := field.Tag.Get("name")
		var err error
		switch x := v.Field(i).Interface().(type) {
		case LimitFlags, GuardFlags:
			err = printFields(w, v.Field(i))
		case []string:
			_, err = fmt.Fprintf(w, "%s: [%s]\n", name, strings.Join(quoteAll(x), ", "))
		case string:
			_, err = fmt.Fprintf(w, "%s: %q\n", name, x)
		case kong.ConfigFlag:
		default:
			_, later, found := strings.Cut(field.Tag.Get("help"), "Default: ")
			if name == "check-config" {
				continue
			}
			if found && v.Field(i).IsZero() {
				_, err = fmt.Fprintf(w, "# %s: %s\n", name, strings.TrimSuffix(later, "."))
			} else {
				_, err = fmt.Fprintf(w, "%s: %v\n", name, x)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func quoteAll(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return out
}
