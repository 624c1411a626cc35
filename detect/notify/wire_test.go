package notify_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
	"pulse/store/clock"
)

// local returns a service with its own transport that may reach what allow says.
func local(t *testing.T, db *bbolt.DB, allow ...string) *notify.Service {
	t.Helper()
	o := notify.Options{DB: db, Clock: clock.NewManual(time.UnixMilli(1_700_000_000_000))}
	for _, text := range allow {
		o.EgressAllow = append(o.EgressAllow, netip.MustParsePrefix(text))
	}
	svc, err := notify.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return svc
}

func openDB(t *testing.T) *bbolt.DB {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestOverTheWire(t *testing.T) {
	var elsewhere atomic.Int64
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	defer server.Close()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		var n notify.Notification
		if err := json.Unmarshal(body, &n); err != nil || n.Type != notify.TypeTest || req.Header.Get("Accept-Encoding") != "" {
			t.Errorf("got %s with %v, %v", body, req.Header, err)
		}
		w.WriteHeader(204)
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, "/elsewhere", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) })
	mux.HandleFunc("/headers", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Big", strings.Repeat("x", 20<<10)) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, req *http.Request) {
		for req.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 1<<10)); err != nil {
				return
			}
		}
	})
	svc := local(t, openDB(t), "127.0.0.0/8")
	test := func(path string) notify.TestResult {
		t.Helper()
		if err := svc.PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL(server.URL + path)}); err != nil {
			t.Fatal(err)
		}
		got, err := svc.Test(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := test("/ok"); !got.OK || got.Status != 204 {
		t.Errorf("ok: %+v", got)
	}
	if got := test("/redirect"); got.OK || got.Status != 307 || elsewhere.Load() != 0 {
		t.Errorf("redirect: %+v, followed %d times", got, elsewhere.Load())
	}
	if got := test("/headers"); got.OK || got.Status != 0 || got.Error == "" {
		t.Errorf("headers of 20 KiB: %+v", got)
	}
	if got := test("/endless"); !got.OK || got.Status != 200 {
		t.Errorf("endless answer: %+v", got)
	}
}

// A name that was open when the receiver was put, and leads to an address that
// is closed now, is refused when it is dialled.
func TestRebinding(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	db, url := openDB(t), fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	if err := local(t, db, "127.0.0.0/8", "::1/128").PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL(url)}); err != nil {
		t.Fatal(err)
	}
	svc := local(t, db)
	got, err := svc.Test(t.Context(), "a")
	if err != nil || got.OK || got.Status != 0 || !strings.Contains(got.Error, "a loopback address; --egress-allow") {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := svc.PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL(url)}); err == nil || !strings.Contains(err.Error(), "--egress-allow") {
		t.Errorf("loopback at creation: %v", err)
	}
}

// What stands in an answer that is no HTTP is not shown: it may come from where
// the one who asks cannot reach.
func TestErrorsShowNothingOfTheAnswer(t *testing.T) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: inside\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: inside\r\n\r\n",
		"HTTP/1.1 inside\r\n\r\n", "inside\r\n\r\n", "HTTP/1.1 200 OK\r\ninside\r\n\r\n", "HTTP/inside 200 OK\r\n\r\n", "",
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer listener.Close()
			if conn, err := listener.Accept(); err == nil {
				defer conn.Close()
				conn.Read(make([]byte, 16<<10))
				io.WriteString(conn, answer)
			}
		}()
		svc := local(t, openDB(t), "127.0.0.0/8")
		if err := svc.PutReceiver(notify.Receiver{Name: "a", URL: secret.NewURL("http://" + listener.Addr().String())}); err != nil {
			t.Fatal(err)
		}
		got, err := svc.Test(t.Context(), "a")
		if err != nil || got.OK || got.Error == "" || strings.Contains(got.Error, "inside") {
			t.Errorf("%q: %+v, %v", answer, got, err)
		}
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	text := base64.StdEncoding.EncodeToString([]byte("the secret of this receiver"))
	key := secret.New("whsec_" + text)
	hook := notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com/?token=tkn"), Secret: key, PreviousSecret: key}
	hidden := struct {
		hook  *notify.Receiver
		plain notify.Receiver
	}{&hook, hook}
	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%10v"} {
		fmt.Fprintf(&out, verb+verb+"\n", hook, &hook)
		fmt.Fprintf(&out, verb+"\n", hidden)
	}
	asJSON, err := json.Marshal(hook)
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(hook)
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(&out)
	log.Info().Interface("hook", hook).Any("x", hidden).Msg("")
	out.Write(asJSON)
	out.Write(asYAML)
	for _, leak := range []string{text, fmt.Sprintf("%x", text), fmt.Sprintf("%X", text), text[:12]} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is in\n%s", leak, out.String())
		}
	}
	if !strings.Contains(string(asJSON), `"secret":"***"`) || !strings.Contains(string(asYAML), `***`) {
		t.Errorf("JSON %s, YAML %s", asJSON, asYAML)
	}
	if none, _ := json.Marshal(notify.Receiver{Name: "a"}); strings.Contains(string(none), "secret") {
		t.Errorf("without a secret: %s", none)
	}
}

