package expr_test

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"pulse/query/expr"
)

func TestFormatDouble(t *testing.T) {
	f := func(v float64, want string) {
		t.Helper()
		if got := expr.FormatDouble(v); got != want {
			t.Errorf("%g: got %s, want %s", v, got, want)
		}
	}
	f(0, "0.0")
	f(math.Copysign(0, -1), "-0.0")
	f(42, "42.0")
	f(-1.5, "-1.5")
	f(0.001, "0.001")
	f(0.00099, "9.9E-4")
	f(9_999_999, "9999999.0")
	f(1e7, "1.0E7")
	f(-1.25e10, "-1.25E10")
	f(1e300, "1.0E300")
	tenth := 0.1
	f(tenth+2*tenth, "0.30000000000000004")
	f(nan, "NaN")
	f(math.Inf(1), "Infinity")
	f(math.Inf(-1), "-Infinity")
}

func TestNumbersThatMayBeAbsent(t *testing.T) {
	f := func(name string, op func(a, b float64) float64, a, b, want float64) {
		t.Helper()
		if got := op(a, b); !sameBits([]float64{got}, []float64{want}) {
			t.Errorf("%s(%v, %v) = %v, want %v", name, a, b, got, want)
		}
	}
	f("add", expr.AddNaN, 1, 2, 3)
	f("add", expr.AddNaN, nan, 2, 2)
	f("add", expr.AddNaN, 1, nan, 1)
	f("add", expr.AddNaN, nan, nan, nan)
	f("sub", expr.SubtractNaN, nan, 2, -2)
	f("sub", expr.SubtractNaN, 1, nan, 1)
	f("sub", expr.SubtractNaN, nan, nan, nan)
	f("max", expr.MaxNaN, nan, -1, -1)
	f("max", expr.MaxNaN, -1, nan, -1)
	f("min", expr.MinNaN, nan, 1, 1)
	f("min", expr.MinNaN, 2, 1, 1)
	f("div", expr.Divide, 0, 0, 0)
	f("div", expr.Divide, 1, 0, nan)
	f("div", expr.Divide, nan, 0, nan)
	for v, want := range map[float64]bool{0: false, 1e-13: false, -1e-13: false, 1e-12: true, -2: true} {
		if expr.Truth(v) != want || expr.IsNearlyZero(v) == want {
			t.Errorf("truth of %g is %v, nearly zero %v", v, !want, want)
		}
	}
	if expr.Truth(nan) || !expr.IsNearlyZero(nan) {
		t.Error("NaN counts for more than zero")
	}
}

func TestSummaryStats(t *testing.T) {
	s := expr.SummaryStats([]float64{nan, 3, -1, nan, 4, nan})
	if s.Count != 3 || s.Min != -1 || s.Max != 4 || s.Last != 4 || s.Total != 6 || s.Avg != 2 {
		t.Errorf("got %+v", s)
	}
	none := expr.SummaryStats([]float64{nan})
	for _, name := range []string{"avg", "max", "min", "last", "total"} {
		if v, ok := none.Get(name); !ok || !math.IsNaN(v) {
			t.Errorf("%s of nothing is %v", name, v)
		}
	}
	if v, ok := none.Get("count"); !ok || v != 0 {
		t.Errorf("count of nothing is %v", v)
	}
	if _, ok := none.Get("median"); ok {
		t.Error("there is a median")
	}
}

func TestConsolidate(t *testing.T) {
	f := func(cf expr.CF, gauge bool, multiple int, values, want []float64) {
		t.Helper()
		if got := expr.Consolidate(nil, values, cf, multiple, gauge); !sameBits(got, want) {
			t.Errorf("%s, gauge %v, of %v by %d: got %v, want %v", cf.Name(), gauge, values, multiple, got, want)
		}
		inPlace := append([]float64{}, values...)
		if got := expr.Consolidate(inPlace[:0], inPlace, cf, multiple, gauge); !sameBits(got, want) {
			t.Errorf("%s in place: got %v, want %v", cf.Name(), got, want)
		}
	}
	values := []float64{6, nan, 9, nan, nan, nan, 2}
	f(expr.CFAvg, false, 3, values, []float64{5, nan, 2.0 / 3})
	f(expr.CFAvg, true, 3, values, []float64{7.5, nan, 2})
	f(expr.CFSum, false, 3, values, []float64{15, nan, 2})
	f(expr.CFMin, true, 3, values, []float64{6, nan, 2})
	f(expr.CFMax, true, 3, values, []float64{9, nan, 2})
	f(expr.CFMax, true, 1, values, values)
	start, got, err := expr.ConsolidateAligned([]float64{1, 2, 3, 4, 5}, 40, 10, 30, expr.CFSum, false)
	if err != nil || start != 60 || !sameBits(got, []float64{6, 9}) {
		t.Errorf("aligned: %v from %d, %v", got, start, err)
	}
	if got := expr.ExpandStep(nil, []float64{1, nan}, 3); !sameBits(got, []float64{1, 1, 1, nan, nan, nan}) {
		t.Errorf("expanded: %v", got)
	}
}

// Each bucket holds the values from the bound before it up to its own. Just
// below a power of four the last few count one bucket higher.
func TestBuckets(t *testing.T) {
	bounds := expr.BucketBounds()
	if len(bounds) != expr.Buckets || bounds[expr.Buckets-1] != math.MaxInt64 {
		t.Fatalf("%d bounds", len(bounds))
	}
	f := func(v int64, want int) {
		t.Helper()
		if got := expr.BucketIndex(v); got != want {
			t.Errorf("bucket of %d is %d, want %d", v, got, want)
		}
	}
	for i := 5; i < len(bounds); i++ {
		if bounds[i] <= bounds[i-1] {
			t.Fatalf("bound %d does not ascend", i)
		}
		f(bounds[i-1], i)
		power := bounds[i]&(bounds[i]-1) == 0 && bits.TrailingZeros64(uint64(bounds[i]))%2 == 0
		if above := i + 1; power {
			f(bounds[i]-1, above)
		} else if i < len(bounds)-1 {
			f(bounds[i]-1, i)
		}
	}
	for v, want := range map[int64]int{math.MinInt64: 0, -1: 0, 0: 0, 1: 1, 3: 3, 4: 4, 87: 25, math.MaxInt64: 275} {
		f(v, want)
	}
	if expr.BucketTag(25, true) != "T0019" || expr.BucketTag(175, false) != "D00AF" {
		t.Error("tags of buckets")
	}
}

// A statistic by itself is that of all of them, to the last bit.
func TestStatistic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	from := []float64{math.NaN(), 0, math.Copysign(0, -1), 1.5, -2, math.Inf(1), math.Inf(-1), 1e300, 0.1}
	for range 5000 {
		values := make([]float64, r.IntN(6))
		for i := range values {
			values[i] = from[r.IntN(len(from))]
		}
		for _, name := range []string{"avg", "max", "min", "last", "count", "total"} {
			want, _ := expr.SummaryStats(values).Get(name)
			if got := expr.Statistic(name)(values); math.Float64bits(got) != math.Float64bits(want) && (got == got || want == want) {
				t.Fatalf("%s of %v: %v, want %v", name, values, got, want)
			}
		}
	}
	if expr.Statistic("most") != nil {
		t.Error("there is a statistic most")
	}
}
