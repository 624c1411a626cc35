package detect

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"pulse/detect/route"
)

// The sections of a file that say how alerts find receivers.
const (
	sectionRoutes  = "routes"
	sectionInhibit = "inhibit"
	sectionMute    = "mute"
)

// fileRouting is what these sections of all files say together. Routes stand in the
// order of the files' names.
type fileRouting struct {
	config route.Config
	parts  map[string][]fileEntry // section → where each of its entries comes from
}

// fileEntry is an entry of a section of a file.
type fileEntry struct {
	source *source
	index  int
}

// read adds the sections of a file and returns what is wrong with how they are
// written, at most one fault for each.
func (f *fileRouting) read(s *source, m map[string]any) (faults []*Fault) {
	if f.parts == nil {
		f.parts = map[string][]fileEntry{}
	}
	add := func(section string, n int, err error) {
		if err != nil {
			faults = append(faults, s.routingFault(err))
		}
		for i := range n {
			f.parts[section] = append(f.parts[section], fileEntry{s, i})
		}
	}
	routes, err := route.DecodeRoutes(m[sectionRoutes])
	f.config.Routes = append(f.config.Routes, routes...)
	add(sectionRoutes, len(routes), err)
	inhibit, err := route.DecodeInhibit(m[sectionInhibit])
	f.config.Inhibit = append(f.config.Inhibit, inhibit...)
	add(sectionInhibit, len(inhibit), err)
	mute, err := route.DecodeMute(m[sectionMute])
	f.config.Mute = append(f.config.Mute, mute...)
	add(sectionMute, len(mute), err)
	return faults
}

// place adds file and place to an error about a configuration in which the entries of
// the files stand first, in their order.
func (f *fileRouting) place(err error) error {
	var wrong *route.Error
	if !errors.As(err, &wrong) {
		return err
	}
	section, i, rest := splitPath(wrong.Path)
	list := f.parts[section]
	if i < 0 || i >= len(list) {
		return err
	}
	local := &route.Error{Path: fmt.Sprintf("%s[%d]%s", section, list[i].index, rest), Err: wrong.Err}
	return list[i].source.routingFault(local)
}

// files names the files that a section comes from.
func (f *fileRouting) files(section string) string {
	var names []string
	for _, p := range f.parts[section] {
		if !slices.Contains(names, p.source.name) {
			names = append(names, p.source.name)
		}
	}
	return strings.Join(names, ", ")
}

// routingFault is about what the path of a *route.Error leads to.
func (s *source) routingFault(err error) *Fault {
	f := &Fault{File: s.name, Err: err, Place: placeOf(s.root())}
	var wrong *route.Error
	if !errors.As(err, &wrong) {
		return f
	}
	section, i, rest := splitPath(wrong.Path)
	m, ok := plain(s.root()).(*ast.MappingNode)
	if !ok {
		return f
	}
	for _, pair := range m.Values {
		if keyText(pair) == section {
			f.Place = placeOf(pair.Key)
		}
	}
	if list, ok := plain(child(m, section)).(*ast.SequenceNode); ok && i >= 0 && i < len(list.Values) {
		message := strings.TrimPrefix(rest, ".")
		if message != "" {
			message += ": "
		}
		f.Place = placeIn(list.Values[i], message+wrong.Err.Error())
	}
	return f
}

// splitPath cuts routes[1].routes[0].mute into routes, 1 and .routes[0].mute; the
// index is -1 where there is none.
func splitPath(path string) (section string, i int, rest string) {
	section, rest, found := strings.Cut(path, "[")
	if !found {
		return path, -1, ""
	}
	digits, rest, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(digits)
	if err != nil {
		return section, -1, ""
	}
	return section, i, rest
}
