package ingest_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"pulse/ingest"
	"pulse/store"
	"pulse/store/tags"
)

// keyed is a sender that gives its request a key.
func keyed(key string) ingest.From { return ingest.From{Peer: "10.0.0.1", Key: key} }

// same reports whether an answer is the repetition of another.
func same(again, first ingest.Answer) bool {
	return again.Repeated && again.Status == first.Status && again.Type == first.Type && again.ErrorCount == first.ErrorCount &&
		slices.Equal(again.Messages, first.Messages) && again.Accepted == first.Accepted && again.Stored+again.Superseded+again.Late == 0
}

// sends are one request of each kind that adds, and what the series reads after
// it was done once.
var sends = []struct {
	name string
	send func(p *ingest.Pipeline, from ingest.From, at int64) ingest.Answer
}{
	{"publish", func(p *ingest.Pipeline, from ingest.From, at int64) ingest.Answer {
		return p.Publish(fmt.Appendf(nil, `[{"tags":{"name":"one","atlas.dstype":"sum"},"timestamp":%d,"value":7}]`, now), from, at)
	}},
	{"publish in part", func(p *ingest.Pipeline, from ingest.From, at int64) ingest.Answer {
		return p.Publish(fmt.Appendf(nil, `[{"tags":{"name":"one","atlas.dstype":"sum"},"timestamp":%d,"value":7},{"tags":{"x":"y"},"timestamp":%d,"value":7}]`, now, now), from, at)
	}},
	{"update", func(p *ingest.Pipeline, from ingest.From, at int64) ingest.Answer {
		return p.Update([]byte(`[2,"name","one",1,0,1,0,70]`), from, at)
	}},
	{"count", func(p *ingest.Pipeline, from ingest.From, at int64) ingest.Answer {
		return p.Count("one", tags.Of("region", "eu"), 70, from, at)
	}},
	{"gauge", func(p *ingest.Pipeline, from ingest.From, at int64) ingest.Answer {
		return p.Gauge("one", nil, 7, from, at)
	}},
}

// TestKeyMakesRepeatable sends each kind of request three times under one key.
func TestKeyMakesRepeatable(t *testing.T) {
	for _, c := range sends {
		st := newStore(t, store.Options{})
		p := ingest.New(st, ingest.Options{})
		first := c.send(p, keyed("k"), now)
		if first.Repeated || first.Stored != 1 || first.Status != 200 && first.Status != 202 {
			t.Errorf("%s: %+v", c.name, first)
		}
		for i := range int64(2) {
			if again := c.send(p, keyed("k"), now+i); !same(again, first) {
				t.Errorf("%s: again %+v, first %+v", c.name, again, first)
			}
		}
		values := func(want string) {
			t.Helper()
			got := stored(t, st, now)
			if len(got) != 1 || !strings.HasSuffix(got[0], " "+want) {
				t.Errorf("%s: stored %q, want %s", c.name, got, want)
			}
		}
		values("7")
		if got := p.Stats(); got.Total.Accepted != 1 || got.Total.Requests != 3 || got.Total.Again != 2 || got.Keys != 1 {
			t.Errorf("%s: counted %+v", c.name, got)
		}
		if c.name == "gauge" {
			continue
		}
		for _, from := range []ingest.From{ // others do not know the key
			keyed("K"), {Peer: "10.0.0.2", Key: "k"}, {Peer: "10.0.0.1", Token: "10.0.0.1", Key: "k"}, {Peer: "10.0.0.1"}, {Peer: "10.0.0.1"},
		} {
			if a := c.send(p, from, now); a.Repeated || a.Stored != 1 {
				t.Errorf("%s: from %+v: %+v", c.name, from, a)
			}
		}
		values("42")
	}
}

