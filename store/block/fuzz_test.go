package block_test

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"

	"pulse/store/block"
)

// FuzzDecode feeds arbitrary bytes to every reader: they must agree about
// whether it is a block, stay inside it, and what decodes must encode to the
// same values again.
func FuzzDecode(f *testing.F) {
	for _, b := range blocksOfEachForm() {
		f.Add(b, block.Size)
		f.Add(b[:len(b)-1], block.Size)
		f.Add(b, block.Size/2)
	}
	f.Add([]byte{1, 0x71, 0x33, 0xff, 0x1f}, 2)
	f.Fuzz(func(t *testing.T, src []byte, n int) {
		if n < 0 || n > 2*block.MaxValues {
			n = block.Size
		}
		dst := make([]float64, n)
		rest, err := block.Decode(dst, src[:len(src):len(src)])
		if err != nil {
			if !errors.Is(err, block.ErrCorrupt) {
				t.Fatalf("error %v is not ErrCorrupt", err)
			}
			for _, v := range dst {
				if v == v {
					t.Fatalf("error %v, but %v was decoded", err, v)
				}
			}
		} else {
			if len(rest) > len(src)-2 {
				t.Fatalf("%d bytes left of %d", len(rest), len(src))
			}
			roundTrip(t, dst, 10_000)
		}
		if n != block.Size {
			return
		}
		var scratch [block.Size]float64
		for _, a := range accumulators() {
			acc := make([]float64, 50)
			foldErr := a.fold(acc, src, 60, 110, &scratch)
			if (foldErr == nil) != (err == nil) {
				t.Fatalf("%s says %v, Decode says %v", a.name, foldErr, err)
			}
			if err != nil || a.name == "count" {
				continue
			}
			for i := range acc {
				want := 0.0
				if v := dst[60+i]; v == v {
					want = a.plain(0, v)
				}
				if !sameBits(acc[i], want) {
					t.Fatalf("%s of step %d is %v, want %v", a.name, 60+i, acc[i], want)
				}
			}
		}
	})
}

// FuzzRoundTrip reads its input as doubles.
func FuzzRoundTrip(f *testing.F) {
	var seed []byte
	for _, v := range oddities() {
		seed = binary.LittleEndian.AppendUint64(seed, math.Float64bits(v))
	}
	f.Add(seed, int64(60_000))
	f.Add(seed[:80], int64(1000))
	f.Add(make([]byte, 960), int64(100))
	f.Fuzz(func(t *testing.T, src []byte, step int64) {
		var values []float64
		for len(src) >= 8 && len(values) < block.MaxValues {
			values = append(values, math.Float64frombits(binary.LittleEndian.Uint64(src)))
			src = src[8:]
		}
		if len(values) > 0 {
			roundTrip(t, values, step)
		}
	})
}
