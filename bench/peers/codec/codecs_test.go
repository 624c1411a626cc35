package main

import (
	"math"
	"slices"
	"testing"

	"pulse/bench/gen"
)

// TestCodecsReadBack packs series of every class, and blocks with few values or
// none, and reads them again.
func TestCodecsReadBack(t *testing.T) {
	nan := math.NaN()
	cases := map[string][]float64{
		"nothing":  slices.Repeat([]float64{nan}, 2*blockSize),
		"one":      append(slices.Repeat([]float64{nan}, 2*blockSize-1), 1.0/3),
		"the rest": append([]float64{nan, 7}, slices.Repeat([]float64{1e9, 0, 0.1}, 2*blockSize/3)[2:]...),
	}
	for _, c := range gen.Classes() {
		cases[c.Name] = c.Series(5, 2*blockSize, step)
	}
	for _, c := range codecs(2 * blockSize) {
		for name, values := range cases {
			x, err := c.measure([][]float64{values}, 1)
			if err != nil {
				t.Fatalf("%s, %s: %v", c.name, name, err)
			}
			if x.values != len(values) || x.altered > 0 && !c.lossy {
				t.Errorf("%s, %s: %d of %d values altered, want none of %d", c.name, name, x.altered, x.values, len(values))
			}
			dst := make([]float64, c.size)
			packed, _ := c.encode(nil, values[:c.size])
			if err := c.decode(dst, packed); err != nil {
				t.Fatalf("%s, %s: %v", c.name, name, err)
			}
			for i, v := range values[:c.size] {
				if math.IsNaN(v) != math.IsNaN(dst[i]) || math.Abs(v-dst[i]) > 1e-11*math.Abs(v) {
					t.Errorf("%s, %s: value %d is %v, want %v", c.name, name, i, dst[i], v)
				}
			}
		}
	}
}