// TestKeyWithAnotherRequest: whatever differs makes it another request.
func TestKeyWithAnotherRequest(t *testing.T) {
	p := newPipeline(t, ingest.Options{})
	from := keyed("k")
	body := []byte("[" + gaugeBody("aa", now, 1) + "]")
	if a := p.Publish(body, from, now); a.Status != 200 {
		t.Fatalf("%+v", a)
	}
	more := tags.Of("a1", "b", "c1", "d")
	counted := keyed("c")
	p.Count("name", more, 1, counted, now)
	for name, a := range map[string]ingest.Answer{
		"value":  p.Publish([]byte("["+gaugeBody("aa", now, 2)+"]"), from, now),
		"space":  p.Publish(append(body, ' '), from, now),
		"route":  p.Update(body, from, now),
		"count":  p.Count("aa", nil, 1, from, now),
		"name":   p.Count("name2", more, 1, counted, now),
		"amount": p.Count("name", more, 2, counted, now),
		"tags":   p.Count("name", tags.Of("a1", "b"), 1, counted, now),
		"cut":    p.Count("name", tags.Of("a1", "bc", "1", "d"), 1, counted, now),
		"gauge":  p.Gauge("name", more, 1, counted, now),
	} {
		if a.Status != 409 || a.Type != "error" || !strings.Contains(a.Message, "another request") || a.Accepted+a.ErrorCount != 0 {
			t.Errorf("another %s: %+v", name, a)
		}
	}
	if got := p.Stats().Total; got.Turned != 9 || got.Accepted != 2 {
		t.Errorf("counted %+v", got)
	}
}

// TestKeyIsRefused: keys of a wrong form; and what is refused is not remembered.
func TestKeyIsRefused(t *testing.T) {
	p := newPipeline(t, ingest.Options{})
	good := []byte("[" + gaugeBody("aa", now, 1) + "]")
	for key, status := range map[string]int{
		"x": 200, "a key with ~ and \"quotes\"": 200, strings.Repeat("k", 64): 200,
		strings.Repeat("k", 65): 400, "\n": 400, "\x7F": 400, "ü": 400, "\x00": 400,
	} {
		if a := p.Publish(good, keyed(key), now); a.Status != status || status != 200 && !strings.Contains(a.Message, "Idempotency-Key") {
			t.Errorf("key %q: %+v, want %d", key, a, status)
		}
	}
	before := p.Stats().Keys
	for _, body := range []string{"{", "[]", "[" + gaugeBody("a", now, 1) + "]", "[" + gaugeBody("aa", 0, 1) + "]"} {
		if a := p.Publish([]byte(body), keyed("refused"), now); a.Status != 400 {
			t.Errorf("%s: %+v", body, a)
		}
	}
	if a := p.Publish(good, keyed("refused"), now); a.Status != 200 || a.Repeated {
		t.Errorf("after refusals: %+v", a)
	}
	if n := p.Stats().Keys; n != before+1 {
		t.Errorf("%d keys, want %d", n, before+1)
	}
}

// TestKeyExpires after two minutes, whatever the clock does.
func TestKeyExpires(t *testing.T) {
	p := newPipeline(t, ingest.Options{Limits: ingest.Limits{Keys: 3}})
	send := func(key string, at int64) ingest.Answer { return p.Count("one", nil, 1, keyed(key), at) }
	send("a", now)
	send("b", now+60_000)
	if a := send("a", now+119_999); !a.Repeated {
		t.Errorf("before its end: %+v", a)
	}
	if a := send("a", now+120_000); a.Repeated || a.Stored != 1 {
		t.Errorf("at its end: %+v", a)
	}
	send("c", now+120_000)
	if a := send("d", now+120_000); a.Status != 503 || !strings.Contains(a.Message, "more than 3") {
		t.Errorf("a fourth key of three: %+v", a)
	}
	if a := send("d", now+180_000); a.Status != 200 {
		t.Errorf("after one has expired: %+v", a)
	}
	// The clock is set back by an hour: keys live two minutes from now at most.
	back := now - 3600_000
	if a := send("d", back); !a.Repeated {
		t.Errorf("with the clock set back: %+v", a)
	}
	if a := send("e", back); a.Status != 503 {
		t.Errorf("with the clock set back: %+v", a)
	}
	if a := send("e", back+120_000); a.Status != 200 || a.Repeated || p.Stats().Keys != 1 {
		t.Errorf("two minutes later: %+v, %d keys", a, p.Stats().Keys)
	}
}

