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
