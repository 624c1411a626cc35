package lanes_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestKernelsAreGenerated: the assembly is what genlanes writes.
func TestKernelsAreGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the generator")
	}
	dir := t.TempDir()
	run := func(in, name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = in
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", cmd, err, out)
		}
	}
	run(".", "go", "build", "-o", filepath.Join(dir, "genlanes"), "./genlanes")
	files := []string{"kernels_amd64.s", "kernels_amd64.go"}
	run(dir, "./genlanes", "-pkg", "lanes", "-out", files[0], "-stubs", files[1])
	for _, name := range files {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what the generator writes; run go generate ./store/block/lanes", name)
		}
	}
}

// TestKernelsKeepToTheirSet: kernels for AVX2 have no register and no
// instruction of AVX-512, and all of them clear the upper lanes at the end,
// without which scalar code after them is slow.
func TestKernelsKeepToTheirSet(t *testing.T) {
	text, err := os.ReadFile("kernels_amd64.s")
	if err != nil {
		t.Fatal(err)
	}
	functions := regexp.MustCompile(`(?m)^// func `).Split(string(text), -1)[1:]
	later := regexp.MustCompile(`\b(?:[XY](?:1[6-9]|2\d|3[01])|Z\d+|K\d|AVX512\w*)\b`)
	narrow := 0
	for _, f := range functions {
		name, _, _ := bytes.Cut([]byte(f), []byte("("))
		if bytes.HasSuffix(name, []byte("256")) {
			narrow++
			if found := later.FindString(f); found != "" {
				t.Errorf("%s has %s", name, found)
			}
		}
		if ends := strings.Count(f, "\tRET\n"); ends == 0 || strings.Count(f, "\tVZEROUPPER\n\tRET\n") != ends {
			t.Errorf("%s leaves the upper lanes as they are", name)
		}
	}
	if narrow == 0 || narrow == len(functions) {
		t.Errorf("%d of %d functions are for AVX2", narrow, len(functions))
	}
}
