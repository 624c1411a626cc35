package block_test

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/store/block"
)

// TestBytes shows the bytes of small blocks, and reads bytes that a writer may
// not have written. Numbers may be quotients, `7/60`; `x*n` repeats x.
func TestBytes(t *testing.T) {
	testkit.Run(t, "testdata/[bv]*.txt", func(t *testing.T) func(*testkit.Command) string {
		return func(c *testkit.Command) string {
			switch c.Name {
			case "encode":
				step, _ := strconv.ParseInt(c.Arg("step", "60000"), 10, 64)
				values := parseValues(t, c.Input)
				b := roundTrip(t, values, step)
				return fmt.Sprintf("% x\n%d values, %d bytes", b, len(values), len(b))
			case "decode":
				n, _ := strconv.Atoi(c.Arg("n", "0"))
				var src []byte
				for _, f := range strings.Fields(c.Input) {
					b, err := strconv.ParseUint(f, 16, 8)
					if err != nil {
						t.Fatalf("%s: %v", c.Pos, err)
					}
					src = append(src, byte(b))
				}
				dst := make([]float64, n)
				rest, err := block.Decode(dst, src)
				if err != nil {
					return err.Error()
				}
				return fmt.Sprintf("%s rest %x", printValues(dst), rest)
			}
			t.Fatalf("%s: unknown command %q", c.Pos, c.Name)
			return ""
		}
	})
}

// printValues prints values as parseValues reads them.
func printValues(values []float64) string {
	var out []string
	for i := 0; i < len(values); {
		n := 1
		for i+n < len(values) && sameBits(values[i+n], values[i]) {
			n++
		}
		word := fmt.Sprint(values[i])
		if n > 1 {
			word += fmt.Sprintf("*%d", n)
		}
		out = append(out, word)
		i += n
	}
	return strings.Join(out, " ")
}

func parseValues(t *testing.T, text string) []float64 {
	var out []float64
	for _, word := range strings.Fields(text) {
		word, times, _ := strings.Cut(word, "*")
		n := 1
		if times != "" {
			n, _ = strconv.Atoi(times)
		}
		v := number(t, word)
		for range n {
			out = append(out, v)
		}
	}
	return out
}

func number(t *testing.T, word string) float64 {
	if word == "-0" {
		return math.Copysign(0, -1)
	}
	if a, b, ok := strings.Cut(word, "/"); ok {
		x, okX := new(big.Rat).SetString(a)
		y, okY := new(big.Rat).SetString(b)
		if !okX || !okY {
			t.Fatalf("bad quotient %q", word)
		}
		v, _ := new(big.Rat).Quo(x, y).Float64()
		return v
	}
	v, err := strconv.ParseFloat(word, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
