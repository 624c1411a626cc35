package silence_test

import (
	"fmt"
	"slices"
	"testing"

	"go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"pulse/detect/label"
	"pulse/detect/silence"
)

var values = []string{"", "a", "b", "c", "ab", "a.b"}

// someMatcher draws from few keys and values, so that they meet.
func someMatcher(t *rapid.T) label.Matcher {
	key := rapid.SampledFrom([]string{"k", "l", "m"}).Draw(t, "key")
	op := rapid.SampledFrom([]label.Op{label.Equal, label.Equal, label.NotEqual, label.Regex, label.NotRegex}).Draw(t, "op")
	value := rapid.SampledFrom(append([]string{"a|b", "a|", "a.*", ".+", "a||b", "(?i)A", "b|b|c", `a\.b`, "a.b|c", "(a).?.?", "(ab?)+", "a?b"}, values...)).Draw(t, "value")
	m, err := label.New(key, op, value)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func someSet(t *rapid.T) label.Set {
	set := label.Set{}
	for _, key := range []string{"k", "l", "m"} {
		if v := rapid.SampledFrom(values).Draw(t, key); v != "" {
			set[key] = v
		}
	}
	return set
}

// TestStoreAgainstModel: whatever is put, ended and forgotten, By says what looking at
// every silence says, before and after a restart.
func TestStoreAgainstModel(t *testing.T) {
	db := openDB(t)
	rapid.Check(t, func(t *rapid.T) {
		if err := db.Update(func(tx *bbolt.Tx) error {
			if tx.Bucket([]byte("silences")) == nil {
				return nil
			}
			return tx.DeleteBucket([]byte("silences"))
		}); err != nil {
			t.Fatal(err)
		}
		s, _, err := silence.Open(db)
		if err != nil {
			t.Fatal(err)
		}
		now, ids := int64(epoch), []string{}
		check := func() {
			set := someSet(t)
			for _, at := range []int64{now, now + 30*minute} {
				var want []string
				next := int64(1 << 62)
				for _, x := range s.List(now) {
					if x.State(at) == silence.Active && x.Matchers.Matches(set) {
						want = append(want, x.ID)
					}
					for _, change := range []int64{x.StartsAt, x.EndsAt} {
						if change > at && x.State(at) != silence.Expired {
							next = min(next, change)
						}
					}
				}
				slices.Sort(want)
				if got := s.By(set, at); !slices.Equal(got, want) {
					t.Fatalf("%v at %d: got %v, want %v", set, at-epoch, got, want)
				}
				if got := s.NextChange(at); next < 1<<62 && got != next {
					t.Fatalf("next change after %d: got %d, want %d", at-epoch, got-epoch, next-epoch)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				x := silence.Silence{Author: "a", Comment: "c"}
				for range rapid.IntRange(1, 3).Draw(t, "matchers") {
					x.Matchers = append(x.Matchers, someMatcher(t))
				}
				x.StartsAt = now + rapid.Int64Range(-10, 90).Draw(t, "start")*minute
				x.EndsAt = x.StartsAt + rapid.Int64Range(1, 120).Draw(t, "length")*minute
				if len(ids) > 0 && rapid.Bool().Draw(t, "change") {
					x.ID = rapid.SampledFrom(ids).Draw(t, "id")
				}
				if out, err := s.Put(x, now); err == nil {
					ids = append(ids, out.ID)
				}
			},
			"extend": func(t *rapid.T) {
				if len(ids) == 0 {
					t.Skip()
				}
				x, ok := s.Get(rapid.SampledFrom(ids).Draw(t, "id"))
				if !ok {
					t.Skip()
				}
				over := x.State(now) == silence.Expired
				x.EndsAt = max(x.EndsAt, now) + minute
				out, err := s.Put(x, now)
				if err != nil {
					t.Fatal(err)
				}
				if (out.ID == x.ID) == over {
					t.Fatalf("extended %+v and got %+v", x, out)
				}
				ids = append(ids, out.ID)
			},
			"expire": func(t *rapid.T) {
				if len(ids) == 0 {
					t.Skip()
				}
				id := rapid.SampledFrom(ids).Draw(t, "id")
				if err := s.Expire(id, "over", now); err != nil {
					if _, ok := s.Get(id); ok {
						t.Fatal(err)
					}
				}
			},
			"time": func(t *rapid.T) { now += rapid.Int64Range(0, 100).Draw(t, "passes") * minute },
			"days": func(t *rapid.T) { now += silence.Keep - 100*minute },
			"gc": func(t *rapid.T) {
				s.GC(now)
				if err := db.Update(s.Flush); err != nil {
					t.Fatal(err)
				}
			},
			"restart": func(t *rapid.T) {
				before := s.List(now)
				if s, _, err = silence.Open(db); err != nil {
					t.Fatal(err)
				}
				after := s.List(now)
				if !slices.EqualFunc(before, after, func(a, b silence.Silence) bool {
					return a.ID == b.ID && a.StartsAt == b.StartsAt && a.EndsAt == b.EndsAt && a.Seen == b.Seen && a.Matchers.Equal(b.Matchers)
				}) {
					t.Fatalf("before %v, after %v", before, after)
				}
			},
			"": func(*rapid.T) { check() },
		})
	})
}

// TestByAllocatesNothing: asking about an alert that nobody silenced costs nothing
// that must be collected.
func TestByAllocatesNothing(t *testing.T) {
	s := open(t, openDB(t))
	for i := range 50 {
		put(t, s, of(t, fmt.Sprintf(`severity=page,host=~"h%d.*"`, i), epoch), epoch)
	}
	set := label.Set{"severity": "page", "host": "x", "region": "eu"}
	if n := testing.AllocsPerRun(100, func() { s.By(set, epoch) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkBy asks for each of 10,000 alerts which of 10,000 silences mean it.
func BenchmarkBy(b *testing.B) {
	for _, c := range []struct{ name, text string }{
		{"equal", `severity=page,host=h%d`},
		{"words", `severity=page,host=~"h%[1]d|g%[1]d"`},
		{"patterns", `severity=page,host=~"h%d.*"`},
	} {
		b.Run(c.name, func(b *testing.B) {
			db := openDB(b)
			n := silence.MaxSilences
			if c.name == "patterns" {
				n /= 10
			}
			fill(b, db, n, c.text)
			s := open(b, db)
			sets := make([]label.Set, 10_000)
			for i := range sets {
				sets[i] = label.Of("rule", "page", "team", false, map[string]string{"team": "a", "app": "www"},
					map[string]string{"host": fmt.Sprintf("h%d", i), "region": fmt.Sprintf("r%d", i%20)})
			}
			for b.Loop() {
				for _, set := range sets {
					s.By(set, epoch)
				}
			}
		})
	}
}

// fill stores n silences in one transaction.
func fill(t testing.TB, db *bbolt.DB, n int, text string) {
	open(t, db)
	err := db.Update(func(tx *bbolt.Tx) error {
		for i := range n {
			id := fmt.Sprintf("id-%05d", i)
			ms, _ := matchers(t, fmt.Sprintf(text, i)).MarshalJSON()
			record := fmt.Sprintf(`{"id":%q,"matchers":%s,"startsAt":%d,"endsAt":%d,"author":"a","comment":"c"}`, id, ms, epoch, epoch+hour)
			if err := tx.Bucket([]byte("silences")).Put([]byte(id), []byte(record)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPreview(t *testing.T) {
	alerts := []silence.Entry{
		{Incident: "1", Rule: "a", StartsAt: 1, Set: label.Set{"region": "eu"}},
		{Incident: "2", Rule: "b", StartsAt: 2, Set: label.Set{"region": "us"}},
		{Incident: "3", Rule: "b", StartsAt: 3, Set: label.Set{"region": "eu"}},
		{Incident: "4", Rule: "b", StartsAt: 3, Set: label.Set{"region": "eu"}},
	}
	got := silence.Preview(matchers(t, "region=eu"), alerts)
	var shown string
	for _, x := range got.Shown {
		shown += x.Incident
	}
	if got.Count != 3 || shown != "341" || fmt.Sprint(got.Rules) != "[{b 2} {a 1}]" {
		t.Errorf("got %+v", got)
	}
	more := make([]silence.Entry, 3*silence.MaxShown)
	for i := range more {
		more[i] = silence.Entry{Rule: "r", Set: label.Set{"region": "eu"}}
	}
	if got := silence.Preview(matchers(t, "region=eu"), more); got.Count != len(more) || len(got.Shown) != silence.MaxShown {
		t.Errorf("%d, %d shown", got.Count, len(got.Shown))
	}
}

// FuzzRecord: whatever stands in the database, it opens, and what is read is stored
// as it was.
func FuzzRecord(f *testing.F) {
	f.Add("x", []byte(`{"id":"x","matchers":[{"key":"rule","op":"=","value":"a"}],"startsAt":1,"endsAt":2000000000000,"author":"a","comment":"c","endWhenNormalFor":60000,"seen":{"last":5}}`))
	f.Add("x", []byte(`{"id":"y","matchers":["rule=~\"a|b\""],"startsAt":9223372036854775807,"endsAt":-1}`))
	f.Add("", []byte(`null`))
	db := openDB(f)
	f.Fuzz(func(t *testing.T, id string, record []byte) {
		if id == "" || len(id) > 1000 {
			return
		}
		err := db.Update(func(tx *bbolt.Tx) error {
			_ = tx.DeleteBucket([]byte("silences"))
			bucket, err := tx.CreateBucket([]byte("silences"))
			if err != nil {
				return err
			}
			return bucket.Put([]byte(id), record)
		})
		if err != nil {
			t.Fatal(err)
		}
		s, unreadable, err := silence.Open(db)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.List(epoch))+len(unreadable) != 1 {
			t.Fatalf("%v and %v", s.List(epoch), unreadable)
		}
		for _, x := range s.List(epoch) {
			s.By(label.Set{"rule": "a"}, x.StartsAt)
			s.NextChange(epoch)
			s.Hit([]string{x.ID}, epoch, true)
			flush(t, db, s)
			if again, ok := open(t, db).Get(x.ID); !ok || again.Seen.Held != x.Seen.Held+1 || !again.Matchers.Equal(x.Matchers) {
				t.Fatalf("was %+v, is %+v", x, again)
			}
		}
	})
}
