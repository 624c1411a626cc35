// Package text makes texts for people from templates and data, at a bounded price.
//
// A template is one of text/template with functions known from Prometheus and
// Alertmanager (Funcs). Whatever it says, what it makes and what it makes on the way
// has at most so many bytes, and it loops only over what its owner allows: a text
// that somebody writes into a rule or a receiver must not be able to stop the server.
package text

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"text/template"
	"text/template/parse"
)

// Limits bound a template.
type Limits struct {
	Source   int // bytes of the template
	Rendered int // bytes of the text it makes, and of every text made on the way
	// Loop judges a range over `over`, as the template writes it, that stands inside
	// of `depth` others. nil refuses every loop.
	Loop func(over string, depth int) error
}

// Template is a parsed template. It is immutable and safe for concurrent use.
type Template struct {
	*parse.Tree // of the source, for those that look for names in it; nil when that is empty
	tmpl        *template.Template
	most        int
}

// Parse reads a template. Refused are, beside syntax errors and unknown functions,
// the constructs whose cost has no bound. Whether its names exist shows when it is
// rendered: whoever takes a template in renders it with data of every kind.
func Parse(name, source string, l Limits) (*Template, error) {
	if len(source) > l.Source {
		return nil, fmt.Errorf("template has %d bytes, at most %d", len(source), l.Source)
	}
	tmpl, err := template.New(name).Option("missingkey=zero").Funcs(funcs(l.Rendered)).Parse(source)
	if err != nil {
		return nil, trim(err)
	}
	if len(tmpl.Templates()) > 1 {
		return nil, errors.New("define and block are not supported")
	}
	if tmpl.Tree != nil {
		if err := l.judge(tmpl.Root, 0); err != nil {
			return nil, err
		}
	}
	return &Template{tmpl.Tree, tmpl, l.Rendered}, nil
}

// Render executes the template. The error of a template says where it is.
func (t *Template) Render(data any) (string, error) {
	w := boundedWriter{most: t.most}
	if err := t.tmpl.Execute(&w, data); err != nil {
		return "", trim(err)
	}
	return w.String(), nil
}

// judge walks a template and refuses loops that Loop does, and calls of other
// templates.
func (l Limits) judge(node parse.Node, loops int) error {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := l.judge(child, loops); err != nil {
				return err
			}
		}
	case *parse.IfNode:
		return errors.Join(l.judge(n.List, loops), l.judge(n.ElseList, loops))
	case *parse.WithNode:
		return errors.Join(l.judge(n.List, loops), l.judge(n.ElseList, loops))
	case *parse.RangeNode:
		over := n.Pipe.Cmds[len(n.Pipe.Cmds)-1].String()
		if len(n.Pipe.Cmds) != 1 {
			over = n.Pipe.String()
		}
		if l.Loop == nil {
			return fmt.Errorf("range over %s is not supported", over)
		}
		if err := l.Loop(over, loops); err != nil {
			return err
		}
		return errors.Join(l.judge(n.List, loops+1), l.judge(n.ElseList, loops))
	case *parse.TemplateNode:
		return errors.New("template calls are not supported")
	}
	return nil
}

// boundedWriter fails the template that writes too much.
type boundedWriter struct {
	bytes.Buffer
	most int
}

func (w *boundedWriter) Write(p []byte) (int, error) {
	if w.Len()+len(p) > w.most {
		return 0, tooLong(w.most)
	}
	return w.Buffer.Write(p)
}

func tooLong(most int) error { return fmt.Errorf("text grows over %d bytes", most) }

// trim drops the library's prefix.
func trim(err error) error {
	return errors.New(strings.TrimPrefix(err.Error(), "template: "))
}
