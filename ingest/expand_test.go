package ingest_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"pulse/ingest"
	"pulse/store/budget"
)

// pack returns text under an encoding; "zlib" is deflate with its frame.
func pack(tb testing.TB, encoding, text string) []byte {
	tb.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zlib":
		w = zlib.NewWriter(&out)
	case "deflate":
		w, err = flate.NewWriter(&out, 6)
	case "zstd":
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	default:
		return []byte(text)
	}
	if err == nil {
		_, err = io.WriteString(w, text)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

func TestExpand(t *testing.T) {
	p := newPipeline(t, ingest.Options{Limits: ingest.Limits{Body: 1 << 20}})
	f := func(name string, body []byte, encoding, want string, status int) {
		t.Helper()
		for range 3 { // the second and third time with decoders and buffers used before
			got, done, err := p.Expand(body, encoding)
			var typed *ingest.BodyError
			switch {
			case status == 0 && err != nil:
				t.Errorf("%s: %v", name, err)
			case status == 0 && string(got) != want:
				t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
			case status != 0 && (!errors.As(err, &typed) || typed.Status() != status || done != nil):
				t.Errorf("%s: error %v, done %v, want status %d", name, err, done != nil, status)
			}
			if done != nil {
				done()
			}
		}
	}
	text := strings.Repeat(`{"tags":{"name":"abc"}}`, 1000)
	empty := ""
	full := strings.Repeat("x", 1<<20)

	f("identity", []byte(text), "", text, 0)
	f("identity by name", []byte(text), " Identity ", text, 0)
	f("identity too large", []byte(full+"x"), "", "", 413)
	for _, c := range []struct{ pack, encoding string }{{"gzip", "gzip"}, {"gzip", "x-gzip"}, {"zlib", "deflate"}, {"deflate", "deflate"}, {"zstd", "ZSTD"}} {
		for _, text := range []string{text, empty, full} {
			f(c.pack, pack(t, c.pack, text), c.encoding, text, 0)
		}
		whole := pack(t, c.pack, text)
		f(c.pack+" too large", pack(t, c.pack, full+"x"), c.encoding, "", 413)
		f(c.pack+" cut", whole[:len(whole)-3], c.encoding, "", 400)
		f(c.pack+" with text behind", append(bytes.Clone(whole), "more"...), c.encoding, "", 400)
		f(c.pack+" damaged", append([]byte{whole[0], whole[1] ^ 1}, whole[2:]...), c.encoding+"", "", 400)
	}
	f("gzip by magic", pack(t, "gzip", text), "", text, 0)
	f("gzip whatever the header says", pack(t, "gzip", text), "zstd", text, 0)
	f("gzip in two members", append(pack(t, "gzip", "ab"), pack(t, "gzip", "cd")...), "gzip", "abcd", 0)
	f("zstd in two frames", append(pack(t, "zstd", "ab"), pack(t, "zstd", "cd")...), "zstd", "abcd", 0)
	f("plain text said to be gzip", []byte(text), "gzip", "", 400)
	f("nothing said to be gzip", nil, "gzip", "", 400)
	f("unknown", []byte(text), "br", "", 415)
	f("nested", pack(t, "gzip", text), "gzip, gzip", "", 415)
}

func TestExpandBounds(t *testing.T) {
	p := newPipeline(t, ingest.Options{Limits: ingest.Limits{Expansions: 2}})
	bomb := pack(t, "gzip", strings.Repeat("\x00", 33<<20))
	var typed *ingest.BodyError
	if _, _, err := p.Expand(bomb, "gzip"); !errors.As(err, &typed) || typed.Status() != 413 {
		t.Errorf("33 MiB in %d bytes: %v, want status 413", len(bomb), err)
	}

	body := pack(t, "gzip", "text")
	var release []func()
	for range 2 {
		_, done, err := p.Expand(body, "gzip")
		if err != nil {
			t.Fatal(err)
		}
		release = append(release, done)
	}
	if _, _, err := p.Expand(body, "gzip"); !errors.As(err, &typed) || typed.Status() != 503 {
		t.Errorf("third of two at once: %v, want status 503", err)
	}
	if _, done, err := p.Expand([]byte("text"), ""); err != nil {
		t.Errorf("an identity body needs no slot: %v", err)
	} else {
		done()
	}
	for _, done := range release {
		done()
	}
	if out, done, err := p.Expand(body, "gzip"); err != nil || string(out) != "text" {
		t.Errorf("after release: %q, %v", out, err)
	} else {
		done()
	}
	if n := p.Stats().Unexpandable; n != 2 {
		t.Errorf("%d unexpandable bodies counted, want 2", n)
	}
}

// TestExpandConcurrently checks that buffers in use are nobody else's.
func TestExpandConcurrently(t *testing.T) {
	p := newPipeline(t, ingest.Options{Limits: ingest.Limits{Expansions: 64}})
	var wg sync.WaitGroup
	for g := range 8 {
		text := strings.Repeat(string(rune('a'+g)), 10_000+g)
		body := pack(t, []string{"gzip", "zstd", "zlib", "deflate"}[g%4], text)
		encoding := []string{"gzip", "zstd", "deflate", "deflate"}[g%4]
		wg.Go(func() {
			for range 50 {
				out, done, err := p.Expand(body, encoding)
				if err != nil || string(out) != text {
					t.Errorf("goroutine %d: %d bytes, %v", g, len(out), err)
					return
				}
				done()
			}
		})
	}
	wg.Wait()
}

func FuzzExpand(f *testing.F) {
	for _, encoding := range []string{"gzip", "deflate", "zstd"} {
		f.Add(pack(f, encoding, "some text, some text"), encoding)
	}
	f.Add(pack(f, "zlib", "some text, some text"), "deflate")
	p := newPipeline(f, ingest.Options{Limits: ingest.Limits{Body: 4096}})
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		out, done, err := p.Expand(body, encoding)
		if (err == nil) != (done != nil) {
			t.Fatalf("error %v, done %v", err, done != nil)
		}
		if err != nil {
			var typed *ingest.BodyError
			if !errors.As(err, &typed) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if len(out) > 4096 {
			t.Fatalf("%d bytes", len(out))
		}
		done()
	})
}

