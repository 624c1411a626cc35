package detect

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pulse/detect/label"
	"pulse/detect/notify"
	"pulse/detect/route"
)

// ErrRouted refuses to delete a receiver that a route names.
var ErrRouted = errors.New("a route names it")

// ErrLacking says that files have no more what routes that were made over the API name.
var ErrLacking = errors.New("routes made over the API name what is in no file any more")

// Limits of routing that a server shows.
const (
	MaxRoutes       = route.MaxRoutes
	MaxInhibitRules = route.MaxInhibit
	MaxMutes        = route.MaxMute
)

// InhibitRule is an inhibit rule and the file that it comes from, "" for none.
type InhibitRule struct {
	route.Inhibit
	File string
}

// MuteTimes is a mute and the file that it comes from, "" for none.
type MuteTimes struct {
	route.Mute
	File string
}

// Routes returns the routes and the names of the files that they come from, "" for none.
func (e *Engine) Routes() (list []route.Route, file string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.routing.Config.Routes, e.routing.Routes
}

// InhibitRules returns the inhibit rules in the order in which they are tried.
func (e *Engine) InhibitRules() []InhibitRule {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []InhibitRule{}
	for _, x := range e.routing.Config.Inhibit {
		out = append(out, InhibitRule{x, e.routing.Inhibit[x.Name]})
	}
	return out
}

// Mutes returns the mutes.
func (e *Engine) Mutes() []MuteTimes {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []MuteTimes{}
	for _, x := range e.routing.Config.Mute {
		out = append(out, MuteTimes{x, e.routing.Mute[x.Name]})
	}
	return out
}

// CountRouting counts routes, those in routes included, inhibit rules and mutes.
func (e *Engine) CountRouting() (routes, inhibit, mutes int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := &e.routing.Config
	return countRoutes(c.Routes), len(c.Inhibit), len(c.Mute)
}

func countRoutes(list []route.Route) int {
	n := len(list)
	for i := range list {
		n += countRoutes(list[i].Routes)
	}
	return n
}

// PutRoutes puts other routes in the place of those that there are; none is allowed.
// Routes of files are refused with an *OwnedError, as below.
func (e *Engine) PutRoutes(list []route.Route) error {
	return e.changeRouting(func(r routing) (routing, error) { return r.withRoutes(list) })
}

// PutInhibit adds an inhibit rule, or replaces the one of its name.
func (e *Engine) PutInhibit(x route.Inhibit) error {
	return e.changeRouting(func(r routing) (routing, error) { return r.withInhibit(x.Name, &x) })
}

// DeleteInhibit removes an inhibit rule, or fails with ErrUnknownRouting.
func (e *Engine) DeleteInhibit(name string) error {
	return e.changeRouting(func(r routing) (routing, error) { return r.withInhibit(name, nil) })
}

// PutMute adds a mute, or replaces the one of its name.
func (e *Engine) PutMute(x route.Mute) error {
	return e.changeRouting(func(r routing) (routing, error) { return r.withMute(x.Name, &x) })
}

// DeleteMute removes a mute that no route refers to, or fails with ErrUnknownRouting.
func (e *Engine) DeleteMute(name string) error {
	return e.changeRouting(func(r routing) (routing, error) { return r.withMute(name, nil) })
}

// changeRouting stores another routing and puts it in force.
func (e *Engine) changeRouting(change func(routing) (routing, error)) error {
	e.routingMu.Lock()
	defer e.routingMu.Unlock()
	e.mu.Lock()
	before := e.routing
	e.mu.Unlock()
	next, err := change(before)
	if err != nil {
		return err
	}
	if err := next.Config.Check(e.knownReceiver()); err != nil {
		return err
	}
	return e.storeRouting(next)
}

// knownReceiver returns what knows the names of the receivers, nil when any is one.
func (e *Engine) knownReceiver() func(string) bool {
	if e.o.Receivers == nil {
		return nil
	}
	names := e.o.Receivers()
	return func(name string) bool { return slices.Contains(names, name) }
}

