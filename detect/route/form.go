package route

import (
	"encoding/json"

	"pulse/detect/label"
)

// The forms are what is written, in JSON and in YAML; decode.go reads them. A nil
// pointer is what was not said, an empty list what was said to be empty.

type routeForm struct {
	Receivers      *[]string       `json:"receivers,omitempty" yaml:"receivers,omitempty"`
	Matchers       *label.Matchers `json:"matchers,omitempty" yaml:"matchers,omitempty"`
	GroupBy        *[]string       `json:"group_by,omitempty" yaml:"group_by,omitempty"`
	GroupWait      string          `json:"group_wait,omitempty" yaml:"group_wait,omitempty"`
	GroupInterval  string          `json:"group_interval,omitempty" yaml:"group_interval,omitempty"`
	RepeatInterval string          `json:"repeat_interval,omitempty" yaml:"repeat_interval,omitempty"`
	Continue       bool            `json:"continue,omitempty" yaml:"continue,omitempty"`
	Mute           *[]string       `json:"mute,omitempty" yaml:"mute,omitempty"`
	Active         *[]string       `json:"active,omitempty" yaml:"active,omitempty"`
	Routes         []Route         `json:"routes,omitempty" yaml:"routes,omitempty"`
}

func (r Route) form() routeForm {
	given := func(list []string) *[]string {
		if list == nil {
			return nil
		}
		return &list
	}
	f := routeForm{
		Receivers: given(r.Receivers), GroupBy: given(r.GroupBy), Mute: given(r.Mute), Active: given(r.Active),
		Continue: r.Continue, Routes: r.Routes,
	}
	if len(r.Matchers) > 0 {
		f.Matchers = &r.Matchers
	}
	if r.GroupWait != nil {
		f.GroupWait = r.GroupWait.String()
	}
	if r.GroupInterval != nil {
		f.GroupInterval = r.GroupInterval.String()
	}
	if r.RepeatInterval != nil {
		f.RepeatInterval = r.RepeatInterval.String()
	}
	return f
}

type inhibitForm struct {
	Name   string         `json:"name" yaml:"name"`
	Source label.Matchers `json:"source" yaml:"source"`
	Target label.Matchers `json:"target" yaml:"target"`
	Equal  []string       `json:"equal,omitempty" yaml:"equal,omitempty"`
}

type muteForm struct {
	Name      string         `json:"name" yaml:"name"`
	Timezone  string         `json:"timezone,omitempty" yaml:"timezone,omitempty"`
	Intervals []intervalForm `json:"intervals" yaml:"intervals"`
}

type intervalForm struct {
	Times       []timesForm `json:"times,omitempty" yaml:"times,omitempty"`
	Weekdays    []string    `json:"weekdays,omitempty" yaml:"weekdays,omitempty"`
	DaysOfMonth []string    `json:"days_of_month,omitempty" yaml:"days_of_month,omitempty"`
	Months      []string    `json:"months,omitempty" yaml:"months,omitempty"`
	Years       []string    `json:"years,omitempty" yaml:"years,omitempty"`
	Timezone    string      `json:"timezone,omitempty" yaml:"timezone,omitempty"`
}

type timesForm struct {
	Start string `json:"start" yaml:"start"`
	End   string `json:"end" yaml:"end"`
}

func (m Mute) form() muteForm {
	f := muteForm{Name: m.Name, Timezone: m.Timezone.name, Intervals: []intervalForm{}}
	for i := range m.Intervals {
		f.Intervals = append(f.Intervals, m.Intervals[i].form())
	}
	return f
}

func (v *Interval) form() intervalForm {
	f := intervalForm{
		Weekdays: weekdayList.texts(v.Weekdays), DaysOfMonth: dayList.texts(v.DaysOfMonth),
		Months: monthList.texts(v.Months), Years: yearList.texts(v.Years),
	}
	for _, x := range v.Times {
		f.Times = append(f.Times, timesForm{formatClock(x.Start), formatClock(x.End)})
	}
	if v.Timezone != nil {
		f.Timezone = v.Timezone.String()
	}
	return f
}

func (l *list) texts(ranges []Range) []string {
	var out []string
	for _, r := range ranges {
		out = append(out, l.format(r))
	}
	return out
}

type configForm struct {
	Routes  []Route   `json:"routes,omitempty" yaml:"routes,omitempty"`
	Inhibit []Inhibit `json:"inhibit,omitempty" yaml:"inhibit,omitempty"`
	Mute    []Mute    `json:"mute,omitempty" yaml:"mute,omitempty"`
}

// The JSON forms. Reading refuses unknown keys and text after the object.

func (c Config) MarshalJSON() ([]byte, error)  { return json.Marshal(configForm(c)) }
func (r Route) MarshalJSON() ([]byte, error)   { return json.Marshal(r.form()) }
func (r Inhibit) MarshalJSON() ([]byte, error) { return json.Marshal(inhibitForm(r)) }
func (m Mute) MarshalJSON() ([]byte, error)    { return json.Marshal(m.form()) }

func (c *Config) UnmarshalJSON(body []byte) (err error) {
	*c, err = fromJSON(body, (*reader).config)
	return err
}

func (r *Route) UnmarshalJSON(body []byte) (err error) {
	*r, err = fromJSON(body, topRoute)
	return err
}

func (r *Inhibit) UnmarshalJSON(body []byte) (err error) {
	*r, err = fromJSON(body, (*reader).inhibit)
	return err
}

func (m *Mute) UnmarshalJSON(body []byte) (err error) {
	*m, err = fromJSON(body, (*reader).mute)
	return err
}

func topRoute(r *reader, f *fields) Route { return r.route(f, 1) }

// The YAML forms have the same keys; matchers are texts there.

func (c Config) MarshalYAML() (any, error)  { return configForm(c), nil }
func (r Route) MarshalYAML() (any, error)   { return r.form(), nil }
func (r Inhibit) MarshalYAML() (any, error) { return inhibitForm(r), nil }
func (m Mute) MarshalYAML() (any, error)    { return m.form(), nil }

func (c *Config) UnmarshalYAML(read func(any) error) (err error) {
	*c, err = fromYAML(read, (*reader).config)
	return err
}

func (r *Route) UnmarshalYAML(read func(any) error) (err error) {
	*r, err = fromYAML(read, topRoute)
	return err
}

func (r *Inhibit) UnmarshalYAML(read func(any) error) (err error) {
	*r, err = fromYAML(read, (*reader).inhibit)
	return err
}

func (m *Mute) UnmarshalYAML(read func(any) error) (err error) {
	*m, err = fromYAML(read, (*reader).mute)
	return err
}

func fromYAML[T any](read func(any) error, decode func(*reader, *fields) T) (out T, err error) {
	var tree any
	if err := read(&tree); err != nil {
		return out, err
	}
	return fromTree(tree, decode)
}
