package lanes_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"pulse/store/block/lanes"
)

// input is what an operation takes.
type input struct {
	n       int
	p       lanes.Packed
	r       lanes.Ratio
	first   uint64
	zeros   uint
	v       float64
	before  []float64 // what dst holds
	values  []float64
	bitmap  []byte
	present int
	except  lanes.Exceptions
}

// operation is a function of a tier, and what it does to a value, told slowly.
type operation struct {
	name string
	run  func(t lanes.Tier, dst []float64, in *input)
	slow func(dst []float64, in *input)
}

func operations() []operation {
	return []operation{
		{"Ints", func(t lanes.Tier, dst []float64, in *input) { t.Ints(dst, &in.p) },
			each(func(_ float64, i int, in *input) float64 { return math.Float64frombits(integer(&in.p, i)) })},
		{"Values", func(t lanes.Tier, dst []float64, in *input) { t.Values(dst, &in.p, &in.r) },
			each(func(_ float64, i int, in *input) float64 { return value(integer(&in.p, i), in.r) })},
		{"ValuesOf", func(t lanes.Tier, dst []float64, in *input) { t.ValuesOf(dst, &in.r) },
			each(func(i float64, _ int, in *input) float64 { return value(math.Float64bits(i), in.r) })},
		{"AddValues", func(t lanes.Tier, dst []float64, in *input) { t.AddValues(dst, &in.p, &in.r) },
			each(func(a float64, i int, in *input) float64 { return sum(a, value(integer(&in.p, i), in.r)) })},
		{"Sums", func(t lanes.Tier, dst []float64, in *input) { t.Sums(dst, &in.p, in.first, &in.r) },
			func(dst []float64, in *input) {
				last := in.first
				for i := range dst {
					last += integer(&in.p, i)
					dst[i] = value(last, in.r)
				}
			}},
		{"SumsOf", func(t lanes.Tier, dst []float64, in *input) { t.SumsOf(dst, in.first, &in.r) },
			func(dst []float64, in *input) {
				last := in.first
				for i, d := range dst {
					last += math.Float64bits(d)
					dst[i] = value(last, in.r)
				}
			}},
		{"Doubles", func(t lanes.Tier, dst []float64, in *input) { t.Doubles(dst, &in.p, in.zeros) },
			each(func(_ float64, i int, in *input) float64 {
				return oneNaN(math.Float64frombits(integer(&in.p, i) << in.zeros))
			})},
		{"Nudge", func(t lanes.Tier, dst []float64, in *input) { t.Nudge(dst, &in.p) },
			each(func(a float64, i int, in *input) float64 {
				return oneNaN(math.Float64frombits(math.Float64bits(a) + integer(&in.p, i)))
			})},
		{"Put", func(t lanes.Tier, dst []float64, in *input) { t.Put(dst, &in.except, &in.r) },
			put(func(i uint64, in *input) float64 { return value(i, in.r) })},
		{"PutInts", func(t lanes.Tier, dst []float64, in *input) { t.PutInts(dst, &in.except) },
			put(func(i uint64, in *input) float64 { return math.Float64frombits(i) })},
		{"Add", func(t lanes.Tier, dst []float64, in *input) { t.Add(dst, in.values[:len(dst)]) },
			each(func(a float64, i int, in *input) float64 { return sum(a, in.values[i]) })},
		{"AddValuesOf", func(t lanes.Tier, dst []float64, in *input) { t.AddValuesOf(dst, in.values, &in.r) },
			each(func(a float64, i int, in *input) float64 { return sum(a, value(math.Float64bits(in.values[i]), in.r)) })},
		{"AddSame", func(t lanes.Tier, dst []float64, in *input) { t.AddSame(dst, in.v) },
			each(func(a float64, _ int, in *input) float64 { return sum(a, in.v) })},
		{"Fill", func(t lanes.Tier, dst []float64, in *input) { t.Fill(dst, in.v) },
			each(func(_ float64, _ int, in *input) float64 { return in.v })},
		{"Spread", func(t lanes.Tier, dst []float64, in *input) { t.Spread(dst, in.bitmap, in.present, in.v) },
			func(dst []float64, in *input) {
				next := 0
				for i := range dst {
					if dst[i] = in.v; in.bitmap[i/8]>>(i%8)&1 != 0 {
						dst[i] = in.before[next]
						next++
					}
				}
			}},
	}
}

func each(f func(a float64, i int, in *input) float64) func([]float64, *input) {
	return func(dst []float64, in *input) {
		for i, a := range dst {
			dst[i] = f(a, i, in)
		}
	}
}