// TestKeyWithoutData: an answer is remembered though nothing was stored.
func TestKeyWithoutData(t *testing.T) {
	p := newPipeline(t, ingest.Options{})
	notes := 0
	p.OnCommit(func(b *store.Batch, at int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error) {
		if len(b.Refs) == 0 && len(b.Note) > 0 {
			notes++
		}
		return next(b, at)
	})
	body := fmt.Appendf(nil, `[{"tags":{"name":"one"},"timestamp":%d,"value":"NaN"}]`, now)
	first := p.Publish(body, keyed("k"), now)
	if first.Status != 200 || first.Accepted != 1 || notes != 1 {
		t.Errorf("%+v, %d notes", first, notes)
	}
	if again := p.Publish(body, keyed("k"), now); !same(again, first) || notes != 1 {
		t.Errorf("again: %+v, %d notes", again, notes)
	}
	p.Publish(body, here, now)
	if notes != 1 {
		t.Error("a request without a key left a note")
	}
}

// TestStoreRefuses maps what the store says, and counts nothing it did not take.
func TestStoreRefuses(t *testing.T) {
	for _, c := range []struct {
		err       error
		status    int
		uncertain bool
		applied   bool
	}{
		{store.ErrFull, 507, false, false}, {store.ErrUnavailable, 503, false, false}, {store.ErrNotReady, 503, false, false},
		{fmt.Errorf("commit: %w", store.ErrFull), 507, false, false}, {store.ErrTooLarge, 413, false, false}, {store.ErrUncertain, 503, true, true}, {errors.New("some other"), 503, true, true},
		{store.ErrUncertain, 503, true, false},
	} {
		for _, s := range sends {
			st := newStore(t, store.Options{})
			p := ingest.New(st, ingest.Options{})
			fail := true
			p.OnCommit(func(b *store.Batch, at int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error) {
				switch {
				case !fail:
					return next(b, at)
				case c.applied && len(b.Refs) > 0: // and not known to be on the disk
					res, _ := next(b, at)
					return res, c.err
				}
				return store.Result{}, c.err
			})
			a := s.send(p, keyed("k"), now)
			if a.Status != c.status || a.Uncertain != c.uncertain || a.Type != "error" || a.Message == "" || a.ErrorCount != 0 || a.Accepted != 0 {
				t.Errorf("%s, %v: %+v", s.name, c.err, a)
			}
			total, kept := p.Stats().Total, st.Stats().Total
			if total.Turned != 1 || total.Stored != int64(kept.Stored) || total.Accepted != total.Stored || len(total.RejectedBy()) != 0 {
				t.Errorf("%s, %v: counted %+v, the store %+v", s.name, c.err, total, kept)
			}
			if again := s.send(p, keyed("k"), now); again.Status != c.status || again.Uncertain != c.uncertain {
				t.Errorf("%s, %v, again while it lasts: %+v", s.name, c.err, again)
			}
			fail = false
			again := s.send(p, keyed("k"), now)
			if again.Status != 200 && again.Status != 202 || again.Repeated != c.applied {
				t.Errorf("%s, %v, again: %+v", s.name, c.err, again)
			}
			if third := s.send(p, keyed("k"), now); !third.Repeated || third.Accepted != 1 {
				t.Errorf("%s, %v, a third time: %+v", s.name, c.err, third)
			}
			if got := stored(t, st, now); len(got) != 1 || !strings.HasSuffix(got[0], " 7") {
				t.Errorf("%s, %v: stored %q, want 7 once", s.name, c.err, got)
			}
		}
	}
}

// TestKeyInFlight: while a request is being handled the same is turned away,
// and a snapshot waits for it.
func TestKeyInFlight(t *testing.T) {
	p := newPipeline(t, ingest.Options{})
	entered, leave := make(chan struct{}), make(chan struct{})
	p.OnCommit(func(b *store.Batch, at int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error) {
		entered <- struct{}{}
		<-leave
		return next(b, at)
	})
	first := make(chan ingest.Answer)
	go func() { first <- p.Count("one", nil, 1, keyed("k"), now) }()
	<-entered
	if a := p.Count("one", nil, 1, keyed("k"), now); a.Status != 409 || !strings.Contains(a.Message, "being handled") {
		t.Errorf("at the same time: %+v", a)
	}
	notes := make(chan []byte)
	go func() { notes <- p.AppendNotes(nil) }()
	select {
	case <-notes:
		t.Error("a snapshot did not wait for a request that is with the store")
	case leave <- struct{}{}:
	}
	if a := <-first; a.Status != 200 {
		t.Errorf("%+v", a)
	}
	q := newPipeline(t, ingest.Options{})
	if err := q.RestoreNotes(<-notes); err != nil {
		t.Fatal(err)
	}
	if a := q.Count("one", nil, 1, keyed("k"), now); !a.Repeated {
		t.Errorf("the snapshot lacks the request it waited for: %+v", a)
	}
}

