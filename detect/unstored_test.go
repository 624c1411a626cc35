package detect_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"pulse/detect"
)

// TestCheckpointAfterClose: when the end of the process could not store the states, a
// checkpoint after it stores them, and says so when it cannot: the marks that they are
// read from go with it.
func TestCheckpointAfterClose(t *testing.T) {
	r := newTapedRig(t, 1000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum,3,:rolling-max","detector":{"kind":"exponential","train":"5s"},"for":"4s"}`)
	for s := int64(1); s <= 20; s++ {
		r.at(s*1000 - 300)
		r.send("a", p(float64(100+s%3), "name", "sps"))
		r.to(s*1000 + 50)
	}
	want := r.engine.State()
	r.engine.UseDB(brokenDB(t))
	if err := r.engine.Close(); err == nil {
		t.Fatal("closed over a broken database")
	}
	if err := r.engine.Checkpoint(); err == nil {
		t.Error("a checkpoint over a broken database")
	}
	r.engine.UseDB(r.db)
	for range 2 {
		if err := r.engine.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	r.tape.events = slices.DeleteFunc(r.tape.events, func(e event) bool { return e.mark != nil })
	if r.recover(); !bytes.Equal(want, r.engine.State()) {
		t.Error(difference(want, r.engine.State()))
	}
}

// TestUnreadableMarks: marks of another version are told of in one line.
func TestUnreadableMarks(t *testing.T) {
	r := newRig(t, 1000)
	if err := r.engine.Close(); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	e, err := detect.New(detect.Options{
		Store: r.store, Hub: r.hub, DB: r.db, Notify: r.outbox, Clock: r.clock, Log: zerolog.New(&log), Marks: &tape{}, Replay: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		e.ReplayMark([]byte{1, 1, 0, 0, 0, 0, 0, 0})
	}
	e.Resume(r.now())
	if text := log.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"marks":1000`) || !strings.Contains(text, "version 1") {
		t.Errorf("logged:\n%s", text)
	}
	_ = e.Close()
}
