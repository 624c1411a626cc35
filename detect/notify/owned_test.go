package notify_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// files makes the receivers of files those of the names; NAME=URL has a URL.
func (r *rig) files(names ...string) (gone []string) {
	r.t.Helper()
	var list []notify.OwnedReceiver
	for _, name := range names {
		name, url, _ := strings.Cut(name, "=")
		if url == "" {
			url = "https://" + name + ".example.com/hook"
		}
		list = append(list, notify.OwnedReceiver{Receiver: notify.Receiver{Name: name, URL: secret.NewURL(url)}, File: "a.yaml"})
	}
	checked, err := r.svc.CheckReceivers(list)
	if err != nil {
		r.t.Fatal(err)
	}
	gone, err = r.svc.ReplaceFileReceivers(checked, false)
	if err != nil {
		r.t.Fatal(err)
	}
	return gone
}

// known lists the receivers, those that are leaving in brackets.
func (r *rig) known() string {
	var out []string
	for _, x := range r.svc.Stats().Receivers {
		if x.Leaving != 0 {
			x.Name = "(" + x.Name + ")"
		}
		out = append(out, x.Name)
	}
	return strings.Join(out, " ")
}

// TestFileReceivers: what came from a file is changed there, restarts included, and
// what was made over the API stays.
func TestFileReceivers(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.put("api")
		r.files("a", "b")
		var owned *notify.OwnedError
		refused := func(what string, err error) {
			t.Helper()
			if !errors.As(err, &owned) || owned.File != "a.yaml" {
				t.Errorf("%s: %v", what, err)
			}
		}
		change := notify.Receiver{Name: "a", URL: secret.NewURL("https://x.example.com/")}
		refused("put", r.svc.PutReceiver(change))
		refused("delete", r.svc.DeleteReceiver("a"))
		r.stop()
		r.start()
		refused("put after a restart", r.svc.PutReceiver(change))
		if gone := r.files("b"); !slices.Equal(gone, []string{"a"}) {
			t.Errorf("gone: %v", gone)
		}
		after(time.Second)
		equal(t, "with nothing left", r.known(), "api b")
		if gone := r.files("b", "api"); len(gone) != 0 {
			t.Errorf("gone: %v", gone)
		}
		refused("what a file took over", r.svc.DeleteReceiver("api"))
		r.svc.ReleaseFiles()
		if err := errors.Join(r.svc.PutReceiver(notify.Receiver{Name: "b", URL: secret.NewURL("https://x.example.com/")}), r.svc.DeleteReceiver("api")); err != nil {
			t.Errorf("without files: %v", err)
		}
	})
}

// TestCheckReceivers: one that cannot be had is named, and nothing changes.
func TestCheckReceivers(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.files("a")
		good := notify.OwnedReceiver{Receiver: notify.Receiver{Name: "new", URL: secret.NewURL("https://new.example.com/")}}
		for _, c := range []struct {
			notify.Receiver
			want string
		}{
			{notify.Receiver{Name: "bad", URL: secret.NewURL("http://127.0.0.1/")}, "--egress-allow"},
			{notify.Receiver{Name: "bad", URL: secret.NewURL("https://x.example.com/"), Secret: secret.New("***")}, "secret"},
			{notify.Receiver{Name: "bad", URL: secret.NewURL("https://x.example.com/?token=***")}, "url has ***"},
			{notify.Receiver{Name: "b d", URL: secret.NewURL("https://x.example.com/")}, "name"},
		} {
			var wrong *notify.ReceiverError
			_, err := r.svc.CheckReceivers([]notify.OwnedReceiver{good, {Receiver: c.Receiver}})
			if !errors.As(err, &wrong) || wrong.Name != c.Name || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: %v, want %s", c.Receiver, err, c.want)
			}
		}
		var many []notify.OwnedReceiver
		for i := range notify.MaxReceivers + 1 {
			many = append(many, notify.OwnedReceiver{Receiver: notify.Receiver{Name: fmt.Sprint("r", i), URL: secret.NewURL("https://x.example.com/")}})
		}
		if _, err := r.svc.CheckReceivers(many); err == nil || !strings.Contains(err.Error(), "at most 100") {
			t.Errorf("too many: %v", err)
		}
		equal(t, "receivers", r.known(), "a")
	})
}

