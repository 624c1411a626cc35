package ui_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pulse/web/ui"
)

// TestVendored: every bundle is served with the bytes that the script made of the
// packages of the manifest, all of which come with their licence.
func TestVendored(t *testing.T) {
	sums, err := os.ReadFile("vendor/checksums.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		want[name] = sum
	}
	files, err := filepath.Glob("vendor/*.js")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != len(want) {
		t.Errorf("%d files, %d checksums", len(files), len(want))
	}
	imports := regexp.MustCompile(`\bfrom\s*["']|\bimport\s*["'(]`)
	for _, file := range files {
		body, _, ok := ui.Asset(file)
		sum := sha256.Sum256(body)
		if got := hex.EncodeToString(sum[:]); !ok || got != want[filepath.Base(file)] {
			t.Errorf("%s: served %t, checksum %s, want %s", file, ok, got, want[filepath.Base(file)])
		}
		if m := imports.Find(body); m != nil {
			t.Errorf("%s loads something else: %s", file, m)
		}
	}
	text, err := os.ReadFile("vendor/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Packages map[string]struct{ Version, File, Licence, Integrity string }
	}
	if err := json.Unmarshal(text, &manifest); err != nil {
		t.Fatal(err)
	}
	licences, err := os.ReadFile("vendor/LICENSES")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for name, p := range manifest.Packages {
		if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(p.Version) || p.Licence == "" || !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s is not pinned: %+v", name, p)
		}
		if p.File != "" && !strings.Contains(string(licences), "== "+name+"\n\n") {
			t.Errorf("no licence of %s", name)
		}
		for file := range strings.SplitSeq(p.File, ", ") {
			made[file] = true
		}
	}
	for _, file := range files {
		if !made[filepath.Base(file)] {
			t.Errorf("the manifest does not say what %s is made of", file)
		}
	}
}

// TestComments: our modules are sent without the lines that are comments, and all others
// keep their places.
func TestComments(t *testing.T) {
	source, err := os.ReadFile("app/router.js")
	if err != nil {
		t.Fatal(err)
	}
	sent, _, ok := ui.Asset("router.js")
	if !ok {
		t.Fatal("not sent")
	}
	lines := strings.Split(string(sent), "\n")
	comments := 0
	for i, line := range strings.Split(string(source), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "//") {
			comments++
			line = ""
		}
		if i >= len(lines) || lines[i] != line {
			t.Fatalf("line %d differs from %q", i+1, line)
		}
	}
	if comments == 0 {
		t.Error("the module has no comment")
	}
}

// roots are what the selectors of a page's style sheet begin with, so that they mean
// nothing of other pages: a sheet stays when its page is left.
var roots = map[string]string{
	"alerts.css":    `\.of-alerts\b`,
	"board.css":     `\.board\b|\[data-page="board"\]|:root\[data-board="full"\] |main:has\(\.board\)`,
	"data.css":      `\[data-page="data"\]`,
	"explore.css":   `\.tool\b|\.tip\.pinned\b|\.offscreen$`,
	"firstrun.css":  `\.firstrun\b`,
	"parts.css":     `\[data-page="(data|sources|receivers|server)"\]`,
	"receivers.css": `\[data-page="receivers"\]`,
	"rules.css":     `\.rules\b|\[data-page="rules"\]`,
	"server.css":    `\[data-page="server"\]`,
	"sources.css":   `\[data-page="sources"\]`,
}

// TestScoped: no rule of a page's style sheet means what another page shows.
func TestScoped(t *testing.T) {
	files, err := filepath.Glob("app/pages/*.css")
	if err != nil || len(files) == 0 {
		t.Fatalf("no style sheets: %v", err)
	}
	comments := regexp.MustCompile(`(?s)/\*.*?\*/`)
	for _, file := range files {
		root := roots[filepath.Base(file)]
		if root == "" {
			t.Errorf("%s: nothing says what its selectors begin with", file)
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, selector := range outermost(comments.ReplaceAllString(string(text), "")) {
			if !regexp.MustCompile(`^(` + root + `)`).MatchString(selector) {
				t.Errorf("%s: %q means other pages too, must begin with %s", file, selector, root)
			}
		}
	}
}

// outermost returns the selectors that are in no other, those within @media too.
func outermost(css string) (out []string) {
	depth, open := 0, []bool{} // of each brace: whether what is in it is in a selector
	from := 0
	for i, c := range css {
		switch c {
		case ';':
			from = i + 1
		case '{':
			head := strings.TrimSpace(css[from:i])
			at := strings.HasPrefix(head, "@")
			if depth == 0 && !at {
				out = append(out, regexp.MustCompile(`\s*,\s*`).Split(head, -1)...)
			}
			outer := at && !strings.HasPrefix(head, "@keyframes") // what is in it stands as if outside
			if open, from = append(open, !outer), i+1; !outer {
				depth++
			}
		case '}':
			if open[len(open)-1] {
				depth--
			}
			open, from = open[:len(open)-1], i+1
		}
	}
	return out
}