func put(f func(i uint64, in *input) float64) func([]float64, *input) {
	return func(dst []float64, in *input) {
		x := &in.except
		places := lanes.Packed{Data: x.Places, Width: x.PlaceBits}
		for i := range int(x.Count) {
			if place := integer(&places, i); place < uint64(len(dst)) {
				dst[place] = f(integer(&x.Packed, i), in)
			}
		}
	}
}

// integer reads a packed integer byte by byte.
func integer(p *lanes.Packed, i int) uint64 {
	bit := p.Bit + uint(i)*p.Width
	var u uint64
	for k, x := range p.Data[bit/8 : (bit+p.Width+7)/8] {
		u |= uint64(x) << (8 * k)
	}
	return p.Base + u>>(bit%8)&(1<<p.Width-1)
}

func value(i uint64, r lanes.Ratio) float64 {
	q := float64(int64(i)) / r.Div
	return float64(q * r.Mul)
}

func sum(a, v float64) float64 {
	switch {
	case a != a:
		return v
	case v != v:
		return a
	}
	return a + v
}

func oneNaN(v float64) float64 {
	if v != v {
		return math.NaN()
	}
	return v
}

// maxLen is the longest input of the tests.
const maxLen = 256

var allRatios = ratios()

// ratios are those that blocks use, and some at the limit.
func ratios() (out []lanes.Ratio) {
	out = []lanes.Ratio{lanes.Over(1, 1)}
	for k, p := 0, 1.0; k <= 14; k, p = k+1, p*10 {
		out = append(out, lanes.Over(p, 1))
	}
	for _, s := range []float64{1, 2, 3, 5, 7, 10, 15, 30, 60, 300, 3600, 86_400, 86_400 * 399, 86_400*400 - 1, 86_400 * 400} {
		out = append(out, lanes.Over(s, 1), lanes.Over(s, 1e-9), lanes.Over(s, 1e-18),
			lanes.Over(s*1e3, 1), lanes.Over(s*1e9, 1))
	}
	return out
}

// draw makes an input for n values of a width, with room bytes behind the data.
func draw(rng *rand.Rand, n int, width uint, room int) *input {
	in := &input{n: n, first: rng.Uint64() >> rng.UintN(64), zeros: rng.UintN(64), v: odd(rng)}
	for in.v != in.v {
		in.v = odd(rng)
	}
	bit := rng.UintN(40)
	data := make([]byte, int(bit+uint(n)*width+7)/8+room)
	pattern := rng.IntN(4)
	for i := range data {
		data[i] = []byte{byte(rng.Uint32()), 0, 0xff, byte(i) * 37}[pattern]
	}
	in.p = lanes.Packed{Data: data, Bit: bit, Width: width, Base: rng.Uint64() >> rng.UintN(64)}
	switch rng.IntN(4) {
	case 0:
		in.p.Base, in.first = -in.p.Base, -in.first
	case 1:
		in.p.Base = 0
	}
	in.except = drawExceptions(rng, width, room)
	in.r = allRatios[rng.IntN(len(allRatios))]
	in.before, in.values = make([]float64, n), make([]float64, n)
	in.bitmap = make([]byte, (n+7)/8)
	marks := rng.IntN(4)
	for i := range n {
		in.before[i], in.values[i] = odd(rng), odd(rng)
		if rng.IntN(3) < marks {
			in.bitmap[i/8] |= 1 << (i % 8)
			in.present++
		}
	}
	return in
}

// drawExceptions makes exceptions of a width, with room bytes behind them and
// their places; these may be the same, and beyond any row.
func drawExceptions(rng *rand.Rand, width uint, room int) lanes.Exceptions {
	x := lanes.Exceptions{PlaceBits: rng.UintN(9), Count: 1 + rng.UintN(1+rng.UintN(40))}
	x.Places = make([]byte, int(x.Count*x.PlaceBits+7)/8+room)
	x.Packed = lanes.Packed{Data: make([]byte, int(x.Count*width+7)/8+room), Width: width, Base: rng.Uint64() >> rng.UintN(64)}
	for _, bytes := range [][]byte{x.Places, x.Data} {
		for i := range bytes {
			bytes[i] = byte(rng.Uint32())
		}
	}
	return x
}

// odd returns doubles of every kind.
func odd(rng *rand.Rand) float64 {
	switch rng.IntN(6) {
	case 0:
		return math.NaN()
	case 1:
		return math.Inf(1 - 2*rng.IntN(2))
	case 2:
		return math.Copysign(0, float64(1-2*rng.IntN(2)))
	case 3:
		return oneNaN(math.Float64frombits(rng.Uint64()))
	}
	return float64(rng.IntN(2000)-1000) / 60
}

// compare runs an operation with every tier of this machine, and its slow twin.
func compare(t *testing.T, op *operation, in *input) {
	t.Helper()
	want := append([]float64(nil), in.before[:in.n]...)
	op.slow(want, in)
	got := make([]float64, in.n)
	for _, tier := range lanes.Tiers() {
		copy(got, in.before)
		op.run(tier, got, in)
		check(t, tier, op, in, got, want)
	}
}

