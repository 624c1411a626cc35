package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"pulse/detect/alert"
	"pulse/detect/notify"
)

// The states of an alert as the API names them.
const (
	StatePending  = "pending"
	StateFiring   = "firing"
	StateNoData   = "nodata"
	StateResolved = "resolved"
)

// maxEvents bounds the timeline that an incident keeps.
const maxEvents = 200

// Event is one line of an alert's timeline.
type Event struct {
	T      int64  `json:"t"` // Unix ms
	Kind   string `json:"kind"`
	Detail string `json:"detail"`
}

// Figures are what a verdict was on; NaN is null.
type Figures struct {
	Value    Number `json:"value"`
	Expected Number `json:"expected"`
	Lower    Number `json:"lower"`
	Upper    Number `json:"upper"`
}

// incident is one alert or no-data episode of one group, from its first step
// until it is resolved. Its JSON form is the record in the database.
type incident struct {
	ID           string              `json:"id"`
	Rule         string              `json:"rule"`
	State        string              `json:"state"`
	Absence      bool                `json:"absence,omitempty"` // it is the no-data incident
	PendingSince int64               `json:"pendingSince"`
	Machine      alert.State         `json:"machine"` // of the group, as it was at step At
	At           int64               `json:"at"`
	Turn         int                 `json:"turn,omitempty"`     // how often the clock had been set back then
	Sent         notify.Notification `json:"sent"`               // the newest transition; while pending the verdict
	Notify       []string            `json:"notify,omitempty"`   // receivers of the beginning, and so of the end
	Silences     []string            `json:"silences,omitempty"` // that mean it, once it fires
	Held         bool                `json:"held,omitempty"`     // nobody was told that it began; where routes chose, legs say so
	Routed       bool                `json:"routed,omitempty"`   // routes chose who is told
	Legs         []leg               `json:"legs,omitempty"`
	Inhibited    []Cause             `json:"inhibited,omitempty"` // what inhibits it while somebody is to be told
	Events       []Event             `json:"events"`
	Began        *Figures            `json:"began,omitempty"` // what it began on

	undecided bool // it began in this turn, and who is told is not known yet

	freed int64 // when what inhibited it had ended, 0: it has not
}

