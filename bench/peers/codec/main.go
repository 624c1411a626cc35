// Command codec packs the same values with the blocks of this repository, with
// the XOR chunks of Prometheus and with the codec of VictoriaMetrics, and prints
// bytes and CPU time per value side by side, class by class and for the mix of
// bench/gen.
//
//	go run ./codec
//	go run ./codec -seed 0      another seed each time
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"
	"text/tabwriter"
	"time"

	"golang.org/x/sys/unix"

	"pulse/bench/gen"
	"pulse/bench/server"
)

const step = 60_000

type options struct {
	series, steps, rounds int
	seed                  uint64
	output                string
}

func main() {
	var o options
	flag.IntVar(&o.series, "series", 48, "series of a class")
	flag.IntVar(&o.steps, "steps", 4320, "values of a series, a multiple of 120 up to 8160")
	flag.IntVar(&o.rounds, "rounds", 5, "times that everything is packed and read; the fastest counts")
	flag.Uint64Var(&o.seed, "seed", 1, "of the values; 0: from the clock")
	flag.StringVar(&o.output, "o", "", "file for the report, beside standard output")
	flag.Parse()
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) >> 10
	}
	var wrong error
	if o.series < 1 || o.steps < blockSize || o.steps > 8160 || o.steps%blockSize != 0 || o.rounds < 1 {
		wrong = errors.New("series, steps or rounds out of range; see -help")
	}
	server.Main("codec", o.output, wrong, func(_ context.Context, out io.Writer) error { return run(o, out) })
}

// cost is what one codec made of some values.
type cost struct {
	values         int
	bytes          int
	encode, decode time.Duration
	altered        int // values that did not come back bit by bit
}

func run(o options, out io.Writer) error {
	runtime.LockOSThread() // its CPU time is what counts
	all := codecs(o.steps)
	classes := gen.Classes()
	costs := make([][]cost, len(classes))
	for i, class := range classes {
		values := make([][]float64, o.series)
		for j := range values {
			values[j] = class.Series(o.seed<<16+uint64(j), o.steps, step)
		}
		for _, c := range all {
			x, err := c.measure(values, o.rounds)
			if err != nil {
				return fmt.Errorf("%s, class %s: %w", c.name, class.Name, err)
			}
			if x.altered > 0 && !c.lossy {
				return fmt.Errorf("%s, class %s: %d values were altered", c.name, class.Name, x.altered)
			}
			costs[i] = append(costs[i], x)
		}
	}
	fmt.Fprintf(out, "%d series of %d values a class, step %d ms, seed %d\n", o.series, o.steps, step, o.seed)
	fmt.Fprintln(out, "The XOR chunks have a time per value, the others have not: their times follow from the block's. Absent")
	fmt.Fprintln(out, "values count as values of a block. To a block of VictoriaMetrics 8 bytes are added for what a header")
	fmt.Fprintln(out, "has of it, and its times where some are absent. Thread CPU time, the fastest round.")
	show := func(title string, decimals int, of func(c cost) float64) error {
		fmt.Fprintf(out, "\n%s\n", title)
		return table(out, all, classes, costs, decimals, of)
	}
	return errors.Join(
		show("bytes per value", 2, func(c cost) float64 { return float64(c.bytes) / float64(c.values) }),
		show("encode, ns per value", 1, func(c cost) float64 { return float64(c.encode) / float64(c.values) }),
		show("decode, ns per value", 2, func(c cost) float64 { return float64(c.decode) / float64(c.values) }),
		show("values that come back altered, %", 1, func(c cost) float64 { return 100 * float64(c.altered) / float64(c.values) }),
	)
}

// table prints a figure by class and codec, and last the mean over the mix.
func table(out io.Writer, all []codec, classes []gen.Class, costs [][]cost, decimals int, of func(c cost) float64) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "%-18s\tweight\t", "class")
	for _, c := range all {
		fmt.Fprintf(w, "%s\t", c.name)
	}
	fmt.Fprintln(w)
	mix, weights := make([]float64, len(all)), 0
	for i, class := range classes {
		weights += class.Weight
		fmt.Fprintf(w, "%-18s\t%d\t", class.Name, class.Weight)
		for j := range all {
			v := of(costs[i][j])
			mix[j] += v * float64(class.Weight)
			fmt.Fprintf(w, "%.*f\t", decimals, v)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%-18s\t%d\t", "mix", weights)
	for j := range all {
		fmt.Fprintf(w, "%.*f\t", decimals, mix[j]/float64(weights))
	}
	fmt.Fprintln(w)
	return w.Flush()
}

// measure packs all values in blocks and reads them again.
func (c *codec) measure(values [][]float64, rounds int) (cost, error) {
	var blocks [][]float64
	for _, v := range values {
		for i := 0; i < len(v); i += c.size {
			blocks = append(blocks, v[i:min(i+c.size, len(v))])
		}
	}
	x := cost{encode: math.MaxInt64, decode: math.MaxInt64}
	packed := make([][]byte, len(blocks))
	dst := make([]float64, c.size)
	for range rounds {
		x.values, x.bytes = 0, 0
		from, err := threadTime()
		if err != nil {
			return x, err
		}
		for i, b := range blocks {
			size := 0
			packed[i], size = c.encode(packed[i][:0], b)
			x.bytes += size
			x.values += len(b)
		}
		middle, _ := threadTime()
		for i, b := range blocks {
			if err := c.decode(dst[:len(b)], packed[i]); err != nil {
				return x, err
			}
		}
		end, _ := threadTime()
		x.encode, x.decode = min(x.encode, middle-from), min(x.decode, end-middle)
	}
	for i, b := range blocks {
		if err := c.decode(dst[:len(b)], packed[i]); err != nil {
			return x, err
		}
		for k, v := range b {
			if math.Float64bits(dst[k]) != math.Float64bits(v) && !(math.IsNaN(v) && math.IsNaN(dst[k])) {
				x.altered++
			}
		}
	}
	return x, nil
}

// threadTime returns the CPU time of this thread so far.
func threadTime() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err
}
