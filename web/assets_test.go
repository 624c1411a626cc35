package web_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestAssets: the page and what it names are there, with their types.
func TestAssets(t *testing.T) {
	r := newRig(t, settings{})
	page := r.get("/")
	if kind := page.header.Get("Content-Type"); !strings.HasPrefix(kind, "text/html") {
		t.Fatalf("/: got %s", page)
	}
	kinds := map[string]string{".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
	seen := map[string]bool{}
	ref := regexp.MustCompile(`(?:src|href)="([^"]+)"|(?:from\s+|import\s*\(?)"([^"]+)"`)
	var follow func(at string, text []byte)
	follow = func(at string, text []byte) {
		for _, m := range ref.FindAllSubmatch(text, -1) {
			name := string(m[1]) + string(m[2])
			if strings.Contains(name, "://") || strings.HasPrefix(name, "//") {
				t.Errorf("%s loads %s from elsewhere", at, name)
				continue
			}
			if strings.HasPrefix(name, "#") || strings.HasPrefix(name, "data:") {
				continue
			}
			target := resolve(at, name)
			if seen[target] || !strings.HasPrefix(target, "/ui/") {
				continue
			}
			seen[target] = true
			a := r.get(target)
			for ext, kind := range kinds {
				if strings.HasSuffix(target, ext) && !strings.HasPrefix(a.header.Get("Content-Type"), kind) {
					t.Errorf("%s: type %q, want %s", target, a.header.Get("Content-Type"), kind)
				}
			}
			if strings.HasSuffix(target, ".js") {
				follow(target, a.body)
			}
		}
	}
	follow("/", page.body)
	if len(seen) < 3 {
		t.Errorf("the page names only %v", seen)
	}
	for target := range seen {
		a := r.get(target)
		again := r.call("GET", target, nil, "If-None-Match: "+a.header.Get("ETag"))
		if a.header.Get("ETag") == "" || again.status != 304 || len(again.body) != 0 {
			t.Errorf("%s: ETag %q, again %s", target, a.header.Get("ETag"), again)
		}
		for _, encoding := range []string{"gzip", "zstd"} {
			packed := r.call("GET", target, nil, "Accept-Encoding: "+encoding)
			text, err := packed.unpacked()
			if err != nil || !bytes.Equal(text, a.body) || packed.header.Get("ETag") != a.header.Get("ETag") || packed.header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s as %s: %d bytes, want %d; %v, %v", target, encoding, len(text), len(a.body), err, packed.header)
			}
			if len(a.body) > 2000 && (packed.header.Get("Content-Encoding") != encoding || len(packed.body) >= len(a.body)) {
				t.Errorf("%s: %d bytes, packed %d as %q", target, len(a.body), len(packed.body), packed.header.Get("Content-Encoding"))
			}
		}
	}
}

// resolve returns the absolute path of a reference in the file at.
func resolve(at, name string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	dir := at[:strings.LastIndexByte(at, '/')+1]
	for {
		switch {
		case strings.HasPrefix(name, "./"):
			name = name[2:]
		case strings.HasPrefix(name, "../"):
			name = name[3:]
			dir = dir[:strings.LastIndexByte(strings.TrimSuffix(dir, "/"), '/')+1]
		default:
			return dir + name
		}
	}
}

// TestAssetsByExactName: no spelling of a path reaches what is not an asset.
func TestAssetsByExactName(t *testing.T) {
	r := newRig(t, settings{})
	for _, name := range []string{
		"", "app", "vendor", "vendor/", "app/index.html", "app/app.js", "ui.go", "vendor/rebuild", "vendor/manifest.json", "vendor/LICENSES", "vendor/checksums.txt", "vendor/none.js",
		"../ui.go", "..%2fui.go", "%2e%2e/ui.go", "%2e%2e%2fui.go", "..%5cui.go", "..\\ui.go", "....//ui.go", "..;/ui.go", "vendor/../ui.go", "vendor/..%2f..%2fui.go", "vendor%2f..%2fapp.js/x",
		"./app.js/.", "app.js/", "app.js%00", "app.js%00.html", "app.js.gz", "app.js~", ".app.js", "App.js", "/etc/passwd", "%2fetc%2fpasswd", "/../../../../etc/passwd", "..%2f..%2f..%2f..%2fetc%2fpasswd",
		"..%c0%af..%c0%afetc/passwd", "..%252f..%252fetc/passwd", "file:///etc/passwd", "C:%5cwindows%5cwin.ini", "con", "nul.js", "app.js::$DATA", "index.html/..%2f..%2fui.go",
	} {
		for _, before := range []string{"/ui/", "/ui/vendor/", "/"} {
			answers, _ := r.raw(fmt.Sprintf("GET %s%s HTTP/1.1\r\nHost: $host\r\n\r\n", before, name))
			if len(answers) == 1 && answers[0].status != 404 && answers[0].status != 400 && before+name != "/" {
				t.Errorf("%s%s: got %s", before, name, answers[0])
			}
			for _, a := range answers {
				if text := string(a.body); strings.Contains(text, "package ui") || strings.Contains(text, "root:") {
					t.Errorf("%s%s: leaked %s", before, name, a)
				}
			}
		}
	}
}