// TestKeyOnce sends every request from many goroutines until it is answered;
// all together are done once.
func TestKeyOnce(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{})
	p.OnCommit(func(b *store.Batch, at int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error) {
		switch rand.IntN(4) {
		case 0:
			return store.Result{}, store.ErrUnavailable
		case 1:
			res, _ := next(b, at)
			return res, store.ErrUncertain
		}
		return next(b, at)
	})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				for {
					a := p.Count("one", nil, 10, keyed(fmt.Sprint("key-", i)), now+int64(i))
					if a.Status == 200 {
						break
					}
					if a.Status != 409 && a.Status != 503 {
						t.Errorf("%+v", a)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if got := append(stored(t, st, now), stored(t, st, now+st.Step())...); len(got) != 2 || !strings.HasSuffix(got[0], " 1") || !strings.HasSuffix(got[1], " 199") {
		t.Errorf("stored %q, want 1 and 199", got)
	}
	if total := p.Stats().Total; total.Accepted != 200 || total.Again < 1 {
		t.Errorf("%+v", total)
	}
}

// TestKeyBytes: long answers are bounded in all.
func TestKeyBytes(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{Limits: ingest.Limits{KeyBytes: 10_000}})
	body := "[" + gaugeBody("aa", now, 1)
	for i := range 5 {
		body += "," + gaugeBody(strings.Repeat("x", 1000)+fmt.Sprint(i), now, 1)
	}
	body += "]"
	kept, refused := 0, 0
	for i := range 50 {
		switch a := p.Publish([]byte(body), keyed(fmt.Sprint(i)), now); a.Status {
		case 202:
			kept++
		case 503:
			refused++
		default:
			t.Fatalf("%+v", a)
		}
	}
	if kept < 2 || kept > 8 || refused != 50-kept {
		t.Errorf("%d kept, %d refused", kept, refused)
	}
	if total := p.Stats().Total; total.Accepted != int64(kept) || total.RejectedBy()["value-too-long"] != int64(5*kept) {
		t.Errorf("counted %+v", total)
	}
	later := now + 120_000
	if a := p.Publish([]byte(strings.ReplaceAll(body, fmt.Sprint(now), fmt.Sprint(later))), keyed("later"), later); a.Status != 202 {
		t.Errorf("later: %+v", a)
	}
}

// restart returns what a pipeline remembers when the notes of its snapshot and
// of the log behind it are read again.
func restart(t *testing.T, snapshot []byte, log [][]byte, at int64) *ingest.Pipeline {
	t.Helper()
	p := newPipeline(t, ingest.Options{})
	if snapshot != nil {
		if err := p.RestoreNotes(snapshot); err != nil {
			t.Fatal(err)
		}
	}
	for _, note := range log {
		p.Remember(note, at)
		clear(note) // it is the caller's
	}
	return p
}

