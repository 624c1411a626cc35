package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pulse/ingest"
	"pulse/web"
)

// importLine is a line of the import route.
func importLine(name, step string, times []int64, values ...any) string {
	var ts, vs []string
	for i, t := range times {
		ts = append(ts, fmt.Sprint(t))
		vs = append(vs, fmt.Sprint(values[i]))
	}
	return fmt.Sprintf(`{"tags":{"name":%q},"step":%q,"timestamps":[%s],"values":[%s]}`+"\n", name, step, strings.Join(ts, ","), strings.Join(vs, ","))
}

type imported struct {
	Type, Message      string
	Accepted, Rejected int
	Errors             []struct {
		Line   int
		Reason string
	}
}

// TestImport: what is imported is what a query returns, in the place of what was
// there; and each answer says what became of the points.
func TestImport(t *testing.T) {
	r := newRig(t, settings{ingest: ingest.Options{Limits: ingest.Limits{LinePoints: 10}}})
	r.publish(point(epoch, 100, "sum", "starts"))
	r.move(10 * time.Minute)
	past := []int64{epoch - 2000, epoch - 1000, epoch, epoch + 1000}
	good := importLine("starts", "1s", past, 1, 2.5, "null", 4)
	for round, header := range []string{"", "Content-Encoding: gzip", "Content-Encoding: zstd"} { // it may be repeated
		var body any = good
		if header != "" {
			body = packed(strings.TrimPrefix(header, "Content-Encoding: "), good)
		} else {
			header = "X-Round: one"
		}
		a := r.call("POST", "/api/v1/import", body, header)
		if got := decode[imported](t, a); a.status != 200 || got.Accepted != 3 || got.Rejected != 0 || got.Errors == nil || got.Type != "" {
			t.Fatalf("round %d: %s", round, a)
		}
		if got := r.column("name,starts,:eq,:sum", epoch-3000, epoch+1000); fmt.Sprint(got) != "[1 2.5 100 4]" {
			t.Errorf("round %d: %v", round, got)
		}
	}
	if list := decode[[]struct{ Accepted int }](t, r.get("/api/v1/sources")); len(list) != 1 || list[0].Accepted != 1 {
		t.Errorf("an import is nobody's: %+v", list)
	}

	bad := "hello\n" + importLine("starts", "1s", []int64{r.now() + 60_000, epoch}, 1, 2) + importLine("a b", "1s", past, 1, 2, 3, 4) +
		importLine("starts", "1500ms", past[:1], 1) + "\n" + importLine("starts", "1s", past[:2], "NaN", 1)
	a := r.call("POST", "/api/v1/import", bad)
	got := decode[imported](t, a)
	if a.status != 202 || got.Type != "partial" || got.Accepted != 1 || got.Rejected != 1+1+4+1+2 || len(got.Errors) != 5 {
		t.Fatalf("some of many: %s", a)
	}
	for i, want := range []struct {
		line   int
		reason string
	}{{1, "expected an object"}, {2, "not closed"}, {3, "invalid characters"}, {4, "multiple of the primary step"}, {6, "value 1 is NaN"}} {
		if e := got.Errors[i]; e.Line != want.line || !strings.Contains(e.Reason, want.reason) {
			t.Errorf("error %d: %+v, want line %d, %q", i, e, want.line, want.reason)
		}
	}
	a = r.call("POST", "/api/v1/import", importLine("starts", "1s", []int64{r.now() + 60_000}, 1))
	wantError(t, "all refused", a, 400, "no point was accepted")
	if got := decode[imported](t, a); got.Rejected != 1 || len(got.Errors) != 1 {
		t.Errorf("all refused: %s", a)
	}
	wantError(t, "empty", r.call("POST", "/api/v1/import", "\n"), 400, "empty payload")
	wantError(t, "unknown encoding", r.call("POST", "/api/v1/import", good, "Content-Encoding: br"), 415, "br")
	wantError(t, "a form", r.call("POST", "/api/v1/import", good, "Content-Type: multipart/form-data; boundary=x"), 415, "")
	if a := r.call("GET", "/api/v1/import", nil); a.status != 405 {
		t.Errorf("GET: %s", a)
	}
}

// TestImportKeys: an import with a key answers again as the first time.
func TestImportKeys(t *testing.T) {
	r := newRig(t, settings{web: web.Options{MaxImportBody: 1 << 20}})
	r.move(10 * time.Minute)
	body := importLine("starts", "1s", []int64{epoch, epoch + 1000}, 1, 2) + "x\n"
	first := r.call("POST", "/api/v1/import", body, "Idempotency-Key: k")
	again := r.call("POST", "/api/v1/import", body, "Idempotency-Key: k")
	if first.status != 202 || again.status != 202 || string(first.body) != string(again.body) || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("first %s, again %s", first, again)
	}
	wantError(t, "another body", r.call("POST", "/api/v1/import", body+"\n", "Idempotency-Key: k"), 409, "another request")
	wantError(t, "an empty key", r.call("POST", "/api/v1/import", body, "Idempotency-Key: "), 400, "Idempotency-Key")
	wantError(t, "too large", r.call("POST", "/api/v1/import", strings.Repeat(" ", 1<<20+1)), 413, "")
	text := string(r.get("/metrics").body)
	for _, want := range []string{`pulse_ingest_imported_total{outcome="accepted"} 2`, `pulse_ingest_imported_total{outcome="rejected"} 1`, "pulse_ingest_turned_away_total 0", "pulse_ingest_again_total 0"} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %q", want)
		}
	}
}
