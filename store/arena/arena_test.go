package arena_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"pulse/store/arena"
	"pulse/store/disk"
	"pulse/store/disk/faulty"
)

const large = 1 << 20 // bytes, enough to be mapped

func TestAnonymousIsZeroAndWritable(t *testing.T) {
	for _, n := range []int{0, 1, 8, 1000, large} {
		r := arena.Anonymous(n)
		if r.Len() != n || len(bytes.Trim(r.Bytes(), "\x00")) != 0 {
			t.Fatalf("%d bytes: %d, not all zero", n, r.Len())
		}
		for i := range r.Bytes() {
			r.Bytes()[i] = 7
		}
		r.Freeze()
		if n > 0 && r.Bytes()[n-1] != 7 {
			t.Errorf("%d bytes: freezing changed them", n)
		}
		if r.OffHeap() != (n == large) {
			t.Errorf("%d bytes: off heap %v", n, r.OffHeap())
		}
		r.Release()
	}
}

// Memory outside the heap goes back with the last reference, and when nobody
// has a reference to the region any more.
func TestMemoryGoesBack(t *testing.T) {
	const each = 64 << 20
	if _, err := os.Stat("/proc/self/statm"); err != nil {
		t.Skip("needs /proc")
	}
	before := virtual(t)
	for range 100 {
		r := arena.Anonymous(each)
		r.Retain()
		r.Release()
		r.Release()
	}
	if grown := virtual(t) - before; grown > 10*each {
		t.Errorf("%d MiB stay after 100 regions were released", grown>>20)
	}
	for range 100 {
		arena.Anonymous(each)
		runtime.GC()
	}
	if grown := virtual(t) - before; grown > 50*each {
		t.Errorf("%d MiB stay after 100 regions were dropped", grown>>20)
	}
}

// virtual returns the address space of the process in bytes.
func virtual(t *testing.T) int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, c := range strings.Fields(string(text))[0] {
		n = n*10 + int64(c-'0')
	}
	return n * int64(os.Getpagesize())
}

func TestMapReadsTheFile(t *testing.T) {
	want := make([]byte, large+123)
	for i := range want {
		want[i] = byte(rand.Uint32())
	}
	dir := t.TempDir()
	fs, err := disk.Dir(dir)
	if err != nil {
		t.Fatal(err)
	}
	memory := faulty.New(1)
	for _, fs := range []disk.FS{fs, memory} {
		f, err := fs.Create("a")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(want); err != nil {
			t.Fatal(err)
		}
		r, err := arena.Map(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		if err := fs.Remove("a"); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.Bytes(), want) {
			t.Error("a mapped file that was removed reads otherwise")
		}
		r.Release()
		empty, err := fs.Create("b")
		if err != nil {
			t.Fatal(err)
		}
		r, err = arena.Map(empty)
		if err != nil || r.Len() != 0 {
			t.Errorf("an empty file: %v", err)
		}
		r.Release()
		empty.Close()
	}
	memory.Put("c", want)
	memory.Inject(faulty.Fault{Op: faulty.OpRead, Err: errors.New("unreadable")})
	f, err := memory.Open("c")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := arena.Map(f); err == nil {
		t.Error("a file that cannot be read is mapped")
	}
}

// A file that becomes shorter faults, in whichever goroutine reads it, and the
// rest of it can be read on.
func TestGuardCatchesFaults(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(name, bytes.Repeat([]byte{1}, large), 0o600); err != nil {
		t.Fatal(err)
	}
	fs, err := disk.Dir(filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	f, err := fs.Open("a")
	if err != nil {
		t.Fatal(err)
	}
	r, err := arena.Map(f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	if err := os.Truncate(name, 8192); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			sum, deferred := 0, false
			err := arena.Guard(func() error {
				defer func() { deferred = true }()
				for _, b := range r.Bytes() {
					sum += int(b)
				}
				return nil
			})
			var fault *arena.FaultError
			if !errors.As(err, &fault) || sum < 8192 || !deferred {
				t.Errorf("read %d bytes, then %v", sum, err)
			}
			if err := arena.Guard(func() error { copy(make([]byte, large), r.Bytes()); return nil }); !errors.As(err, &fault) {
				t.Errorf("a copy gives %v", err)
			}
		})
	}
	wait.Wait()
}

func TestGuardPassesTheRest(t *testing.T) {
	want := errors.New("mine")
	if err := arena.Guard(func() error { return want }); err != want {
		t.Errorf("%v", err)
	}
	for what, f := range map[string]func(){
		"nil":   func() { var p *[10]int; p[3]++ },
		"index": func() { s := []int{1}; s[len(os.Args)+5]++ },
		"panic": func() { panic("mine") },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s does not panic", what)
				}
			}()
			if err := arena.Guard(func() error { f(); return nil }); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}()
	}
}

// Many hold one region for a while; nobody sees it go too early.
func TestReferencesAreCounted(t *testing.T) {
	r := arena.Anonymous(large)
	r.Bytes()[large-1] = 9
	r.Freeze()
	var wait sync.WaitGroup
	for range 8 {
		r.Retain()
		wait.Go(func() {
			defer r.Release()
			for range 1000 {
				r.Retain()
				if r.Bytes()[large-1] != 9 {
					t.Error("gone")
				}
				r.Release()
			}
		})
	}
	r.Release()
	wait.Wait()
	for i, f := range []func(){r.Release, r.Retain} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("use %d after the last release goes unnoticed", i)
				}
			}()
			f()
		}()
	}
}

func TestWordsAndFloats(t *testing.T) {
	b := arena.Anonymous(8 * 5).Bytes()
	copy(b, []byte{1, 2, 0, 0, 0, 0, 0, 0x80, 0xff})
	for shift := range 3 {
		odd := make([]byte, len(b)+shift)[shift:]
		copy(odd, b)
		words := arena.Words(odd[:len(odd)-shift])
		if words[0] != 0x8000000000000201 || words[1] != 0xff || len(words) != (len(b)-shift)/8 {
			t.Errorf("shifted by %d: %x", shift, words)
		}
	}
	for _, n := range []int{0, 1, 100, large} {
		values, r := arena.Floats(n)
		if len(values) != n {
			t.Errorf("%d of %d", len(values), n)
		}
		for i := range values {
			if values[i] != 0 {
				t.Fatal("not zero")
			}
			values[i] = 1
		}
		r.Release()
	}
}