func check(t *testing.T, tier lanes.Tier, op *operation, in *input, got, want []float64) {
	t.Helper()
	for i := range want {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
			t.Fatalf("%s with %v, %d values of %d bits from bit %d above %#x, first %#x, %v, %d zeros:\nvalue %d is %v (%#x), want %v (%#x), was %v", op.name, tier, in.n, in.p.Width,
				in.p.Bit, in.p.Base, in.first, in.r, in.zeros, i, got[i], math.Float64bits(got[i]), want[i], math.Float64bits(want[i]), in.before[i])
		}
	}
}

// TestTiers: every width and length gives what the slow twin gives, bit for bit,
// with every tier of this machine.
func TestTiers(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, op := range operations() {
		t.Run(op.name, func(t *testing.T) {
			for n := 0; n <= maxLen; n++ {
				for width := uint(0); width <= lanes.MaxWidth; width++ {
					if testing.Short() && (n+int(width))%7 != 0 {
						continue
					}
					compare(t, &op, draw(rng, n, width, rng.IntN(2)*rng.IntN(100)))
				}
			}
		})
	}
}

// near packs eight integers around z.
func near(z int64) lanes.Packed {
	return lanes.Packed{Data: []byte{0b10001000, 0b11000110, 0b11111010}, Width: 3, Base: uint64(z - 4)}
}

// hard appends numerators whose quotients by div lie as near to the middle of
// two doubles as any: z·2^x = m·d ± 1 with d the odd part of div and an odd m of
// 54 bits.
func hard(rng *rand.Rand, out []int64, div uint64) []int64 {
	d := div >> bits.TrailingZeros64(div)
	inverse := uint64(1) // of d modulo 2^64
	for range 6 {
		inverse *= 2 - d*inverse
	}
	for x := bits.Len64(d); x <= bits.Len64(d)+2; x++ {
		for _, above := range []bool{false, true} { // m·d = 1 or -1 modulo 2^x
			m := inverse
			if above {
				m = -inverse
			}
			m = m&(1<<x-1) | rng.Uint64()<<x&(1<<53-1) | 1<<53
			high, low := bits.Mul64(m, d)
			z := int64(high<<(64-x) | low>>x)
			if above {
				z++
			}
			if z < 1<<53 {
				out = append(out, z, -z)
			}
		}
	}
	return out
}

func TestDivision(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	values, valuesOf := operations()[1], operations()[2]
	rounds := 60
	if testing.Short() {
		rounds = 6
	}
	for _, r := range allRatios {
		for range rounds {
			var ints []int64
			for i := uint(0); i <= 56; i++ {
				z := rng.Int64() >> (63 - i)
				ints = append(ints, z, -z)
				near := int64(math.Round(float64(rng.Uint64()>>11>>i) * r.Div)) // a product, or beside one
				if near < 1<<56 {
					ints = append(ints, near-1, near, near+1)
				}
			}
			ints = hard(rng, ints, uint64(r.Div))
			in := &input{n: len(ints), r: r, before: make([]float64, len(ints))}
			for i, z := range ints {
				in.before[i] = math.Float64frombits(uint64(z))
			}
			compare(t, &valuesOf, in)
			for ; len(ints) > 8; ints = ints[8:] { // of integers near each other
				in := &input{n: 8, p: near(ints[0]), r: r, before: make([]float64, 8)}
				compare(t, &values, in)
			}
		}
	}
}

func TestChoose(t *testing.T) {
	widest := lanes.Tiers()[len(lanes.Tiers())-1]
	for name, want := range map[string]lanes.Tier{"off": lanes.Plain, "avx2": min(lanes.AVX2, widest), "avx512": widest, "": widest, "sse": widest} {
		if got := lanes.Choose(name); got != want {
			t.Errorf("Choose(%q) = %v, want %v", name, got, want)
		}
	}
	for _, tier := range lanes.Tiers() {
		if lanes.Choose(tier.String()) != tier {
			t.Errorf("Choose(%q) = %v", tier.String(), lanes.Choose(tier.String()))
		}
	}
}

