// Package alert is the state of one alert: what one rule's verdicts about one
// group mean for the people it pages.
//
// It is a pure state machine. It owns no clock, no storage and no identity: the
// engine feeds it every closed step once, in order of time, and acts on the
// changes that it returns.
//
//	            Out                 t − pendingSince ≥ for
//	Inactive ────────→ Pending ───────────────────────→ Firing
//	   ↑                  │ In                            │ In and t − lastOut ≥ keep
//	   └──────────────────┴───────────────────────────────┘
//
// Beside it runs a second, independent incident: no data. It is raised when a
// group had data once and has been without for Config.AbsenceAfter, and ends
// with the first value.
//
// Either may flap: begin again and again, soon after it ended. From its
// Config.Flaps-th beginning in a row on it stays on until it has been calm for
// Config.Calm, so that those who are paged are told of one long alert and not of
// many short ones.
//
// Time without a verdict is no evidence in either direction. It neither
// confirms nor ends anything and is taken off all clocks: `for`, `keep`, calm.
package alert

// Phase is where an alert stands.
type Phase uint8

const (
	Inactive Phase = iota
	Pending        // out of band, but not yet for long enough
	Firing
)

// String returns the name that the API uses.
func (p Phase) String() string {
	switch p {
	case Pending:
		return "pending"
	case Firing:
		return "firing"
	}
	return "inactive"
}

// Observation is what one closed step says about one group.
type Observation uint8

const (
	// Missing: the group has no data at this step.
	Missing Observation = iota
	// Unjudged: there is data but no verdict, because the detector still trains.
	Unjudged
	In  // in band
	Out // out of band
)

// NoData says what a step without data means for the alert.
type NoData uint8

const (
	// Auto: nothing for the alert; a no-data incident of its own after
	// AbsenceAfter.
	Auto  NoData = iota
	OK           // in band
	Alert        // out of band
	Keep         // nothing, and no incident of its own either
	Zero         // the engine turned it into the value 0 already
)

// Config is the part of a rule that the machine needs; all times in ms.
type Config struct {
	Step         int64
	For          int64
	Keep         int64
	AbsenceAfter int64 // Auto only; 0 turns the no-data incident off
	NoData       NoData
	// Flaps is the beginning in a row from which an alert flaps; 0: none does. In a
	// row are those before which it was over for less than Calm, and a flapping one is
	// over when it has been in band, or has had data, for so long.
	Flaps int32
	Calm  int64
}

// Change is the set of things that a step changed.
type Change uint8

const (
	Pended     Change = 1 << iota // Inactive → Pending
	Dropped                       // Pending → Inactive
	Fired                         // → Firing
	Resolved                      // Firing → Inactive
	DataLost                      // the no-data incident begins
	DataReturn                    // the no-data incident ends
)

// Has reports whether all of x changed.
func (c Change) Has(x Change) bool { return c&x == x }

// State is one alert. The zero value is inactive and has never seen data. Times
// are Unix ms of steps; 0 means none.
type State struct {
	Phase Phase `json:"phase,omitempty"`
	// PendingSince is the first step out of band of this episode.
	PendingSince int64 `json:"pendingSince,omitempty"`
	// StartsAt is the step at which the alert fired.
	StartsAt int64 `json:"startsAt,omitempty"`
	// LastOut is the last step out of band of this episode.
	LastOut int64 `json:"lastOut,omitempty"`
	// Held is the time without a verdict since PendingSince, or since LastOut
	// once the alert fires, that counts neither towards for nor towards keep.
	Held int64 `json:"held,omitempty"`

	// Absent is how long the group has been without data, in ms, until the no-data
	// incident began, and stays that until it ends; it stands still while the engine does. HadData says that it
	// ever had any.
	HadData bool  `json:"hadData,omitempty"`
	Absent  int64 `json:"absent,omitempty"`
	// NoDataAt is the step at which the no-data incident began.
	NoDataAt int64 `json:"noDataAt,omitempty"`

	// Fires and Losses are how often the alert and the no-data incident began lately.
	Fires  Streak `json:"fires,omitzero"`
	Losses Streak `json:"losses,omitzero"`
}

// Streak is how often an incident began in a row. The zero value is that of one that
// has been calm for long.
type Streak struct {
	Times int32 `json:"times,omitempty"`
	// Calm is how long it has been over since, in ms of judged steps; of a no-data
	// incident that flaps, while it is on, how long there has been data.
	Calm int64 `json:"calm,omitempty"`
}

// Flapping reports whether the incident that is on flaps.
func (k *Streak) Flapping(c *Config) bool { return c.Flaps > 0 && k.Times >= c.Flaps }

func (k *Streak) begin(c *Config) {
	if k.Calm = 0; c.Flaps > 0 {
		k.Times++
	}
}

