package silence_test

import (
	"math"
	"testing"

	"pulse/detect/label"
	"pulse/detect/silence"
)

// TestEndWhenNormal follows a silence that ends of itself.
func TestEndWhenNormal(t *testing.T) {
	db := openDB(t)
	s := open(t, db)
	x := of(t, "rule=a", epoch)
	x.EndsAt, x.EndWhenNormalFor = epoch+day, 10*minute
	x = put(t, s, x, epoch)
	ids := s.By(label.Set{"rule": "a"}, epoch)
	quiet := func(at int64, want bool) {
		t.Helper()
		flush(t, db, s)
		s = open(t, db)
		if got := len(s.Quiet(epoch+at)) == 1; got != want {
			t.Errorf("at %d s: ends of itself: %v, want %v", at/second, got, want)
		}
	}
	s.Over(ids, epoch+minute) // one that was pending only
	quiet(5*hour, false)      // it waits for its first alert
	s.Hit(ids, epoch+6*hour, true)
	s.Hit(ids, epoch+6*hour, true)
	quiet(6*hour+10*minute-1, false)
	quiet(6*hour+10*minute, true) // unless it is still open
	if got := s.NextChange(epoch + 6*hour); got != epoch+6*hour+10*minute {
		t.Errorf("next change at %d", got-epoch)
	}
	s.Over(ids, epoch+7*hour)
	quiet(7*hour+10*minute-1, false)
	s.Pause(hour, epoch+8*hour+minute) // the server was down
	quiet(8*hour+10*minute-1, false)
	quiet(8*hour+10*minute, true)
	s.NotYet(x.ID, epoch+8*hour+10*minute)
	if list := s.Quiet(epoch + 8*hour + 20*minute - 1); len(list) != 0 {
		t.Errorf("it was open: %v", list)
	}
	s.End(x.ID, "normal for 10m", epoch+9*hour)
	quiet(9*hour, false)
	got, _ := s.Get(x.ID)
	if got.State(epoch+9*hour) != silence.Expired || got.EndsAt != epoch+9*hour || got.EndedBy != "normal for 10m" || got.Seen.Held != 2 {
		t.Errorf("got %+v", got)
	}
	if ids := s.By(label.Set{"rule": "a"}, epoch+9*hour); ids != nil {
		t.Errorf("it still silences: %v", ids)
	}
	if got := s.NextChange(epoch + 9*hour); got != math.MaxInt64 {
		t.Errorf("next change at %d", got)
	}
}

// TestChangeKeepsSeen: a change in place does not begin to count anew, and what is
// hit while it is written is not lost.
func TestChangeKeepsSeen(t *testing.T) {
	db := openDB(t)
	s := open(t, db)
	x := of(t, "rule=a", epoch)
	x.EndWhenNormalFor = minute
	x = put(t, s, x, epoch)
	s.Hit([]string{x.ID}, epoch+minute, true)
	x.EndsAt += hour
	if got := put(t, s, x, epoch+2*minute); got.Seen.Held != 1 || got.Seen.Last != epoch+minute {
		t.Errorf("got %+v", got)
	}
	if got, _ := open(t, db).Get(x.ID); got.Seen.Held != 1 {
		t.Errorf("stored %+v", got)
	}
	x.Matchers = matchers(t, "rule=b")
	if got := put(t, s, x, epoch+3*minute); got.Seen != (silence.Seen{}) {
		t.Errorf("a new one has seen %+v", got.Seen)
	}
}

// TestFlushFails: what a transaction did not store is stored by the next.
func TestFlushFails(t *testing.T) {
	db := openDB(t)
	s := open(t, db)
	x := put(t, s, of(t, "rule=a", epoch), epoch)
	s.Hit([]string{x.ID}, epoch, true)
	tx, err := db.Begin(true)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if !s.Dirty() {
		t.Error("a transaction that was rolled back counts as stored")
	}
	flush(t, db, s)
	if got, _ := open(t, db).Get(x.ID); s.Dirty() || got.Seen.Held != 1 {
		t.Errorf("stored %+v", got)
	}
}
