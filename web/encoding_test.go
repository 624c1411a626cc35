package web_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"pulse/ingest"
	"pulse/web"
)

// packed returns text under an encoding; "bare" is deflate without zlib's frame.
func packed(encoding, text string) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "bare":
		w, _ = flate.NewWriter(&b, -1)
	case "zstd":
		w, _ = zstd.NewWriter(&b)
	}
	io.WriteString(w, text)
	w.Close()
	return b.Bytes()
}

func TestEncodings(t *testing.T) {
	const most = 1 << 20
	r := newRig(t, settings{ingest: ingest.Options{Limits: ingest.Limits{Body: most}}})
	body := metrics(point(epoch, 1, "gauge", "packed"))
	zip := packed("gzip", body)
	random := make([]byte, 10_000)
	src := rand.NewChaCha8([32]byte{1})
	src.Read(random)
	bomb := strings.Repeat(" ", most+1)
	broken := bytes.Clone(zip)
	broken[len(broken)-6] ^= 0xff // in the checksum
	for _, c := range []struct {
		name     string
		encoding string
		body     []byte
		status   int
	}{
		{"identity", "identity", []byte(body), 200},
		{"gzip", "gzip", zip, 200},
		{"gzip in another case", "GZIP", zip, 200},
		{"x-gzip", "x-gzip", zip, 200},
		{"gzip without the header", "", zip, 200},
		{"gzip in two members", "gzip", append(packed("gzip", body[:9]), packed("gzip", body[9:])...), 200},
		{"zstd", "zstd", packed("zstd", body), 200},
		{"deflate", "deflate", packed("deflate", body), 200},
		{"bare deflate", "deflate", packed("bare", body), 200},
		{"gzip of nothing", "gzip", packed("gzip", ""), 400},
		{"gzip of text that is not JSON", "gzip", packed("gzip", "x"), 400},
		{"gzip that is text", "gzip", []byte(body), 400},
		{"zstd that is text", "zstd", []byte(body), 400},
		{"deflate that is text", "deflate", []byte(body), 400},
		{"half of gzip", "gzip", zip[:len(zip)/2], 400},
		{"gzip without the trailer", "gzip", zip[:len(zip)-4], 400},
		{"gzip with a wrong checksum", "gzip", broken, 400},
		{"gzip and more", "gzip", append(bytes.Clone(zip), "more"...), 400},
		{"empty gzip", "gzip", nil, 400},
		{"random as gzip", "gzip", random, 400},
		{"random as zstd", "zstd", random, 400},
		{"random as deflate", "deflate", random, 400},
		{"brotli", "br", []byte(body), 415},
		{"compress", "compress", []byte(body), 415},
		{"a list of encodings", "gzip, gzip", packed("gzip", string(zip)), 415},
		{"nonsense", "\"'<", []byte(body), 415},
		{"gzip in gzip", "gzip", packed("gzip", string(zip)), 415},
		{"bomb of gzip", "gzip", packed("gzip", bomb), 413},
		{"bomb of zstd", "zstd", packed("zstd", bomb), 413},
		{"bomb of deflate", "deflate", packed("deflate", bomb), 413},
		{"bomb in the first point", "gzip", packed("gzip", body[:len(body)-2]+bomb+"]}"), 413},
	} {
		header := []string{"Content-Encoding: " + c.encoding}
		if c.encoding == "" {
			header = nil
		}
		a := r.call("POST", "/api/v1/publish", c.body, header...)
		if c.status == 200 {
			if a.status != 200 {
				t.Errorf("%s: got %s", c.name, a)
			}
			continue
		}
		if c.name == "gzip in gzip" && a.status == 400 {
			continue // the inner stream is text that is no JSON
		}
		wantError(t, c.name, a, c.status, "")
	}
	a := r.call("POST", "/api/v4/update", packed("zstd", `[2,"name","ok",1,0,1,0,1]`), "Content-Encoding: zstd")
	if a.status != 200 {
		t.Errorf("update: got %s", a)
	}
}

// TestBodyLimits: every route has one, with a length given and without.
func TestBodyLimits(t *testing.T) {
	const most, ofImports = 1 << 20, 3 << 20
	r := newRig(t, settings{web: web.Options{MaxBody: most, MaxImportBody: ofImports}})
	for _, line := range web.Routes() {
		method, path, _ := strings.Cut(line, " ")
		limit := web.Limit(method, path)
		switch {
		case path == "/api/v1/import":
			limit = ofImports
		case limit == 0 || limit > most:
			limit = most
		}
		target := strings.NewReplacer("{name}", "aa", "{id}", "aa", "{key}", "name", "{file}", "app.js").Replace(path)
		over := strings.Repeat(" ", limit+1)
		for what, body := range map[string]any{"length": over, "chunks": io.MultiReader(strings.NewReader(over))} {
			a, err := r.try(method, target, body, "Content-Type: application/json")
			if err != nil {
				t.Errorf("%s by %s: %v", line, what, err)
				continue
			}
			wantError(t, fmt.Sprintf("%s with %d bytes by %s", line, limit+1, what), a, 413, "")
		}
		if a := r.call(method, target, over[:limit], "Content-Type: application/json"); a.status == 413 && !strings.Contains(path, "{") {
			t.Errorf("%s with %d bytes: got %s", line, limit, a)
		}
	}
}

// TestPackedAnswers: what is longer than 1 KiB is packed for clients that take it,
// whatever it is; what is shorter is not.
func TestPackedAnswers(t *testing.T) {
	r := newRig(t, settings{})
	r.putRule("nodes", `{"expr":"name,known,:eq,:sum,(,node,),:by","detector":{"kind":"static","below":0}}`)
	for i := range 100 {
		r.publish(point(epoch, 1, "gauge", "known", "node", fmt.Sprintf("i-%030d", i)))
	}
	r.move(2 * step * time.Millisecond)
	r.detect.Advance(r.now())
	for path, long := range map[string]bool{
		"/api/v1/rules/nodes/groups": true,
		"/api/v1/tags/node":          true, "/api/v1/tags/node?format=txt": true, "/api/v1/tags/node?verbose=1": true, "/api/v1/status": true,
		"/api/v1/expr/complete?q=name,known,:eq": true, "/api/v1/tags": false, "/api/v1/rules": false,
	} {
		plain, packed := r.get(path), r.call("GET", path, nil, "Accept-Encoding: gzip")
		if plain.status != 200 || packed.status != 200 || plain.header.Get("Content-Encoding") != "" || (len(plain.body) >= 1<<10) != long {
			t.Errorf("%s: %s", path, plain)
		}
		if got := packed.header.Get("Content-Encoding") == "gzip"; got != long {
			t.Errorf("%s: packed %v, want %v", path, got, long)
			continue
		}
		if path == "/api/v1/status" || !long {
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(packed.body))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(z); err != nil || !bytes.Equal(b, plain.body) {
			t.Errorf("%s: %v, %d bytes unpacked, want %d", path, err, len(b), len(plain.body))
		}
	}
}
