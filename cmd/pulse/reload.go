package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/rs/zerolog"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/store/clock"
	"pulse/web"
)

// What makes the server read its files again.
const (
	atStart   = "start"
	onRequest = "request"
	onHangup  = "hangup"
	onChange  = "file change"
)

// reloads reads again what may change while the server runs, one at a time, and
// remembers how that ended.
type reloads struct {
	guard *guard
	rules *ruleFiles // nil without --rules
	clock clock.Clock
	log   zerolog.Logger

	mu                 sync.Mutex
	guardErr, rulesErr error // of the last time that each was read
	at, good, failures int64
	trigger            string
}

// nothing reports whether there is nothing to read.
func (r *reloads) nothing() bool {
	return r.rules == nil && !r.guard.flags.hasTokens() && !r.guard.flags.encrypts()
}

// all reads tokens, certificates and rule files. A fault in one leaves the others
// reloaded.
func (r *reloads) all(trigger string) error { return r.read(trigger, true, true) }

// read reads tokens and certificates, rule files, or both.
func (r *reloads) read(trigger string, guard, rules bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var errs [2]error
	if guard {
		if r.guardErr = r.guard.reload(); r.guardErr == nil {
			r.log.Info().Int("tokens", r.guard.count()).Str("trigger", trigger).Msg("tokens and certificates loaded")
		}
		errs[0] = r.guardErr
	}
	if rules && r.rules != nil {
		r.rulesErr = r.rules.load(trigger)
		errs[1] = r.rulesErr
	}
	r.at, r.trigger = r.clock.Now().UnixMilli(), trigger
	if r.guardErr == nil && r.rulesErr == nil {
		r.good = r.at
	}
	err := errors.Join(errs[:]...)
	if err != nil {
		r.failures++
	}
	return err
}

// state is how the last reload ended.
func (r *reloads) state() web.Reload {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := web.Reload{At: r.at, Trigger: r.trigger, SucceededAt: r.good, Failures: r.failures}
	if err := errors.Join(r.guardErr, r.rulesErr); err != nil {
		s.Error = err.Error()
	}
	return s
}

