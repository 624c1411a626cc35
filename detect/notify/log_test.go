package notify_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pulse/detect/notify"
)

// TestLog: the delivery log of a receiver in pages, newest first, and when it last took
// something, both over a restart.
func TestLog(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("a")
		r.put("b")
		r.enqueue(firing("i1"))
		after(time.Second)
		took := r.svc.Receivers()[0].Status.LastAccepted
		r.answersStatus(404)
		for i := range 5 {
			r.enqueue(firing(fmt.Sprint("bad", i)))
			after(time.Minute)
		}
		read := func(before uint64, limit int, failed bool) (out []string, next uint64) {
			list, more, err := r.svc.Log("a", before, limit, failed)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range list {
				if x.Receiver != "a" {
					t.Errorf("of another: %+v", x)
				}
				out = append(out, fmt.Sprint(x.Incident, " ", x.Number, " ", x.Outcome))
			}
			if more {
				next = list[len(list)-1].Seq
			}
			return out, next
		}
		check := func() {
			t.Helper()
			all, next := read(0, 100, false)
			if len(all) != 13 || next != 0 || all[0] != "bad4 2 dead letter" || all[1] != "bad4 1 retry" || all[12] != "i1 1 accepted" {
				t.Errorf("all: %q, next %d", all, next)
			}
			var paged []string
			for before := uint64(0); ; {
				page, next := read(before, 4, false)
				if paged = append(paged, page...); next == 0 {
					break
				}
				before = next
			}
			equal(t, "pages", paged, all)
			if bad, _ := read(0, 100, true); len(bad) != 12 {
				t.Errorf("failed: %q", bad)
			}
			s := r.svc.Receivers()[0].Status
			if took == 0 || s.LastAccepted != took || s.LastStatus != 404 || s.LastAttempt <= took {
				t.Errorf("status: %+v, took something at %d", s, took)
			}
		}
		check()
		r.kill()
		r.start()
		check()
		if _, _, err := r.svc.Log("c", 0, 10, false); !errors.Is(err, notify.ErrUnknownReceiver) {
			t.Errorf("unknown: %v", err)
		}
		r.answersStatus(200)
		if _, err := r.svc.Test(context.Background(), "a"); err != nil || r.svc.Receivers()[0].Status.LastAccepted <= took {
			t.Errorf("a test that was taken: %v", err)
		}
	})
}
