package lanes_test

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"unsafe"

	"pulse/store/block/lanes"
)

// fence is memory between two pages that fault when they are touched.
type fence []byte

func newFence(t *testing.T, size int) fence {
	t.Helper()
	page := os.Getpagesize()
	size = (size + page - 1) / page * page
	m, err := syscall.Mmap(-1, 0, size+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(m); err != nil {
			t.Error(err)
		}
	})
	for _, guard := range [][]byte{m[:page], m[page+size:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	return fence(m[page : page+size : page+size])
}

// end returns n bytes at the end.
func (f fence) end(n int) []byte { return f[len(f)-n:] }

// front returns n bytes at the front.
func (f fence) front(n int) []byte { return f[:n:n] }

func doubles(b []byte) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)
}

// TestNothingOutsideIsTouched: a byte before or behind what an operation is given
// faults, whether it is read or written.
func TestNothingOutsideIsTouched(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	data, dst, values, marks := newFence(t, 4096), newFence(t, 4096), newFence(t, 4096), newFence(t, 4096)
	more, places := newFence(t, 4096), newFence(t, 4096)
	for n := 0; n <= maxLen; n++ {
		for width := uint(0); width <= lanes.MaxWidth; width++ {
			if n > 80 && (n+int(width))%11 != 0 || testing.Short() && (n+int(width))%5 != 0 {
				continue
			}
			in := draw(rng, n, width, rng.IntN(2)*rng.IntN(80))
			atEnd := rng.IntN(4) > 0
			place := func(f fence, size int) []byte {
				if atEnd {
					return f.end(size)
				}
				return f.front(size)
			}
			bytes := place(data, len(in.p.Data))
			copy(bytes, in.p.Data)
			in.p.Data = bytes
			in.values = doubles(place(values, 8*n))
			for i := range in.values {
				in.values[i] = odd(rng)
			}
			in.except.Data = append(place(more, len(in.except.Data))[:0], in.except.Data...)
			in.except.Places = append(place(places, len(in.except.Places))[:0], in.except.Places...)
			in.bitmap = append(place(marks, len(in.bitmap))[:0], in.bitmap...)
			for _, op := range operations() {
				want := append([]float64(nil), in.before...)
				op.slow(want, in)
				for _, tier := range lanes.Tiers() {
					got := doubles(place(dst, 8*n))
					copy(got, in.before)
					op.run(tier, got, in)
					check(t, tier, &op, in, got, want)
				}
			}
		}
	}
}