// onHangup reloads at each SIGHUP, until ctx ends. One that comes before the server
// has started waits for that.
func (r *reloads) onHangup(ctx context.Context, started <-chan struct{}) error {
	if r.nothing() {
		return nil
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	select {
	case <-started:
	case <-ctx.Done():
		return nil
	}
	for {
		select {
		case <-hangup:
			if err := r.all(onHangup); err != nil {
				r.log.Error().Err(err).Msg("reload: what failed stays as it was")
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// mostDigest is the size beyond which a rule file is refused unread.
const mostDigest = 16 << 20

// ruleFiles are the files of --rules. They are used under the lock of reloads.
type ruleFiles struct {
	glob   string
	engine *detect.Engine
	out    *notify.Service
	clock  clock.Clock
	log    zerolog.Logger

	secrets     []string // files that receivers are partly read from
	seen        string   // digest of what was read last
	seenSecrets string
	full        map[string]bool // files that had content when they were taken last
	unstored    bool            // the database did not take all of it
}

// load reads the files and puts all that they say in force, or nothing. Rules that
// came from files before and are gone now are deleted; receivers take leave. A change
// that looks like half of one is refused where nobody asked for it.
func (f *ruleFiles) load(trigger string) error {
	f.seen = digest(f.names())
	file, err := detect.LoadFiles(f.glob)
	if err != nil {
		return err
	}
	f.secrets = nil
	for _, r := range file.Receivers {
		f.secrets = append(f.secrets, r.Files()...)
	}
	f.seenSecrets = digest(f.secrets)
	if trigger == onChange {
		if err := f.doubt(&file); err != nil {
			return err
		}
	}
	rules, err := f.engine.CheckRules(file.Rules, f.clock.Now().UnixMilli())
	if err != nil {
		return file.Place(err)
	}
	receivers, err := f.out.CheckReceivers(file.Owned())
	if err != nil {
		return file.Place(err)
	}
	if err := f.checkNames(&file, rules, trigger); err != nil {
		return file.Place(err)
	}
	// Nothing has changed so far, and what follows fails with the database only.
	f.unstored = true
	leaving, err := f.out.ReplaceFileReceivers(receivers, trigger == onRequest || trigger == onHangup)
	if err != nil {
		return err
	}
	removed, err := f.engine.ReplaceFileRules(rules, func(id string) string { return file.Source("rule", id) }, f.clock.Now().UnixMilli())
	if err != nil {
		return file.Place(err)
	}
	if err := f.engine.ReplaceFileRouting(&file); err != nil {
		return file.Place(err)
	}
	f.unstored, f.full = false, file.Content()
	if file.Empty() {
		f.log.Warn().Str("rules", f.glob).Msg("no rule file, or none with content")
	}
	routes, inhibit, mutes := file.Routing()
	f.log.Info().Int("rules", len(file.Rules)).Int("receivers", len(file.Receivers)).Int("routes", routes).Int("inhibit", inhibit).Int("mute", mutes).Int("removed", removed).Int("leaving", len(leaving)).Str("trigger", trigger).Msg("rule files loaded")
	return nil
}

// checkNames refuses routes and rules that name a receiver which there is not once those
// of the files are: they, and those that were made over the API. A server that starts
// with rules and without any receiver in its files may get them over the API later, and
// what was made over the API does not keep it from starting.
func (f *ruleFiles) checkNames(file *detect.File, rules detect.CheckedRules, trigger string) error {
	names := file.ReceiverNames()
	for _, name := range f.out.Names() {
		if f.out.FileOf(name) == "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if err := f.engine.CheckFileRouting(file, func(name string) bool { return slices.Contains(names, name) }); err != nil {
		if trigger != atStart || !errors.Is(err, detect.ErrLacking) {
			return err
		}
		f.log.Warn().Err(err).Msg("routes are not what they were meant to be until they are put again, or the files have that again")
	}
	if err := rules.CheckNotify(names); err != nil {
		if trigger != atStart || len(file.Receivers) > 0 {
			return err
		}
		f.log.Warn().Err(file.Place(err)).Msg("a rule pages nobody until there is such a receiver")
	}
	if err := f.engine.CheckOthers(rules, names); err != nil {
		if trigger != atStart {
			return err
		}
		f.log.Warn().Err(err).Msg("a rule pages nobody until there is such a receiver again")
	}
	return nil
}

// doubt refuses a change that nobody means: a file that had content has none, or all
// files are gone, as when a volume is.
func (f *ruleFiles) doubt(file *detect.File) error {
	const how = "a reload by hand, POST /-/reload or SIGHUP, takes it as it is"
	now := file.Content()
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if f.full[name] && !now[name] {
			return fmt.Errorf("%s:1:1: is empty now, as a file that is being written; %s", name, how)
		}
	}
	if len(now) == 0 && len(f.full) > 0 {
		return fmt.Errorf("--rules %s matches no file any more, as when a volume is gone; %s", f.glob, how)
	}
	return nil
}

// names returns the files that the pattern matches.
func (f *ruleFiles) names() []string {
	names, _ := filepath.Glob(f.glob) // LoadFiles tells of a bad pattern
	return names
}

// half reports whether a file that had content is gone or empty, which is what an
// editor may show for a moment.
func (f *ruleFiles) half() bool {
	for name, full := range f.full {
		if info, err := os.Stat(name); full && (err != nil || info.Size() == 0) {
			return true
		}
	}
	return false
}

// read returns the files with those that they name.
func (f *ruleFiles) read() []string { return append(f.names(), f.secrets...) }

// unread reports whether the files are not as they were when they were read.
func (f *ruleFiles) unread() bool {
	return digest(f.names()) != f.seen || digest(f.secrets) != f.seenSecrets
}

// digest tells two contents of files apart.
func digest(names []string) string {
	h := sha256.New()
	for _, name := range names {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			fmt.Fprintf(h, "%q none\n", name)
			continue
		case info.Size() > mostDigest: // too large to be taken
			fmt.Fprintf(h, "%q %d %d\n", name, info.Size(), info.ModTime().UnixNano())
			continue
		}
		text, err := os.ReadFile(name)
		fmt.Fprintf(h, "%q %x %t\n", name, sha256.Sum256(text), err == nil)
	}
	return string(h.Sum(nil))
}

// fingerprint tells them apart at a lower price, and not always.
func (f *ruleFiles) fingerprint() string {
	var b strings.Builder
	for _, name := range f.read() {
		if info, err := os.Stat(name); err == nil {
			target, _ := filepath.EvalSymlinks(name)
			fmt.Fprintln(&b, target, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