func (k *Streak) end(c *Config) {
	if k.Calm = 0; c.Flaps == 0 || k.Flapping(c) {
		k.Times = 0 // it was calm for long enough, or nobody counts
	}
}

// rest counts a calm step of an incident that is over.
func (k *Streak) rest(c *Config) {
	if k.Times == 0 {
		return
	}
	if k.Calm += c.Step; c.Flaps == 0 || k.Calm >= c.Calm {
		*k = Streak{}
	}
}

// Needs returns how long the alert that fires must have been in band to be over.
func (s *State) Needs(c *Config) int64 {
	if s.Fires.Flapping(c) {
		return max(c.Keep, c.Calm)
	}
	return c.Keep
}

// Step takes the observation of step t, which must be later than all before,
// and returns what it changed. Fired may come together with Pended, when For is
// 0; the no-data changes are independent of the others.
func (s *State) Step(c *Config, t int64, o Observation) Change {
	changed := s.presence(c, t, o)
	if o == Missing {
		switch c.NoData {
		case OK:
			o = In
		case Alert:
			o = Out
		}
	}
	switch o {
	case Out:
		changed |= s.out(c, t)
	case In:
		changed |= s.in(c, t)
	default:
		s.Pause(c.Step)
	}
	return changed
}

// Pause takes ms off the clocks of for and keep: time that passed without any
// step being judged, because the server was down or had no data.
func (s *State) Pause(ms int64) {
	if s.Phase != Inactive {
		s.Held += ms
	}
}

// Shift moves the clocks by ms, which may be negative: the steps that follow are
// stamped by a clock that was set.
func (s *State) Shift(ms int64) {
	if s.Phase != Inactive {
		s.PendingSince += ms
		s.LastOut += ms
	}
}

func (s *State) out(c *Config, t int64) Change {
	var changed Change
	switch s.Phase {
	case Inactive:
		s.Phase, s.PendingSince, s.Held = Pending, t, 0
		changed = Pended
	case Firing:
		s.Held = 0
	}
	s.LastOut = t
	if s.Phase == Pending && t-s.PendingSince-s.Held >= c.For {
		s.Phase, s.StartsAt, s.Held = Firing, t, 0
		s.Fires.begin(c)
		changed |= Fired
	}
	return changed
}

func (s *State) in(c *Config, t int64) Change {
	var changed Change
	switch {
	case s.Phase == Firing && t-s.LastOut-s.Held >= s.Needs(c):
		s.Fires.end(c)
		s.clear()
		return Resolved
	case s.Phase == Firing:
		return 0
	case s.Phase == Pending:
		s.clear()
		changed = Dropped
	}
	s.Fires.rest(c)
	return changed
}

// Clear ends both incidents at once, as when the rule is deleted, and returns
// what that changed.
func (s *State) Clear() Change {
	var changed Change
	switch s.Phase {
	case Pending:
		changed = Dropped
	case Firing:
		changed = Resolved
	}
	s.clear()
	s.Fires = Streak{}
	return changed | s.Lost()
}

// Lost ends the no-data incident without data: the group is given up and counts
// as never seen.
func (s *State) Lost() Change {
	s.HadData, s.Absent, s.Losses = false, 0, Streak{}
	if s.NoDataAt == 0 {
		return 0
	}
	s.NoDataAt = 0
	return DataReturn
}

// End makes the alert inactive, as it was when its incident ended.
func (s *State) End() { s.clear() }

func (s *State) clear() {
	s.Phase, s.PendingSince, s.StartsAt, s.LastOut, s.Held = Inactive, 0, 0, 0, 0
}

// presence runs the no-data incident.
func (s *State) presence(c *Config, t int64, o Observation) Change {
	if o != Missing {
		return s.present(c)
	}
	if c.NoData != Auto {
		return 0
	}
	if s.NoDataAt != 0 {
		s.Losses.Calm = 0
		return 0
	}
	if c.AbsenceAfter <= 0 || !s.HadData {
		return 0
	}
	s.Absent += c.Step
	if s.Absent >= c.AbsenceAfter {
		s.NoDataAt = t
		s.Losses.begin(c)
		return DataLost
	}
	return 0
}

// present takes a step with data.
func (s *State) present(c *Config) Change {
	s.HadData = true
	if s.NoDataAt == 0 {
		s.Absent = 0
		s.Losses.rest(c)
		return 0
	}
	if s.Losses.Flapping(c) {
		if s.Losses.Calm += c.Step; s.Losses.Calm < c.Calm {
			return 0
		}
	}
	s.Absent, s.NoDataAt = 0, 0
	s.Losses.end(c)
	return DataReturn
}

// Idle reports whether the state holds nothing that must be remembered: no
// incident is pending or open.
func (s *State) Idle() bool { return s.Phase == Inactive && s.NoDataAt == 0 }
