package detect

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// AppendYAML appends the file as YAML, which reads back as the same. Secrets are ***.
func (file *File) AppendYAML(dst []byte) ([]byte, error) {
	conf := &file.routing.config
	for _, section := range []struct {
		key   string
		items any
		empty bool
	}{
		{"rules", file.Rules, len(file.Rules) == 0},
		{"receivers", file.Receivers, len(file.Receivers) == 0},
		{sectionRoutes, conf.Routes, len(conf.Routes) == 0},
		{sectionInhibit, conf.Inhibit, len(conf.Inhibit) == 0},
		{sectionMute, conf.Mute, len(conf.Mute) == 0},
	} {
		if section.empty {
			continue
		}
		text, err := json.Marshal(section.items)
		if err != nil {
			return nil, fmt.Errorf("export %s: %w", section.key, err)
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		w := yamlWriter{json: d, out: append(append(dst, section.key...), ':')}
		if err := w.value(0, false); err != nil {
			return nil, fmt.Errorf("export %s: %w", section.key, err)
		}
		dst = append(w.out, '\n')
	}
	return dst, nil
}

// yamlWriter writes JSON as YAML in blocks, keys in the order in which they come. It
// quotes whatever might read as something else.
type yamlWriter struct {
	json *json.Decoder
	out  []byte
}

// value writes the next value behind a key or a list mark; what is in it is indented
// further than that.
func (w *yamlWriter) value(indent int, inList bool) error {
	token, err := w.json.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '[' {
			return w.list(indent)
		}
		return w.mapping(indent, inList)
	case string:
		w.out = appendScalar(append(w.out, ' '), t)
	case json.Number:
		w.out = appendNumber(append(w.out, ' '), t)
	case nil:
		w.out = append(w.out, " null"...)
	default:
		w.out = fmt.Append(append(w.out, ' '), t)
	}
	return nil
}

func (w *yamlWriter) list(indent int) error {
	if !w.json.More() {
		w.out = append(w.out, " []"...)
	}
	for w.json.More() {
		w.line(indent + 2)
		w.out = append(w.out, '-')
		if err := w.value(indent+2, true); err != nil {
			return err
		}
	}
	_, err := w.json.Token()
	return err
}

// mapping writes an object, which begins on the line of its list mark or below its key.
func (w *yamlWriter) mapping(indent int, inList bool) error {
	if !w.json.More() {
		w.out = append(w.out, " {}"...)
	}
	for first := true; w.json.More(); first = false {
		key, err := w.json.Token()
		if err != nil {
			return err
		}
		if first && inList {
			w.out = append(w.out, ' ')
		} else {
			w.line(indent + 2)
		}
		w.out = append(appendScalar(w.out, key.(string)), ':')
		if err := w.value(indent+2, false); err != nil {
			return err
		}
	}
	_, err := w.json.Token()
	return err
}

func (w *yamlWriter) line(indent int) {
	w.out = append(append(w.out, '\n'), strings.Repeat(" ", indent)...)
}

// appendNumber appends a number in the one form that it has as a double. YAML wants a
// point where there is an exponent.
func appendNumber(dst []byte, n json.Number) []byte {
	if i, err := n.Int64(); err == nil { // -0 is 0
		return strconv.AppendInt(dst, i, 10)
	}
	v, err := n.Float64()
	if err != nil {
		return appendScalar(dst, n.String())
	}
	text, exponent, _ := strings.Cut(strconv.FormatFloat(v+0, 'g', -1, 64), "e")
	if exponent != "" {
		if !strings.Contains(text, ".") {
			text += ".0"
		}
		text += "e" + exponent
	}
	return append(dst, text...)
}

// plainText is what needs no quotes, but for the words that YAML takes for something
// else.
var plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./-]*((,:?|[(),])+[A-Za-z0-9_./-]+)*[,()]*$|^([0-9]+(ms|[smhdw]))+$`)

var yamlWords = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"}

// appendScalar appends text so that it reads as that text.
func appendScalar(dst []byte, text string) []byte {
	if len(text) <= maxExpr && plainText.MatchString(text) && !slices.Contains(yamlWords, strings.ToLower(text)) {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', byte(c))
		case c == '\n':
			dst = append(dst, `\n`...)
		case c < ' ' || c >= 0x7f && c < 0xa0 || c == 0x2028 || c == 0x2029 || c == 0xfeff || c >= 0xfffe && c <= 0xffff:
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, string(c)...)
		}
	}
	return append(dst, '"')
}
