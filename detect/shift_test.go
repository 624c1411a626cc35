package detect_test

import (
	"bytes"
	"fmt"
	"testing"
)

// TestShiftedGroups: which groups a rule has that looks back with :offset does not depend
// on when that past was read, also while groups come.
func TestShiftedGroups(t *testing.T) {
	for kill := int64(101); kill <= 109; kill += 2 {
		plain, killed := newTapedRig(t, 1000), newTapedRig(t, 1000)
		for _, r := range []*rig{plain, killed} {
			for i, op := range []string{":sub", ":add", ":div,1,:sub"} {
				r.put(fmt.Sprintf(`{"id":"r%d","expr":"name,sps,:eq,:sum,(,node,),:by,:dup,90s,:offset,%s","detector":{"kind":"static","above":1000}}`, i, op))
			}
		}
		for s := int64(1); s <= 120; s++ {
			for _, r := range []*rig{plain, killed} {
				r.at(s*1000 - 300)
				for node := range 1 + (s-95)/3 {
					r.send("a", p(100, "name", "sps", "node", fmt.Sprint(node)))
				}
				if s < 95 {
					r.send("a", p(100, "name", "sps", "node", "0"))
				}
				r.to(s*1000 + 50)
			}
			if s == kill {
				killed.recover()
			}
			if x, y := plain.engine.State(), killed.engine.State(); !bytes.Equal(x, y) {
				t.Fatalf("killed at %d s, at %d s: %s", kill, s, difference(x, y))
			}
		}
	}
}
