package detect_test

import "testing"

// TestJudged: how far the engine has come is known while it stores what it judges, and
// stands still while it cannot.
func TestJudged(t *testing.T) {
	r := newRig(t, 10_000)
	r.put(`{"id":"low","expr":"name,sps,:eq,:sum","detector":{"kind":"static","below":50}}`)
	is := func(what string, at int64) {
		t.Helper()
		if gotAt, gotThrough := r.engine.Judged(); gotAt != epoch+at || gotThrough != epoch+at {
			t.Errorf("%s: judged at %d through %d, want %d", what, gotAt-epoch, gotThrough-epoch, at)
		}
	}
	send := func(s int64, v float64) {
		r.at(s*1000 - 300)
		r.send("a", p(v, "name", "sps"))
		r.to(s*1000 + 50)
	}
	send(10, 100)
	is("at work", 10_050)
	r.to(15_000)
	is("between steps", 15_000)
	send(20, 100)
	r.engine.UseDB(brokenDB(t))
	send(30, 10)
	r.to(45_000)
	if at, _ := r.engine.Judged(); at > epoch+30_050 {
		t.Errorf("judged at %d although nothing can be stored", at-epoch)
	}
	r.engine.UseDB(r.db)
	r.to(50_000)
	is("stored again", 50_000)
	if err := r.engine.Close(); err != nil {
		t.Fatal(err)
	}
	r.to(60_000)
	is("closed", 50_000)
}
