package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// mutation is one way to break the product.
type mutation struct {
	name    string
	changes []change
	command string         // that must turn red
	red     *regexp.Regexp // in the output of a command that failed for the right reason
}

// change puts new in the place of old, which the file has exactly once.
type change struct{ file, old, new string }

// A list is text. Lines that begin with # and empty ones mean nothing; others are
//
//	run COMMAND   what is run for the entry it stands in, or, above the first, for all that say none
//	red REGEXP    how to tell a red test from one that could not run, in the same way;
//	              else that it says FAIL or panics
//	file NAME     where the next changes are
//	- TEXT        what stands there, once; several lines in a row are one text
//	+ TEXT        what is put in its place
//	anything else the name of the next entry
func read(name string) ([]mutation, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	all, err := parse(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

const usualRed = `(?m)^\s*--- FAIL|^panic: |^fatal error: |DATA RACE`

func parse(text string) ([]mutation, error) {
	entries := []mutation{{red: regexp.MustCompile(usualRed)}} // the first holds what all have
	file, last := "", byte(0)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		m := &entries[len(entries)-1]
		word, rest, _ := strings.Cut(line, " ")
		if word == "-" || word == "+" {
			m.add(file, word[0], rest, last)
			last = word[0]
			continue
		}
		last = 0
		switch word {
		case "":
		case "run":
			m.command = rest
		case "red":
			red, err := regexp.Compile(rest)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", m.name, err)
			}
			m.red = red
		case "file":
			file = rest
		default:
			if !strings.HasPrefix(line, "#") {
				entries = append(entries, mutation{name: line, command: entries[0].command, red: entries[0].red})
				file = ""
			}
		}
	}
	for _, m := range entries[1:] {
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return entries[1:], nil
}

// add takes a line of a change; last is what the line before was.
func (m *mutation) add(file string, sign byte, text string, last byte) {
	if sign == '-' && last != '-' {
		m.changes = append(m.changes, change{file: file, old: text})
		return
	}
	if len(m.changes) == 0 {
		m.changes = append(m.changes, change{file: file})
	}
	c := &m.changes[len(m.changes)-1]
	switch {
	case sign == '-':
		c.old += "\n" + text
	case last == '+':
		c.new += "\n" + text
	default:
		c.new = text
	}
}

func (m *mutation) check() error {
	if m.command == "" {
		return fmt.Errorf("nothing is run")
	}
	if len(m.changes) == 0 {
		return fmt.Errorf("nothing is broken")
	}
	for _, c := range m.changes {
		if c.file == "" || c.old == "" || c.old == c.new {
			return fmt.Errorf("a change without file or text")
		}
	}
	return nil
}