// TestKeyAcrossRestart: answers come back from the log, from a snapshot, and
// from both, and live no longer than without a restart.
func TestKeyAcrossRestart(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{})
	var log [][]byte
	p.OnCommit(func(b *store.Batch, at int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error) {
		log = append(log, bytes.Clone(b.Note))
		return next(b, at)
	})
	firsts := make([]ingest.Answer, len(sends))
	for i, c := range sends {
		firsts[i] = c.send(p, keyed(c.name), now)
	}
	snapshot := p.AppendNotes([]byte("before"))[len("before"):]
	clones := func(from int) (out [][]byte) {
		for _, n := range log[from:] {
			out = append(out, bytes.Clone(n))
		}
		return out
	}
	for name, again := range map[string]*ingest.Pipeline{
		"log": restart(t, nil, clones(0), now), "snapshot": restart(t, snapshot, nil, now), "both": restart(t, snapshot, clones(2), now),
	} {
		if got := again.AppendNotes(nil); !bytes.Equal(got, snapshot) {
			t.Errorf("%s: other notes", name)
		}
		for i, c := range sends {
			if a := c.send(again, keyed(c.name), now+119_999); !same(a, firsts[i]) {
				t.Errorf("%s, %s: %+v, want %+v", name, c.name, a, firsts[i])
			}
			if a := again.Count("other", nil, 1, keyed(c.name), now+119_999); a.Status != 409 {
				t.Errorf("%s, %s, another request: %+v", name, c.name, a)
			}
		}
		for _, c := range sends {
			if a := c.send(again, keyed(c.name), now+120_000); a.Repeated {
				t.Errorf("%s, %s, expired: %+v", name, c.name, a)
			}
		}
	}
	if got := newPipeline(t, ingest.Options{}).RestoreNotes(nil); got == nil {
		t.Error("nothing at all was taken for a snapshot")
	}
	// A long log does not fill the memory, whatever fits into it at once.
	small := ingest.New(newStore(t, store.Options{}), ingest.Options{Limits: ingest.Limits{Keys: 3}})
	for i := range 10 {
		for _, n := range log {
			small.Remember(n, now+int64(i))
		}
	}
	if n := small.Stats().Keys; n != 3 {
		t.Errorf("%d keys of 3", n)
	}
}

// FuzzNotes reads any bytes as notes; what was read is written as it was.
func FuzzNotes(f *testing.F) {
	p := ingest.New(newStore(f, store.Options{}), ingest.Options{})
	for _, c := range sends {
		c.send(p, keyed(c.name), now)
	}
	notes := p.AppendNotes(nil)
	f.Add(notes)
	f.Add(notes[:len(notes)-1])
	f.Add([]byte{1, 1, 1})
	st := newStore(f, store.Options{})
	f.Fuzz(func(t *testing.T, src []byte) {
		p := ingest.New(st, ingest.Options{Limits: ingest.Limits{Keys: 8, KeyBytes: 1000}})
		err := p.RestoreNotes(src)
		once := p.AppendNotes(nil)
		q := ingest.New(st, ingest.Options{Limits: ingest.Limits{Keys: 8, KeyBytes: 1000}})
		if err := q.RestoreNotes(once); err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if twice := q.AppendNotes(nil); !bytes.Equal(once, twice) {
			t.Fatalf("%x was read and written as %x", once, twice)
		}
		if n := p.Stats().Keys; n > 8 || len(once) > 1100 {
			t.Fatalf("%d keys, %d bytes", n, len(once))
		}
		if err != nil {
			return
		}
		for i := 0; i < len(src); i++ {
			p.Remember(src[i:], now)
		}
	})
}

// TestPanicUnderAKey: whatever happens to a request that is with the store, a
// snapshot does not wait for it for ever, and it can be repeated.
func TestPanicUnderAKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := taken(t, ingest.Options{})
		fails := true
		p.OnCommit(func(b *store.Batch, at int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error) {
			if fails {
				panic("by accident")
			}
			return next(b, at)
		})
		requests := []func(key string) (status int, repeated bool){
			func(key string) (int, bool) {
				a := p.Count("one", nil, 1, keyed(key), now)
				return a.Status, a.Repeated
			},
			func(key string) (int, bool) {
				a := p.Import([]byte(`{"tags":{"name":"aa"},"timestamps":[2],"values":[1]}`), keyed(key), now)
				return a.Status, a.Repeated
			},
		}
		for i, request := range requests {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("request %d did not panic", i)
					}
				}()
				request(fmt.Sprint(i))
			}()
		}
		notes := make(chan []byte, 1)
		go func() { notes <- p.AppendNotes(nil) }()
		synctest.Wait()
		select {
		case <-notes:
		default:
			t.Fatal("a snapshot waits for a request that is over")
		}
		fails = false
		for i, request := range requests {
			if status, _ := request(fmt.Sprint(i)); status >= 300 {
				t.Errorf("request %d, again: %d", i, status)
			}
			if status, repeated := request(fmt.Sprint(i)); status >= 300 || !repeated {
				t.Errorf("request %d, once more: %d, %v", i, status, repeated)
			}
		}
	})
}
