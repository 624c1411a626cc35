package silence_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"pulse/detect/label"
	"pulse/detect/silence"
)

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
	epoch  = 1_767_225_600_000
)

func openDB(t testing.TB) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func open(t testing.TB, db *bbolt.DB) *silence.Store {
	t.Helper()
	s, unreadable, err := silence.Open(db)
	if err != nil || len(unreadable) > 0 {
		t.Fatal(err, unreadable)
	}
	return s
}

func matchers(t testing.TB, text string) label.Matchers {
	t.Helper()
	ms, err := label.ParseAll(text)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

// of returns a silence of an hour from now on.
func of(t testing.TB, text string, now int64) silence.Silence {
	return silence.Silence{Matchers: matchers(t, text), StartsAt: now, EndsAt: now + hour, Author: "ann", Comment: "upgrade"}
}

func put(t testing.TB, s *silence.Store, x silence.Silence, now int64) silence.Silence {
	t.Helper()
	out, err := s.Put(x, now)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func flush(t testing.TB, db *bbolt.DB, s *silence.Store) {
	t.Helper()
	if err := db.Update(s.Flush); err != nil {
		t.Fatal(err)
	}
}

// TestUpdate is Alertmanager's table of what changes in place and what makes a new
// silence.
func TestUpdate(t *testing.T) {
	const starts, ends = epoch + hour, epoch + 3*hour
	for _, c := range []struct {
		name    string
		at      int64 // when it is changed
		change  func(*silence.Silence)
		inPlace bool
		old     silence.State // of the one before, when a new one was made
		starts  int64         // of the result
		fails   string
	}{
		{"pending, later end", epoch, func(x *silence.Silence) { x.EndsAt += hour }, true, "", starts, ""},
		{"pending, other start", epoch, func(x *silence.Silence) { x.StartsAt += minute }, true, "", starts + minute, ""},
		{"pending, start in the past", epoch + 10*minute, func(x *silence.Silence) { x.StartsAt = epoch }, false, silence.Expired, epoch + 10*minute, ""},
		{"pending, other matchers", epoch, func(x *silence.Silence) { x.Matchers = matchers(t, "rule=other") }, false, silence.Expired, starts, ""},
		{"active, later end", starts + minute, func(x *silence.Silence) { x.EndsAt += hour }, true, "", starts, ""},
		{"active, sooner end", starts + minute, func(x *silence.Silence) { x.EndsAt = starts + 2*minute }, true, "", starts, ""},
		{"active, end in the past", starts + minute, func(x *silence.Silence) { x.EndsAt = starts + second }, false, "", 0, "in the past"},
		{"active, start cut to seconds", starts + minute, func(x *silence.Silence) { x.StartsAt = x.StartsAt / 1000 * 1000 }, true, "", starts, ""},
		{"active, other start", starts + minute, func(x *silence.Silence) { x.StartsAt -= hour }, false, silence.Expired, starts + minute, ""},
		{"active, other matchers", starts + minute, func(x *silence.Silence) { x.Matchers = matchers(t, "rule=other") }, false, silence.Expired, starts + minute, ""},
		{"active, matchers in another order", starts + minute, func(x *silence.Silence) { x.Matchers = matchers(t, "rule=a,region=eu") }, true, "", starts, ""},
		{"active, other comment", starts + minute, func(x *silence.Silence) { x.Comment = "longer than I thought" }, true, "", starts, ""},
		{"expired, later end", ends, func(x *silence.Silence) { x.EndsAt = ends + hour }, false, silence.Expired, ends, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			db := openDB(t)
			s := open(t, db)
			x := of(t, "region=eu,rule=a", starts)
			x.EndsAt = ends
			first := put(t, s, x, epoch)
			change := first
			c.change(&change)
			got, err := s.Put(change, c.at)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) || !errors.Is(err, silence.ErrInvalid) {
					t.Fatalf("got %v, want an error with %q", err, c.fails)
				}
				if now, _ := s.Get(first.ID); !cmp.Equal(now, first, compare) {
					t.Fatal("a refused change changed something", cmp.Diff(first, now, compare))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if (got.ID == first.ID) != c.inPlace || got.StartsAt != c.starts || got.UpdatedAt != c.at {
				t.Errorf("got %+v, was %+v", got, first)
			}
			if old, _ := s.Get(first.ID); !c.inPlace && old.State(c.at) != c.old {
				t.Errorf("the one before is %s, want %s", old.State(c.at), c.old)
			}
			if s.Len(c.at) != 1 {
				t.Errorf("%d silences are not over, want 1", s.Len(c.at))
			}
			if diff := cmp.Diff(s.List(c.at), open(t, db).List(c.at), compare); diff != "" {
				t.Error("after a restart:", diff)
			}
		})
	}
}

// compare ignores compiled patterns.
var compare = cmp.Comparer(func(a, b label.Matchers) bool { return a.Equal(b) })

func TestStates(t *testing.T) {
	s := open(t, openDB(t))
	x := of(t, "rule=a", epoch+minute)
	x.EndsAt = epoch + 2*minute
	x = put(t, s, x, epoch)
	set := label.Set{"rule": "a"}
	for _, c := range []struct {
		t    int64
		want silence.State
		next int64
	}{
		{epoch, silence.Pending, epoch + minute},
		{epoch + minute - 1, silence.Pending, epoch + minute},
		{epoch + minute, silence.Active, epoch + 2*minute},
		{epoch + 2*minute - 1, silence.Active, epoch + 2*minute},
		{epoch + 2*minute, silence.Expired, math.MaxInt64},
	} {
		if got := x.State(c.t); got != c.want {
			t.Errorf("at %d: %s, want %s", c.t-epoch, got, c.want)
		}
		if got := len(s.By(set, c.t)) == 1; got != (c.want == silence.Active) {
			t.Errorf("at %d: it is %s, and means the alert: %v", c.t-epoch, c.want, got)
		}
		if got := s.NextChange(c.t); got != c.next {
			t.Errorf("at %d: next change %d, want %d", c.t-epoch, got-epoch, c.next-epoch)
		}
	}
}

func TestRefused(t *testing.T) {
	s := open(t, openDB(t))
	for name, c := range map[string]struct {
		change func(*silence.Silence)
		want   string
	}{
		"no matchers":         {func(x *silence.Silence) { x.Matchers = nil }, "matchers is empty"},
		"everything":          {func(x *silence.Silence) { x.Matchers = matchers(t, `rule=~".*"`) }, "without any label"},
		"everything but":      {func(x *silence.Silence) { x.Matchers = matchers(t, "team!=a,rule!=b") }, "without any label"},
		"no author":           {func(x *silence.Silence) { x.Author = " " }, "author is missing"},
		"no comment":          {func(x *silence.Silence) { x.Comment = "" }, "comment is missing"},
		"long comment":        {func(x *silence.Silence) { x.Comment = strings.Repeat("x", 1025) }, "1025 bytes, at most 1024"},
		"control character":   {func(x *silence.Silence) { x.Author = "a\x1b[2J" }, "control character"},
		"not UTF-8":           {func(x *silence.Silence) { x.Comment = "\xff" }, "UTF-8"},
		"end before start":    {func(x *silence.Silence) { x.EndsAt = x.StartsAt }, "is not after"},
		"in the past":         {func(x *silence.Silence) { x.StartsAt, x.EndsAt = epoch-hour, epoch }, "in the past"},
		"end of time":         {func(x *silence.Silence) { x.EndsAt = math.MaxInt64 }, "9999"},
		"negative start":      {func(x *silence.Silence) { x.StartsAt = -5 }, "1970"},
		"short normal time":   {func(x *silence.Silence) { x.EndWhenNormalFor = 1 }, "endWhenNormalFor"},
		"long normal time":    {func(x *silence.Silence) { x.EndWhenNormalFor = 8 * day }, "endWhenNormalFor"},
		"negative normal":     {func(x *silence.Silence) { x.EndWhenNormalFor = -minute }, "endWhenNormalFor"},
		"of an id not there":  {func(x *silence.Silence) { x.ID = "5f2c" }, "unknown silence"},
		"too many matchers":   {func(x *silence.Silence) { x.Matchers = many(101) }, "101 entries, at most 100"},
		"matchers not needed": {func(x *silence.Silence) { x.Matchers = matchers(t, `rule=""`) }, "without any label"},
	} {
		x := of(t, "rule=a", epoch)
		c.change(&x)
		if _, err := s.Put(x, epoch); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
	if got := s.List(epoch); len(got) != 0 {
		t.Errorf("refused silences are there: %v", got)
	}
	if err := s.Expire("5f2c", "", epoch); !errors.Is(err, silence.ErrUnknown) {
		t.Errorf("expire of none: %v", err)
	}
}

func many(n int) (ms label.Matchers) {
	for i := range n {
		ms = append(ms, label.Matcher{Key: fmt.Sprint("k", i), Op: label.Equal, Value: "v"})
	}
	return ms
}

func TestExpire(t *testing.T) {
	db := openDB(t)
	s := open(t, db)
	active, later := put(t, s, of(t, "rule=a", epoch), epoch), put(t, s, of(t, "rule=b", epoch+hour), epoch)
	at := int64(epoch + minute)
	for _, id := range []string{active.ID, later.ID} {
		if err := s.Expire(id, "by ann", at); err != nil {
			t.Fatal(err)
		}
		x, _ := s.Get(id)
		if x.State(at) != silence.Expired || x.EndsAt != at || x.EndedBy != "by ann" || x.UpdatedAt != at {
			t.Errorf("got %+v", x)
		}
		if err := s.Expire(id, "again", at+minute); err != nil {
			t.Errorf("expire what is over: %v", err)
		}
		if again, _ := s.Get(id); !cmp.Equal(x, again, compare) {
			t.Errorf("it changed: %+v", again)
		}
	}
	if ids := s.By(label.Set{"rule": "a"}, at); ids != nil {
		t.Errorf("it still silences: %v", ids)
	}
	if diff := cmp.Diff(s.List(at), open(t, db).List(at), compare); diff != "" {
		t.Error("after a restart:", diff)
	}
}

// TestDatabaseFails: what is not stored is not there.
func TestDatabaseFails(t *testing.T) {
	db := openDB(t)
	s := open(t, db)
	x := put(t, s, of(t, "rule=a", epoch), epoch)
	version := s.Version()
	db.Close()
	if _, err := s.Put(of(t, "rule=b", epoch), epoch); !errors.Is(err, silence.ErrNotStored) {
		t.Errorf("put: %v", err)
	}
	if err := s.Expire(x.ID, "", epoch); !errors.Is(err, silence.ErrNotStored) {
		t.Errorf("expire: %v", err)
	}
	if list := s.List(epoch); len(list) != 1 || list[0].State(epoch) != silence.Active || s.Version() != version {
		t.Errorf("got %v", list)
	}
}

func TestGC(t *testing.T) {
	db := openDB(t)
	s := open(t, db)
	short, long := of(t, "rule=a", epoch), of(t, "rule=b", epoch)
	long.EndsAt = epoch + 2*day
	put(t, s, short, epoch)
	kept := put(t, s, long, epoch)
	if n := s.GC(epoch + hour + silence.Keep - 1); n != 0 {
		t.Errorf("%d forgotten too soon", n)
	}
	if n := s.GC(epoch + hour + silence.Keep); n != 1 || !s.Dirty() {
		t.Errorf("%d forgotten, want 1", n)
	}
	flush(t, db, s)
	if list := open(t, db).List(epoch); s.Dirty() || len(list) != 1 || list[0].ID != kept.ID {
		t.Errorf("got %v", list)
	}
}

func TestLimit(t *testing.T) {
	db := openDB(t)
	fill(t, db, silence.MaxSilences, "host=h%d")
	s := open(t, db)
	last, _ := s.Get("id-00000")
	if _, err := s.Put(of(t, "host=more", epoch), epoch); !errors.Is(err, silence.ErrLimit) {
		t.Errorf("got %v", err)
	}
	last.Matchers = matchers(t, "host=other") // one for one
	if _, err := s.Put(last, epoch); err != nil {
		t.Error(err)
	}
	put(t, s, of(t, "host=more", epoch+2*hour), epoch+2*hour) // all are over
	if n := s.Len(epoch + 2*hour); n != 1 {
		t.Errorf("%d are not over", n)
	}
	if n := s.GC(epoch + 2*hour); n != 1 {
		t.Errorf("%d forgotten of those that are over, want 1", n)
	}
}

// TestUnreadable: a record that cannot be read stays and silences nothing.
func TestUnreadable(t *testing.T) {
	db := openDB(t)
	x := put(t, open(t, db), of(t, "rule=a", epoch), epoch)
	err := db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("silences")).Put([]byte("broken"), []byte(`{"id":"broken","matchers":["`))
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		s, unreadable, err := silence.Open(db)
		if err != nil || len(unreadable) != 1 || unreadable["broken"] == nil {
			t.Fatal(err, unreadable)
		}
		if list := s.List(epoch); len(list) != 1 || list[0].ID != x.ID {
			t.Errorf("got %v", list)
		}
		s.GC(epoch + 100*day)
		flush(t, db, s)
		put(t, s, of(t, "rule=a", epoch), epoch)
		x = s.List(epoch)[0]
	}
}
