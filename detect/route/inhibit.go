package route

import (
	"iter"

	"pulse/detect/label"
)

// Inhibit holds alerts back while another fires: an alert that Target means is not
// told while one fires that Source means and that has the same values of the labels
// in Equal. A label that neither has is equal.
//
// An alert that both mean is held back only by those that Source alone means, and so
// never by itself. Whether a source is itself told of, silenced or inhibited plays no
// part, but see Inhibitor.HeldBy for alerts that hold back each other.
type Inhibit struct {
	Name           string
	Source, Target label.Matchers
	Equal          []string
}

// Cause is why an alert is held back.
type Cause struct {
	Rule   string // name of the inhibit rule
	Source string // id of an alert that fires
}

// Inhibited returns what holds back an alert with these labels, at most one cause per
// rule in the order of the rules: the first source in the order of firing, which
// yields id and labels of every alert that fires. It takes time for each of them; an
// Inhibitor does not.
func (c *Config) Inhibited(set label.Set, firing iter.Seq2[string, label.Set]) []Cause {
	var out []Cause
	for i := range c.Inhibit {
		r := &c.Inhibit[i]
		if !r.Target.Matches(set) {
			continue
		}
		both := r.Source.Matches(set)
		for id, source := range firing {
			if r.holds(source, set, both) {
				out = append(out, Cause{r.Name, id})
				break
			}
		}
	}
	return out
}

// holds reports whether an alert that fires holds back a target; both says that the
// target is one that Source means too.
func (r *Inhibit) holds(source, target label.Set, both bool) bool {
	if !r.Source.Matches(source) || both && r.Target.Matches(source) {
		return false
	}
	for _, key := range r.Equal {
		if source[key] != target[key] {
			return false
		}
	}
	return true
}