// TestLeavingReceiver: a receiver that is in no file any more gets what waits for it
// and the end of what it knows, and then goes; nothing new.
func TestLeavingReceiver(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.files("a", "b")
		r.enqueue(firing("told"))
		after(time.Second)
		r.answersStatus(503)
		r.enqueue(firing("waits"))
		after(time.Second)
		r.files("b")
		r.enqueue(firing("new"))
		r.stop()
		r.start()
		after(time.Second)
		equal(t, "while it has something", r.known(), "(a) b")
		r.answersStatus(200)
		after(time.Hour)
		equal(t, "while it was told of what has not ended", r.known(), "(a) b")
		r.enqueue(resolved("told"), resolved("waits"), resolved("new"))
		after(time.Minute)
		equal(t, "when all is over", r.known(), "b")
		var got []string
		for _, c := range r.made() {
			if c.host == "a.example.com" && !slices.Contains(got, c.id) {
				got = append(got, c.id)
			}
		}
		slices.Sort(got)
		equal(t, "what it got", got, []string{"told-firing", "told-resolved", "waits-firing", "waits-resolved"})
		r.enqueue(firing("last"))
		after(time.Minute)
		if n := len(r.made()); r.made()[n-1].host != "b.example.com" {
			t.Errorf("after it has gone: %v", r.seen())
		}
	})
}

// TestLeavingReceiverFails: what cannot be delivered is a dead letter that somebody
// can look at until the receiver is deleted by hand.
func TestLeavingReceiverFails(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.files("a")
		r.answersStatus(503)
		r.enqueue(firing("i"))
		after(time.Second)
		r.files()
		after(25 * time.Hour)
		equal(t, "with a dead letter", r.known(), "(a)")
		if dead, err := r.svc.DeadLetters("a", 10); err != nil || len(dead) != 1 {
			t.Errorf("dead letters %v, %v", dead, err)
		}
		if err := r.svc.DeleteReceiver("a"); err != nil {
			t.Error(err)
		}
		equal(t, "deleted", r.known(), "")
	})
}

// TestLeavingReceiverReturns: it is back when a file has it again, or the API.
func TestLeavingReceiverReturns(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.answersStatus(503)
		r.files("a", "b")
		r.enqueue(firing("i"))
		after(time.Second)
		r.files()
		equal(t, "leaving", r.known(), "(a) (b)")
		equal(t, "told of what begins", len(r.svc.Names()), 0)
		r.files("a")
		r.put("b")
		equal(t, "back", r.known(), "a b")
		r.files("a")
		equal(t, "made over the API", r.known(), "a b")
		r.answersStatus(200)
		after(time.Hour)
		if got := r.seen(); !slices.Equal(got[len(got)-2:], []string{"firing i-firing", "firing i-firing"}) {
			t.Errorf("got %v", got)
		}
	})
}

// TestFileReceiverDisabled: a file that is read again leaves a receiver disabled that
// answered 410, unless it says something else of it or that is asked for.
func TestFileReceiverDisabled(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.files("a")
		r.answersStatus(410)
		r.enqueue(firing("i"))
		after(time.Second)
		disabled := func(what string, want bool) {
			t.Helper()
			if x, err := r.svc.Receiver("a"); err != nil || x.Disabled != want {
				t.Errorf("%s: %+v, %v", what, x, err)
			}
		}
		r.files("a")
		disabled("read again", true)
		checked, err := r.svc.CheckReceivers([]notify.OwnedReceiver{{Receiver: notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com/hook")}, File: "a.yaml"}})
		if err != nil {
			t.Fatal(err)
		}
		r.answersStatus(200)
		if _, err := r.svc.ReplaceFileReceivers(checked, true); err != nil {
			t.Fatal(err)
		}
		disabled("asked for", false)
		after(time.Hour)
		r.answersStatus(410)
		r.enqueue(firing("j"))
		after(time.Second)
		disabled("again 410", true)
		r.answersStatus(200) // or what waits disables it once more
		r.files("a=https://b.example.com/")
		disabled("another URL", false)
	})
}

// TestDeletedReceiverIsNoted: the timeline says what became of what waited.
func TestDeletedReceiverIsNoted(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		r.answersStatus(503)
		r.put("a")
		r.enqueue(firing("i"))
		after(time.Second)
		if err := r.svc.DeleteReceiver("a"); err != nil {
			t.Fatal(err)
		}
		list := r.svc.Attempts("i")
		if last := list[len(list)-1]; last.Outcome != notify.OutcomeDropped || last.Error != "the receiver was deleted" {
			t.Errorf("attempts %+v", list)
		}
	})
}

// TestFileReceiversAtOnce: when they cannot be stored, none is there.
func TestFileReceiversAtOnce(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		checked, err := r.svc.CheckReceivers([]notify.OwnedReceiver{{Receiver: notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com/")}, File: "a.yaml"}})
		if err != nil {
			t.Fatal(err)
		}
		r.kill()
		if _, err := r.svc.ReplaceFileReceivers(checked, false); !errors.Is(err, notify.ErrNotStored) {
			t.Errorf("without a database: %v", err)
		}
		equal(t, "receivers", r.known(), "")
		r.start()
		equal(t, "after a restart", r.known(), "")
	})
}
