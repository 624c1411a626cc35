package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// How a change of rule files is waited for.
const (
	quietTime   = 200 * time.Millisecond // without a further event, before the files are read
	noisyTime   = 5 * time.Second        // after which they are read in spite of events
	halfTime    = 2 * time.Second        // more, when a file is gone or empty: it may be on its way
	mostFolders = 1000
)

// watch reloads the rule files when they change, until ctx ends. It watches folders,
// since editors rename over a file and Kubernetes swaps a link beside it; what cannot
// be watched is looked at every few seconds.
func (r *reloads) watch(ctx context.Context) error {
	if r.rules == nil {
		return nil
	}
	w := &watcher{reloads: r}
	fs, err := fsnotify.NewWatcher()
	if err == nil {
		defer fs.Close()
		w.fs, w.events, w.errors = fs, fs.Events, fs.Errors
	} else {
		r.log.Warn().Err(err).Dur("every", lookAgain).Msg("rule files are looked at now and then, since their folders cannot be watched")
	}
	w.follow()
	w.look(true) // for what has changed since the start
	for again := r.clock.After(lookAgain); ; {
		sure := false
		select {
		case <-again:
			if again = r.clock.After(lookAgain); !w.differs() {
				continue
			}
		case e := <-w.events:
			sure = w.concerns(e)
		case <-w.errors: // events were lost
			sure = true
		case <-ctx.Done():
			return nil
		}
		if !w.settle(ctx, &sure) {
			return nil
		}
		w.follow()
		w.look(sure)
	}
}

// watcher is the state of a watch.
type watcher struct {
	*reloads
	fs      *fsnotify.Watcher // nil: there is none
	events  <-chan fsnotify.Event
	errors  <-chan error
	folders []string // that are watched
	print   string   // fingerprint of the files at the last look
}

// concerns reports whether an event is about a rule file itself.
func (w *watcher) concerns(e fsnotify.Event) bool {
	ok, err := filepath.Match(filepath.Clean(w.rules.glob), filepath.Clean(e.Name))
	return ok && err == nil
}

// settle waits until events have stopped, and for a file that is gone or empty a
// little longer. It returns false when ctx ends.
func (w *watcher) settle(ctx context.Context, sure *bool) bool {
	end := w.clock.After(noisyTime)
	for pause := quietTime; ; {
		quiet := w.clock.After(pause)
		select {
		case e := <-w.events:
			*sure = *sure || w.concerns(e)
			pause = quietTime
			continue
		case <-w.errors:
			*sure = true
			continue
		case <-quiet:
			if pause == quietTime && w.halfway() {
				pause = halfTime
				continue
			}
		case <-end:
		case <-ctx.Done():
			return false
		}
		return true
	}
}

func (w *watcher) halfway() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rules.half()
}

// differs reports whether the files may have changed without an event.
func (w *watcher) differs() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rules.unstored || w.rules.fingerprint() != w.print
}

// look reloads when the files are not as they were when they were read last, or when
// the database did not take all of it. Without an event about one of them, that costs
// a look at their sizes and times.
func (w *watcher) look(sure bool) {
	w.mu.Lock()
	last := w.print
	w.print = w.rules.fingerprint()
	changed := w.rules.unstored || (sure || w.print != last) && w.rules.unread()
	w.mu.Unlock()
	if !changed {
		return
	}
	if err := w.read(onChange, false, true); err != nil {
		w.log.Error().Err(err).Msg("rule files: what is in force stays as it was")
	}
}

// follow watches the folders that matter now and no others.
func (w *watcher) follow() {
	if w.fs == nil {
		return
	}
	w.mu.Lock() // a reload may read the files now
	want := w.rules.folders()
	w.mu.Unlock()
	for _, dir := range w.folders {
		if !slices.Contains(want, dir) {
			_ = w.fs.Remove(dir) // it may be gone
		}
	}
	w.folders = w.folders[:0]
	for _, dir := range want {
		if err := w.fs.Add(dir); err == nil {
			w.folders = append(w.folders, dir)
		} else if !errors.Is(err, fsnotify.ErrClosed) {
			w.log.Debug().Err(err).Str("folder", dir).Msg("a folder of rule files cannot be watched")
		}
	}
}

// folders are those in which a change can change what the pattern matches, or what a
// matched link leads to.
func (f *ruleFiles) folders() []string {
	var out []string
	add := func(dir string) {
		if len(out) < mostFolders && !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	for dir := filepath.Dir(f.glob); ; dir = filepath.Dir(dir) {
		if !strings.ContainsAny(dir, `*?[\`) {
			add(dir)
			break
		}
		matched, _ := filepath.Glob(dir)
		for _, d := range matched {
			add(d)
		}
	}
	for _, name := range f.secrets {
		add(filepath.Dir(name))
	}
	for _, name := range f.read() {
		if target, err := filepath.EvalSymlinks(name); err == nil && target != filepath.Clean(name) {
			add(filepath.Dir(target))
		}
	}
	return out
}