func TestReceiversAreMaskedAndCanBeWrittenBack(t *testing.T) {
	text := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef01234567"))
	bubble(t, notify.Options{}, func(r *rig) {
		hook := notify.Receiver{Name: "a", URL: secret.NewURL("https://a.example.com/hook?token=hidden&x=1&hidden"), Secret: secret.New(text)}
		if err := r.svc.PutReceiver(hook); err != nil {
			t.Fatal(err)
		}
		shown, err := json.Marshal(r.svc.Receivers())
		if err != nil || strings.Contains(string(shown), "hidden") || strings.Contains(string(shown), text[6:]) {
			t.Errorf("shown %s, %v", shown, err)
		}
		back, err := notify.ParseReceiver(shown[1 : len(shown)-1])
		if err != nil {
			t.Fatal(err)
		}
		if err := r.svc.PutReceiver(back); err != nil {
			t.Fatal(err)
		}
		r.stop()
		r.start()
		r.enqueue(firing("i1"))
		after(time.Second)
		if calls := r.made(); len(calls) != 1 || verify(t, calls[0], text) != 1 {
			t.Errorf("after writing it back: %d calls", len(calls))
		}
		if strings.Contains(r.logged(), "hidden") {
			t.Error("the URL's query is in the log")
		}
	})
}

func TestBadReceivers(t *testing.T) {
	bubble(t, notify.Options{}, func(r *rig) {
		for _, text := range []string{
			`{`, `[]`, `{"name":"a","url":"https://a.example.com","extra":1}`, `{"name":"a","url":"https://a.example.com"} x`,
			`{"name":"a","url":"https://a.example.com"}}`,
			`{"url":"https://a.example.com"}`, `{"name":"a b","url":"https://a.example.com"}`, `{"name":"../a","url":"https://a.example.com"}`,
			`{"name":"` + strings.Repeat("a", 65) + `","url":"https://a.example.com"}`,
			`{"name":"a","kind":"email","url":"https://a.example.com"}`, `{"name":"a"}`, `{"name":"a","url":"ftp://a.example.com"}`,
			`{"name":"a","url":"https://a.example.com","secret":"plain"}`, `{"name":"a","url":"https://a.example.com","secret":"whsec_!"}`,
			`{"name":"a","url":"https://a.example.com","secret":"whsec_c2hvcnQ="}`, `{"name":"a","url":"https://a.example.com","secret":"***"}`,
			`{"name":"a","url":"https://a.example.com","previous_secret":"x"}`,
		} {
			hook, err := notify.ParseReceiver([]byte(text))
			if err == nil {
				err = r.svc.PutReceiver(hook)
			}
			if err == nil {
				t.Errorf("accepted %s", text)
			}
		}
		for i := range 100 {
			r.put(fmt.Sprint("r", i))
		}
		if err := r.svc.PutReceiver(notify.Receiver{Name: "one-more", URL: secret.NewURL("https://a.example.com")}); err == nil || len(r.svc.Receivers()) != 100 {
			t.Errorf("a receiver over the limit: %v", err)
		}
	})
}
