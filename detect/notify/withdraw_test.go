package notify_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"pulse/detect/notify"
)

// withdraw takes beginnings back, in a transaction that fails with fail.
func (r *rig) withdraw(fail error, incidents ...string) (out []string) {
	r.t.Helper()
	err := r.db.Update(func(tx *bbolt.Tx) error {
		list, err := r.svc.Withdraw(tx, incidents)
		for _, x := range list {
			out = append(out, x.Receiver+" "+x.Incident+" "+x.ID)
		}
		return errors.Join(err, fail)
	})
	if !errors.Is(err, fail) {
		r.t.Fatal(err)
	}
	return out
}

// What waits for its group can be taken back, and what may have been told cannot.
func TestWithdraw(t *testing.T) {
	for _, one := range []bool{false, true} {
		bubble(t, notify.Options{}, func(r *rig) {
			start := time.Now()
			name := fmt.Sprint("one message ", one)
			if r.put("b"); one {
				r.putGrouping("a")
			} else {
				r.put("a")
			}
			x := in(slowly, "a", firing("x"))
			x.To = append(x.To, notify.Target{Receiver: "b"})
			r.enqueue(x, in(slowly, "a", firing("y")))
			after(5 * time.Second)
			equal(t, name, r.withdraw(nil, "x", "z"), []string{"a x x-firing"})
			after(time.Second)
			r.withdraw(errors.New("disk full"), "y")
			after(time.Minute)
			if got := r.withdraw(nil, "x", "y"); len(got) > 0 {
				t.Errorf("%s: took back %q of what was told", name, got)
			}
			list := r.svc.Attempts("x")
			if len(list) != 2 || !strings.Contains(list[0].Error+list[1].Error, "held back") {
				t.Errorf("%s: the timeline has %+v", name, list)
			}
			y := "36: y-firing"
			equal(t, name, groupPosts(t, r.made(), start), []string{"0: x-firing", y})
			// Nobody at a was told of x, so nobody is told that it is over; then it begins again.
			over := in(slowly, "a", resolved("x"))
			r.enqueue(over)
			after(2 * time.Minute)
			if n := len(r.made()); n != 2 {
				t.Errorf("%s: told of an end of what was taken back", name)
			}
			r.enqueue(in(slowly, "a", firing("x")))
			after(2 * time.Minute)
			if n := len(r.made()); n != 3 {
				t.Errorf("%s: %d messages, want one of what was held back for a while", name, n)
			}
			r.enqueue(over, in(slowly, "a", resolved("y")))
			after(5 * time.Minute)
			if left := r.stored(); len(left) > 0 {
				t.Errorf("%s: left %v", name, left)
			}
		})
	}
}

// After a kill nobody knows what was attempted, so it stands.
func TestWithdrawAfterAKill(t *testing.T) {
	for _, kill := range []bool{false, true} {
		bubble(t, notify.Options{}, func(r *rig) {
			r.putGrouping("a")
			r.enqueue(in(slowly, "a", firing("x")))
			after(time.Second)
			if kill {
				r.kill()
			} else {
				r.stop()
			}
			r.start()
			want := 1
			if kill {
				want = 0
			}
			if got := r.withdraw(nil, "x"); len(got) != want {
				t.Errorf("kill %v: took back %q", kill, got)
			}
			r.stop()
			r.start()
			after(time.Minute)
			if got := len(r.made()); got != 1-want {
				t.Errorf("kill %v: told %d times", kill, got)
			}
		})
	}
}
