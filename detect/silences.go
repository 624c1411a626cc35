package detect

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"pulse/detect/label"
	"pulse/detect/silence"
)

// MaxSilences is how many silences may be pending or active.
const MaxSilences = silence.MaxSilences

// openSilences reads the silences of the database.
func (e *Engine) openSilences() error {
	store, unreadable, err := silence.Open(e.o.DB)
	if err != nil {
		return err
	}
	for id, err := range unreadable {
		e.o.Log.Error().Err(err).Str("silence", id).Msg("a stored silence silences nothing")
	}
	e.silences, e.journal.silences = store, store
	return nil
}

// PutSilence stores a silence, or changes the one of its ID, at now (Unix ms), and
// returns what became of it; see silence.Store.Put.
func (e *Engine) PutSilence(s silence.Silence, now int64) (silence.Silence, error) {
	out, err := e.silences.Put(s, now)
	if err != nil {
		return silence.Silence{}, err
	}
	e.o.Log.Info().Str("silence", out.ID).Str("author", out.Author).Stringer("matchers", out.Matchers).
		Str("until", rfc3339(out.EndsAt)).Msg("silence stored")
	e.Wake()
	return out, nil
}

// ExpireSilence ends a silence at now. by is who ends it; may be empty.
func (e *Engine) ExpireSilence(id, by string, now int64) error {
	reason := "ended by hand"
	if by != "" {
		reason = "ended by " + clip(by, silence.MaxText)
	}
	if err := e.silences.Expire(id, reason, now); err != nil {
		return err
	}
	e.o.Log.Info().Str("silence", id).Str("reason", reason).Msg("silence ended")
	e.Wake()
	return nil
}

// Silences returns all silences as they stand at now, those that end next first, those
// that are over last.
func (e *Engine) Silences(now int64) []silence.Silence { return e.silences.List(now) }

// Silence returns the silence of an id and whether there is one.
func (e *Engine) Silence(id string) (silence.Silence, bool) { return e.silences.Get(id) }

// OpenSilences returns how many silences are pending or active at now.
func (e *Engine) OpenSilences(now int64) int { return e.silences.Len(now) }

// Set returns the labels by which silences know the alert.
func (a *Alert) Set() label.Set {
	return setOf(&a.Notification)
}

// Firing returns the alerts that fire, those of missing data among them, with the
// silences that mean them now.
func (e *Engine) Firing() []Alert {
	out := e.openAlerts(func(in *incident) bool { return in.State == StateFiring || in.State == StateNoData })
	e.silenced(out)
	return out
}

// silenced says of open alerts which silences mean them now.
func (e *Engine) silenced(alerts []Alert) {
	now := e.o.Clock.Now().UnixMilli()
	if e.silences.Len(now) == 0 {
		return
	}
	for i := range alerts {
		alerts[i].SilencedBy = e.silences.By(alerts[i].Set(), now)
	}
}

// SilencePreview is what a silence would hit, and would have.
type SilencePreview struct {
	Now   silence.Hits // alerts that are pending or fire
	Past  silence.Hits // incidents that ended after Since
	Since int64        // Unix ms
}

// maxPreview bounds how far back a preview looks.
const maxPreview = Duration(366 * day)

// PreviewSilence returns what a silence with these matchers hits at now, and what it
// would have hit in the given time before, as far as ended incidents are kept.
func (e *Engine) PreviewSilence(ms label.Matchers, since, now int64) (SilencePreview, error) {
	if len(ms) == 0 || ms.MatchesAbsent() {
		return SilencePreview{}, fmt.Errorf("%w: matchers %s mean alerts without any label too", silence.ErrInvalid, ms)
	}
	if since < 0 || since > int64(maxPreview) {
		return SilencePreview{}, fmt.Errorf("since is %s, want 0s to %s", Duration(since), maxPreview)
	}
	var open []silence.Entry
	for _, a := range e.openAlerts(func(*incident) bool { return true }) {
		open = append(open, silence.Entry{
			Incident: a.Incident, Rule: a.Rule, State: a.State, Severity: a.Severity, Tags: a.Tags,
			StartsAt: a.since(), Set: a.Set(),
		})
	}
	past, err := e.endedAfter(now - since)
	if err != nil {
		return SilencePreview{}, fmt.Errorf("preview: %w", err)
	}
	return SilencePreview{Now: silence.Preview(ms, open), Past: silence.Preview(ms, past), Since: now - since}, nil
}

// endedAfter returns the incidents that ended after t.
func (e *Engine) endedAfter(t int64) ([]silence.Entry, error) {
	var out []silence.Entry
	err := e.journal.eachEnded(func(at int64, list []filed) (more bool) {
		if at <= t {
			return false
		}
		for _, r := range slices.Backward(list) {
			x, err := readEnded(r.text)
			if err == nil && x.Incident != r.id {
				err = r.anothers(x.Incident)
			}
			if err != nil {
				e.journal.damage.found(r.id, r.damaged(err))
				continue
			}
			x.EndsAt = at
			out = append(out, x)
		}
		return true
	})
	slices.Reverse(out)
	return out, err
}

// readEnded reads of the record of an incident what a preview needs.
func readEnded(record []byte) (silence.Entry, error) {
	var in struct {
		ID, Rule, State string
		Absence         bool
		Sent            struct {
			Severity, Owner string
			Labels, Tags    map[string]string
			StartsAt        time.Time
		}
	}
	if err := json.Unmarshal(record, &in); err != nil {
		return silence.Entry{}, err
	}
	return silence.Entry{
		Incident: in.ID, Rule: in.Rule, State: in.State, Severity: in.Sent.Severity, Tags: in.Sent.Tags,
		StartsAt: in.Sent.StartsAt.UnixMilli(),
		Set:      label.Of(in.Rule, in.Sent.Severity, in.Sent.Owner, in.Absence, in.Sent.Labels, in.Sent.Tags),
	}, nil
}