// incidentID returns the id of the episode of a group that began at step since, which
// there may be once more when the clock was set back: turn is how often it was. It depends
// on nothing else, so a transition that is judged again after a crash before it was stored
// has the same id.
func incidentID(rule string, created int64, group string, absence bool, since int64, turn int) string {
	h := sha256.New()
	var buf []byte
	buf = binary.AppendUvarint(buf, uint64(len(rule)))
	buf = append(buf, rule...)
	buf = binary.AppendVarint(buf, created)
	buf = binary.AppendUvarint(buf, uint64(len(group)))
	buf = append(buf, group...)
	buf = binary.AppendVarint(buf, since)
	if absence {
		buf = append(buf, 1)
	}
	if turn > 0 {
		buf = binary.AppendUvarint(append(buf, 2), uint64(turn))
	}
	h.Write(buf)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// note appends to the timeline, dropping the oldest line but the first when it
// is full.
func (in *incident) note(t int64, kind, detail string) {
	if len(in.Events) >= maxEvents {
		copy(in.Events[1:], in.Events[2:])
		in.Events = in.Events[:len(in.Events)-1]
	}
	in.Events = append(in.Events, Event{t, kind, detail})
}

// begin makes in.Sent the notification that opens the incident.
func (in *incident) begin(kind string, startsAt int64) {
	in.State = StateFiring
	in.Sent.Type, in.Sent.Status = kind, StateFiring
	if kind == notify.TypeNoData {
		in.State, in.Sent.Status = StateNoData, StateNoData
	}
	in.Sent.ID = in.ID + "-" + in.State
	in.Sent.StartsAt = startsAt
}

// end makes in.Sent the notification that ends the incident.
func (in *incident) end(endsAt int64) {
	in.State = StateResolved
	in.Sent.Type, in.Sent.Status = notify.TypeResolved, StateResolved
	in.Sent.ID = in.ID + "-" + StateResolved
	in.Sent.EndsAt = endsAt
}

// incidentOf returns the incident id in id, which is one or the id of one of its
// transitions.
func incidentOf(id string) string {
	id, _, _ = strings.Cut(id, "-")
	return id
}

// appendRecord appends the record: what encoding/json would write, in a storm of
// alerts for a fraction of the price.
func (in *incident) appendRecord(dst []byte) ([]byte, error) {
	dst = notify.AppendString(append(dst, `{"id":`...), in.ID)
	dst = notify.AppendString(append(dst, `,"rule":`...), in.Rule)
	dst = notify.AppendString(append(dst, `,"state":`...), in.State)
	if in.Absence {
		dst = append(dst, `,"absence":true`...)
	}
	dst = strconv.AppendInt(append(dst, `,"pendingSince":`...), in.PendingSince, 10)
	dst = appendMachine(append(dst, `,"machine":`...), &in.Machine)
	dst = strconv.AppendInt(append(dst, `,"at":`...), in.At, 10)
	if in.Turn != 0 {
		dst = strconv.AppendInt(append(dst, `,"turn":`...), int64(in.Turn), 10)
	}
	var err error
	if dst, err = in.Sent.AppendJSON(append(dst, `,"sent":`...)); err != nil {
		return dst, err
	}
	dst = appendTexts(dst, `,"notify":[`, in.Notify)
	dst = appendTexts(dst, `,"silences":[`, in.Silences)
	if in.Held {
		dst = append(dst, `,"held":true`...)
	}
	dst = in.appendHolds(dst)
	dst = append(dst, `,"events":[`...)
	for i, x := range in.Events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(append(dst, `{"t":`...), x.T, 10)
		dst = notify.AppendString(append(dst, `,"kind":`...), x.Kind)
		dst = notify.AppendString(append(dst, `,"detail":`...), x.Detail)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	if b := in.Began; b != nil {
		dst = notify.AppendNumber(append(dst, `,"began":{"value":`...), float64(b.Value))
		dst = notify.AppendNumber(append(dst, `,"expected":`...), float64(b.Expected))
		dst = notify.AppendNumber(append(dst, `,"lower":`...), float64(b.Lower))
		dst = notify.AppendNumber(append(dst, `,"upper":`...), float64(b.Upper))
		dst = append(dst, '}')
	}
	return append(dst, '}'), nil
}

// appendMachine appends the state of an alert, without what is zero.
func appendMachine(dst []byte, s *alert.State) []byte {
	dst = append(dst, '{')
	from := len(dst)
	put := func(name, value string) {
		if len(dst) > from {
			dst = append(dst, ',')
		}
		dst = append(append(dst, name...), value...)
	}
	number := func(name string, v int64) {
		if v != 0 {
			put(name, "")
			dst = strconv.AppendInt(dst, v, 10)
		}
	}
	number(`"phase":`, int64(s.Phase))
	number(`"pendingSince":`, s.PendingSince)
	number(`"startsAt":`, s.StartsAt)
	number(`"lastOut":`, s.LastOut)
	number(`"held":`, s.Held)
	if s.HadData {
		put(`"hadData":`, "true")
	}
	number(`"absent":`, s.Absent)
	number(`"noDataAt":`, s.NoDataAt)
	streak := func(name string, k alert.Streak) {
		if k != (alert.Streak{}) {
			put(name, "{")
			from = len(dst)
			number(`"times":`, int64(k.Times))
			number(`"calm":`, k.Calm)
			from, dst = 0, append(dst, '}')
		}
	}
	streak(`"fires":`, s.Fires)
	streak(`"losses":`, s.Losses)
	return append(dst, '}')
}

// describe says in a line what a verdict was.
func describe(n *notify.Notification) string {
	text := "value " + Number(n.Value).String()
	if !math.IsNaN(n.Expected) {
		text += ", expected " + Number(n.Expected).String()
	}
	text += (&JudgedStep{Lower: Number(n.Lower), Upper: Number(n.Upper)}).within()
	text += ", score " + Number(n.Score).String()
	if n.Completeness < 1 {
		text += fmt.Sprintf(", judged with %s of its sources", Number(n.Completeness*100).String()+"%")
	}
	return text
}

// Alert is one incident as the API shows it: the members of the webhook body
// with the newest verdict, and the state.
type Alert struct {
	notify.Notification
	State        string
	PendingSince int64    // Unix ms
	SilencedBy   []string // silences that mean it now; of an open one only
	InhibitedBy  []Cause  // while somebody is still to be told
	MutedBy      []string // mutes and active times that hold it back from some receiver
	Receivers    []string // that were told that it began
	Meant        []string // these, and those that it is held back from
	Began        *Figures // what it began on; nil while pending, and where a version before did not keep it
	Timeline     []Event  // only of a single alert, as what follows
	Attempts     []notify.Attempt
	Standing     []notify.Standing
	Why          *Why
}

// untold are those that it is held back from, or that are still to be told of it.
func (a *Alert) untold() []string {
	return slices.DeleteFunc(append([]string{}, a.Meant...), func(name string) bool { return slices.Contains(a.Receivers, name) })
}

// MarshalJSON writes the webhook body's members followed by the alert's own.
func (a Alert) MarshalJSON() ([]byte, error) {
	body, err := json.Marshal(a.Notification)
	if err != nil {
		return nil, fmt.Errorf("marshal alert %s: %w", a.Incident, err)
	}
	own := struct {
		State        string            `json:"state"`
		PendingSince *string           `json:"pendingSince"`
		SilencedBy   []string          `json:"silencedBy"`
		InhibitedBy  []Cause           `json:"inhibitedBy"`
		MutedBy      []string          `json:"mutedBy"`
		Receivers    []string          `json:"receivers"`
		Untold       []string          `json:"untold"`
		Began        *Figures          `json:"began,omitempty"`
		Timeline     []Event           `json:"timeline,omitempty"`
		Attempts     []notify.Attempt  `json:"attempts,omitempty"`
		Standing     []notify.Standing `json:"standing,omitempty"`
		Why          *Why              `json:"why,omitempty"`
	}{
		State: a.State, SilencedBy: append([]string{}, a.SilencedBy...), InhibitedBy: append([]Cause{}, a.InhibitedBy...),
		MutedBy: append([]string{}, a.MutedBy...), Receivers: append([]string{}, a.Receivers...), Untold: a.untold(), Began: a.Began,
		Timeline: a.Timeline, Attempts: a.Attempts, Standing: a.Standing, Why: a.Why,
	}
	if a.PendingSince != 0 {
		text := rfc3339(a.PendingSince)
		own.PendingSince = &text
	}
	tail, err := json.Marshal(own)
	if err != nil {
		return nil, fmt.Errorf("marshal alert %s: %w", a.Incident, err)
	}
	body[len(body)-1] = ','
	return append(body, tail[1:]...), nil
}
