package web

import (
	"hash/maphash"
	"strconv"
	"strings"
	"sync"

	"pulse/detect"
)

// The bounds of alertFeed.
const (
	fewAlerts = 100    // the newest open alerts of each state, whose new figures are a change
	mostGone  = 10_000 // alerts that left the list and are still known to have
)

// alertFeed tells who asks for the list of alerts again and again what has changed in it.
// Figures are others with every step: they are a change of the newest fewAlerts of a state
// alone, of the others they go along when something else has changed. Its zero value is
// ready; mu guards all of it.
type alertFeed struct {
	mu    sync.Mutex
	boot  string // which revisions begin with: those of another process say nothing
	seed  maphash.Seed
	looks uint64
	rev   int64
	known map[string]fedAlert
	gone  []goneAlert // in order of their revisions
	lost  int64       // the revision up to which gone is not complete
	buf   []byte
}

// fedAlert is what is known of an alert of the list.
type fedAlert struct {
	sum  uint64 // of its shape
	look uint64 // the last one that found it
	rev  int64  // when it changed last, 0: never seen
}

type goneAlert struct {
	incident string
	rev      int64
}

// alertChanges is the answer, whose JSON has all alerts when Complete.
type alertChanges struct {
	Revision string         `json:"revision"`
	Complete bool           `json:"complete"`
	Alerts   []detect.Alert `json:"alerts"`
	Gone     []string       `json:"gone"`
}

// alertChanges answers with what has changed in the list of alerts since a revision.
func (s *Server) alertChanges(r *request) {
	out, err := s.changedAlerts(r.param("since"))
	if err != nil {
		r.fail(err)
		return
	}
	r.json(out)
}

func (s *Server) changedAlerts(since string) (alertChanges, error) {
	f := &s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	list, err := s.opts.Detect.Alerts("") // under the lock, so that no older list comes after a newer one
	if err != nil {
		return alertChanges{}, err
	}
	if f.known == nil {
		f.boot, f.seed, f.known = strconv.FormatInt(s.nowMs(), 36), maphash.MakeSeed(), map[string]fedAlert{}
	}
	f.look(list)
	return f.since(since, list), nil
}

// look compares the list with what is known, and counts a revision when it differs.
func (f *alertFeed) look(list []detect.Alert) {
	f.looks++
	next, changed, ahead := f.rev+1, false, map[string]int{}
	for i := range list {
		a := &list[i]
		f.buf = appendAlertShape(f.buf[:0], a, a.State != detect.StateResolved && ahead[a.State] < fewAlerts)
		ahead[a.State]++
		sum, had := maphash.Bytes(f.seed, f.buf), f.known[a.Incident]
		if had.rev == 0 || had.sum != sum {
			had.sum, had.rev, changed = sum, next, true
		}
		had.look = f.looks
		f.known[a.Incident] = had
	}
	if len(f.known) > len(list) {
		for incident, had := range f.known {
			if had.look != f.looks {
				delete(f.known, incident)
				f.gone, changed = append(f.gone, goneAlert{incident, next}), true
			}
		}
	}
	if !changed {
		return
	}
	f.rev = next
	if over := len(f.gone) - mostGone; over > 0 {
		f.lost = f.gone[over-1].rev
		f.gone = append([]goneAlert(nil), f.gone[over:]...)
	}
}

// since returns what has changed since a revision, and all when that is not known.
func (f *alertFeed) since(revision string, list []detect.Alert) alertChanges {
	out := alertChanges{Revision: f.boot + "-" + strconv.FormatInt(f.rev, 10), Alerts: []detect.Alert{}, Gone: []string{}}
	text, ours := strings.CutPrefix(revision, f.boot+"-")
	from, err := strconv.ParseInt(text, 10, 64)
	if !ours || err != nil || from < f.lost || from > f.rev {
		out.Complete, out.Alerts = true, list
		return out
	}
	for i := range list {
		if f.known[list[i].Incident].rev > from {
			out.Alerts = append(out.Alerts, list[i])
		}
	}
	for _, g := range f.gone {
		if _, back := f.known[g.incident]; g.rev > from && !back {
			out.Gone = append(out.Gone, g.incident)
		}
	}
	return out
}

// appendAlertShape appends what tells an alert from itself as it was, with the figures of
// the newest step or without.
func appendAlertShape(dst []byte, a *detect.Alert, figures bool) []byte {
	n := a.Notification
	if !figures {
		n.Value, n.Expected, n.Lower, n.Upper, n.Score = 0, 0, 0, 0, 0
		n.EvaluatedAt, n.DataAgeMs, n.Completeness = 0, 0, 0
	}
	dst, _ = n.AppendJSON(dst) // a detector that is no JSON ends the text there, at each look
	dst = strconv.AppendInt(append(dst, a.State...), a.PendingSince, 10)
	for _, names := range [...][]string{a.SilencedBy, a.MutedBy, a.Receivers, a.Meant} {
		dst = append(dst, '\n')
		for _, name := range names {
			dst = append(append(dst, name...), 0)
		}
	}
	for _, c := range a.InhibitedBy {
		dst = append(append(append(append(dst, '\n'), c.Name...), 0), c.Incident...)
	}
	return dst
}
