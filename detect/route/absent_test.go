package route

import (
	"testing"

	"pulse/detect/label"
)

// TestMuteThatIsGone: a route that names a mute which there is not, as it may when its
// file is gone, holds nobody back.
func TestMuteThatIsGone(t *testing.T) {
	c := Config{Routes: []Route{{Receivers: []string{"chat"}, Mute: []string{"night"}, Active: []string{"office"}}}}
	set := label.Set{"severity": "page"}
	for name, legs := range map[string][]Leg{"config": c.Decide(set, 1), "router": c.NewRouter().Decide(set, 1)} {
		if len(legs) != 1 || legs[0].Muted() {
			t.Errorf("%s: %+v", name, legs)
		}
	}
}