// TestTooShort: integers that are not in the data are refused, whatever the
// numbers.
func TestTooShort(t *testing.T) {
	for _, p := range []lanes.Packed{
		{Data: make([]byte, 9, 1000), Width: 5},
		{Data: make([]byte, 1000), Width: 58},
		{Data: make([]byte, 10), Bit: 1, Width: 5},
		{Data: make([]byte, 10), Bit: 81},
		{Data: make([]byte, 10), Bit: math.MaxUint - 79, Width: 5},
		{Width: 1},
	} {
		for _, tier := range lanes.Tiers() {
			for _, op := range operations() {
				if op.name != "Ints" && op.name != "Values" && op.name != "AddValues" && op.name != "Sums" && op.name != "Doubles" && op.name != "Nudge" {
					continue
				}
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("%s with %v of %d bits from bit %d of %d bytes was let through", op.name, tier, p.Width, p.Bit, len(p.Data))
						}
					}()
					op.run(tier, make([]float64, 16), &input{p: p, r: lanes.Over(1, 1)})
				}()
			}
		}
	}
}

// TestExceptionsTooShort: exceptions that are not all there are refused.
func TestExceptionsTooShort(t *testing.T) {
	whole := lanes.Exceptions{Packed: lanes.Packed{Data: make([]byte, 5), Width: 4}, Places: make([]byte, 9), PlaceBits: 7, Count: 10}
	for i, change := range []func(x *lanes.Exceptions){
		func(x *lanes.Exceptions) { x.Count = 0 },
		func(x *lanes.Exceptions) { x.Count = 11 },
		func(x *lanes.Exceptions) { x.Bit = 1 },
		func(x *lanes.Exceptions) { x.Width = 5 },
		func(x *lanes.Exceptions) { x.PlaceBits = 9 },
		func(x *lanes.Exceptions) { x.Places = x.Places[:8] },
	} {
		for _, tier := range lanes.Tiers() {
			x, in := whole, lanes.Over(1, 1)
			tier.PutInts(make([]float64, 16), &x)
			change(&x)
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("change %d was let through with %v", i, tier)
					}
				}()
				tier.Put(make([]float64, 16), &x, &in)
			}()
		}
	}
}

// TestNothingIsAllocated: what a kernel is given may live on the stack.
func TestNothingIsAllocated(t *testing.T) {
	for _, tier := range lanes.Tiers() {
		n := testing.AllocsPerRun(100, func() {
			var dst, acc [120]float64
			sixtieths := lanes.Over(60, 1)
			var data [200]byte
			p := &lanes.Packed{Data: data[:], Width: 13}
			tier.Ints(dst[:], p)
			tier.Values(dst[:], p, &sixtieths)
			tier.AddValues(acc[:], p, &sixtieths)
			tier.Sums(dst[:], p, 1, &sixtieths)
			tier.Doubles(dst[:], p, 1)
			tier.Nudge(dst[:], p)
			x := &lanes.Exceptions{Packed: *p, Places: data[:], PlaceBits: 7, Count: 9}
			tier.Put(dst[:], x, &sixtieths)
			tier.PutInts(dst[:], x)
			tier.Add(acc[:], dst[:])
			tier.AddSame(acc[:], 1)
			tier.Spread(acc[:], data[:15], 0, 1)
			tier.Fill(acc[:], 1)
		})
		if n != 0 {
			t.Errorf("%v: %v allocations", tier, n)
		}
	}
}

func FuzzTiers(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint16(120), uint8(7), []byte("abc"))
	f.Add(uint64(3), uint64(4), uint16(255), uint8(57), []byte{0xff})
	f.Fuzz(func(t *testing.T, a, b uint64, n uint16, width uint8, data []byte) {
		in := draw(rand.New(rand.NewPCG(a, b)), int(n)%(maxLen+1), uint(width)%(lanes.MaxWidth+1), int(a%100))
		copy(in.p.Data, data)
		for len(data) >= 8 && len(data) <= 8*in.n {
			in.before[len(data)/8-1] = oneNaN(math.Float64frombits(binary.LittleEndian.Uint64(data)))
			data = data[8:]
		}
		for _, op := range operations() {
			compare(t, &op, in)
		}
	})
}

func cpuTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkTiers(b *testing.B) {
	rng := rand.New(rand.NewPCG(5, 6))
	const n = 120
	for _, op := range operations() {
		for _, width := range []uint{3, 7, 14, 20, 33, 45} {
			in := draw(rng, n, width, 64)
			in.p.Bit, in.r, in.zeros = 0, lanes.Over(60, 1), 3
			for i := range n {
				in.before[i], in.values[i] = float64(i), float64(i)
			}
			name := fmt.Sprintf("op=%s/width=%d", op.name, width)
			if in.p.Data == nil {
				continue
			}
			for _, tier := range lanes.Tiers() {
				b.Run(name+"/tier="+tier.String(), func(b *testing.B) {
					var dst [n]float64
					copy(dst[:], in.before)
					start := cpuTime(b)
					for b.Loop() {
						op.run(tier, dst[:], in)
					}
					b.ReportMetric(float64(cpuTime(b)-start)/float64(b.N*n), "cpu-ns/value")
				})
			}
		}
	}
}
