package detect

import "pulse/detect/alert"

// earlier is what the alerts of a rule went by up to a step. A restart reads marks from
// before the rule was changed, and has to come to what was decided then.
type earlier struct {
	Until  int64        `json:"until"` // step
	Turn   int          `json:"turn,omitempty"`
	Config alert.Config `json:"config"`
}

// maxEarlier bounds how many are kept: those of many changes between two states.
const maxEarlier = 20

func (x *earlier) until() turnStep { return turnStep{x.Turn, x.Until} }

// goneBy notes what the alerts of r went by so far, before it is changed. What no mark
// will be replayed of is forgotten.
func (r *running) goneBy() {
	var list []earlier
	for _, x := range r.earlier {
		if saved := (turnStep{r.turn, r.saved}); saved.before(x.until()) {
			list = append(list, x)
		}
	}
	if r.judged > 0 {
		list = append(list, earlier{r.judged, r.turn, r.c.config})
	}
	r.earlier = list[max(0, len(list)-maxEarlier):]
}

// configOf returns what the alerts of r go by, or went by, at step t.
func (r *running) configOf(t int64) alert.Config {
	for i := range r.earlier {
		if x := &r.earlier[i]; !x.until().before(turnStep{r.turn, t}) {
			return x.Config
		}
	}
	return r.c.config
}