// storeRouting stores a routing that was checked and puts it in force.
func (e *Engine) storeRouting(next routing) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	if err := e.settled(); err != nil {
		return fmt.Errorf("put routes: %w", err)
	}
	if _, err := e.journal.commit(&entry{routing: &next}); err != nil {
		return err
	}
	e.useRouting(next)
	e.o.Log.Info().Int("routes", countRoutes(next.Config.Routes)).Int("inhibit", len(next.Config.Inhibit)).Int("mute", len(next.Config.Mute)).Msg("routes in force")
	for _, text := range next.Config.Warnings() {
		e.o.Log.Warn().Msg(text)
	}
	e.Wake()
	return nil
}

// TestRoutes says where an alert with these labels would go at t (Unix ms).
func (e *Engine) TestRoutes(set label.Set, t int64) RouteTest {
	everyone := append([]string{}, e.everyone()...)
	e.mu.Lock()
	r := e.routing
	e.mu.Unlock()
	return r.test(set, everyone, t)
}

// WithoutReceiver calls remove, which deletes the receiver of a name, unless a route or
// a rule names it. None comes to name it meanwhile.
func (e *Engine) WithoutReceiver(name string, remove func() error) error {
	e.routingMu.Lock()
	defer e.routingMu.Unlock()
	e.mu.Lock()
	path := e.routing.naming(name)
	e.mu.Unlock()
	if path != "" {
		return fmt.Errorf("receiver %s cannot be deleted: %w: %s", clip(name, maxID), ErrRouted, path)
	}
	if known := e.knownReceiver(); known != nil && !known(name) {
		return remove() // which says so
	}
	if by := e.naming(name, func(string, string) bool { return true }); len(by) > 0 {
		return fmt.Errorf("receiver %s cannot be deleted: %w: %s", clip(name, maxID), ErrNotified, listedNames(by))
	}
	return remove()
}

// CheckFileRouting refuses what files say of routes, inhibit rules and mutes when it
// cannot be put in force with what was made over the API, with ErrLacking where it is that
// which is at fault. known tells the receivers that there will be.
func (e *Engine) CheckFileRouting(file *File, known func(receiver string) bool) error {
	e.mu.Lock()
	next := e.routing.withFiles(&file.routing)
	e.mu.Unlock()
	return next.check(known)
}

func (r *routing) check(known func(receiver string) bool) error {
	err := r.Config.Check(known)
	var wrong *route.Error
	if r.Routes == "" && errors.As(err, &wrong) && strings.HasPrefix(wrong.Path, sectionRoutes) {
		return fmt.Errorf("%w: %w", ErrLacking, err)
	}
	return err
}

// ReplaceFileRouting puts what files say in the place of what they said before. Routes that
// were made over the API stay, also when they name what there is not.
func (e *Engine) ReplaceFileRouting(file *File) error {
	e.routingMu.Lock()
	defer e.routingMu.Unlock()
	e.mu.Lock()
	before := e.routing
	e.mu.Unlock()
	next := before.withFiles(&file.routing)
	if err := next.check(e.knownReceiver()); err != nil && !errors.Is(err, ErrLacking) {
		return err
	}
	if next.same(&before) {
		return nil
	}
	return e.storeRouting(next)
}

// same reports whether both are stored as the same.
func (r *routing) same(o *routing) bool {
	x, errX := r.text()
	y, errY := o.text()
	return errX == nil && errY == nil && string(x) == string(y)
}

// released is r as if all of it had been made over the API.
func (r routing) released() routing {
	r.Routes, r.Inhibit, r.Mute = "", nil, nil
	return r
}

// Export returns the file that has the rules, routes, inhibit rules and mutes of the
// server, and these receivers.
func (e *Engine) Export(receivers []notify.Receiver) File {
	file := File{Rules: e.Rules(), Receivers: receivers}
	e.mu.Lock()
	defer e.mu.Unlock()
	file.routing.config = e.routing.Config
	return file
}
