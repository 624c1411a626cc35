package notify_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goccy/go-yaml"

	"pulse/detect/notify"
)

// TestDocs puts every example of the page on receivers and has it deliver.
func TestDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/receivers.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "secrets", "pagerduty"), []byte("0123456789abcdef0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		s := newMailServer(t, "smtp.example.com")
		r := &rig{t: t, path: filepath.Join(t.TempDir(), "state.db"), o: notify.Options{Dial: s.dial, RootCAs: s.roots}, words: "ok"}
		r.answer = func(call, int) (int, http.Header) { return 200, nil }
		r.start()
		defer r.stop()
		kinds := map[string]int{}
		for _, m := range regexp.MustCompile("(?s)```(json|yaml)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
			examples := []string{m[2]}
			if m[1] == "yaml" {
				examples = nil
				var file struct{ Receivers []map[string]any }
				if err := yaml.Unmarshal([]byte(m[2]), &file); err != nil || len(file.Receivers) == 0 {
					t.Fatalf("%s: %v", m[2], err)
				}
				for _, x := range file.Receivers {
					text, _ := json.Marshal(x)
					examples = append(examples, string(text))
				}
			}
			for _, text := range examples {
				x, err := notify.ParseFileReceiver([]byte(text), dir)
				if err == nil {
					err = r.svc.PutReceiver(x)
				}
				if err != nil {
					t.Errorf("%s: %v", text, err)
					continue
				}
				kinds[x.Kind]++
				if got, err := r.svc.Test(context.Background(), x.Name); err != nil || !got.OK {
					t.Errorf("%s: %+v, %v", text, got, err)
				}
			}
		}
		for _, kind := range notify.Kinds() {
			if kinds[kind] == 0 || !strings.Contains(string(page), "(#"+kind+")") {
				t.Errorf("kind %s has no example, or no row in the table", kind)
			}
		}
		n := firing("i1")
		n.Rule, n.Tags, n.Value, n.StartsAt = "sps-drop", map[string]string{"region": "eu"}, 412.5, 1_767_225_600_000
		n.Annotations, n.Notify = map[string]string{"summary": "eu: 412.5 starts/s, expected 980.1"}, []string{"short"}
		r.enqueue(n)
		after(time.Second)
		gives := regexp.MustCompile("(?m)^gives `(.*)` and `(.*)`").FindStringSubmatch(string(page))
		calls := r.made()
		if len(gives) != 3 {
			t.Fatal("the page does not say what its template gives")
		}
		if last := string(calls[len(calls)-1].body); !strings.Contains(last, `"text":"`+gives[1]+`"`) || !strings.Contains(last, gives[2]) {
			t.Errorf("sent %s, the page says %q", last, gives[1:])
		}
	})
}