// TestExpandRoundTrip expands what was packed at random.
func TestExpandRoundTrip(t *testing.T) {
	p := newPipeline(t, ingest.Options{})
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 100 {
		text := make([]byte, rnd.IntN(50_000))
		for j := range text {
			text[j] = byte(rnd.IntN(1 + i))
		}
		kind := []string{"gzip", "zlib", "deflate", "zstd"}[i%4]
		encoding := strings.Replace(kind, "zlib", "deflate", 1)
		out, done, err := p.Expand(pack(t, kind, string(text)), encoding)
		if err != nil || !bytes.Equal(out, text) {
			t.Fatalf("round %d, %s, %d bytes: %d bytes, %v", i, kind, len(text), len(out), err)
		}
		done()
	}
}

// Expansions stop at the budget that all share, and give back what they took.
func TestExpandBudget(t *testing.T) {
	b := budget.New(300 << 10)
	p := newPipeline(t, ingest.Options{Budget: b})
	small, large := strings.Repeat("a", 50<<10), strings.Repeat("a", 400<<10)
	for _, encoding := range []string{"gzip", "zstd", "zlib"} {
		name := encoding
		if name == "zlib" {
			name = "deflate"
		}
		out, done, err := p.Expand(pack(t, encoding, small), name)
		if err != nil || string(out) != small || b.Used() < int64(len(small)) {
			t.Fatalf("%s: %v, %d bytes in use", encoding, err, b.Used())
		}
		_, _, err = p.Expand(pack(t, encoding, large), name)
		var refused *ingest.BodyError
		if !errors.As(err, &refused) || refused.Status() != 503 {
			t.Errorf("%s: %v, want 503", encoding, err)
		}
		done()
		if b.Used() != 0 {
			t.Errorf("%s: %d bytes are still in use", encoding, b.Used())
		}
	}
	out, done, err := p.Expand([]byte(large), "")
	if err != nil || len(out) != len(large) || b.Used() != 0 {
		t.Errorf("a body that is no expansion: %v, %d bytes in use", err, b.Used())
	}
	done()
}
