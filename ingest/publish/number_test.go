package publish_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"pulse/ingest/publish"
)

// TestNumbers reads values in every form that a sender may print and compares
// all bits with the standard library.
func TestNumbers(t *testing.T) {
	var b publish.Batch
	f := func(text string) {
		t.Helper()
		if err := publish.Decode(&b, fmt.Appendf(nil, `[{"tags":{"name":"a"},"timestamp":1,"value":%s}]`, text), publish.Limits{}); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		want, _ := strconv.ParseFloat(text, 64)
		if math.Float64bits(b.Values[0]) != math.Float64bits(want) {
			t.Errorf("%s: read as %x, want %x", text, b.Values[0], want)
		}
	}
	for _, text := range []string{
		"0", "-0", "0.0", "-0.000", "0e5", "0.0e-400", "1e22", "1e23", "1E-22", "1e-23", "9e999", "-9e999", "1e-999", "1e99999999999999999999",
		"9007199254740991", "9007199254740992", "9007199254740993", "9007199254740995", "9223372036854775807", "9223372036854775809",
		"9999999999999999999", "18446744073709551615", "18446744073709551616", "99999999999999999999999",
		"4503599627370496.5", "4503599627370497.5", "4503599627370497.49999", "4503599627370497.500000000000001",
		"0.1", "0.3", "0.1234567890123456789", "0.12345678901234567890", "0.0000000000000000001", "0.9999999999999999999", "0.00000000000000000000000001",
		"1.7976931348623157e308", "1.7976931348623159e308", "2.2250738585072014e-308", "4.9e-324", "2e-324", "123456.0E-3", "1.0E10", "12345678.12345678",
	} {
		f(text)
	}
	r := rand.New(rand.NewPCG(1, 2))
	digits := func(n int) string {
		text := make([]byte, n)
		for i := range text {
			text[i] = byte('0' + r.IntN(10))
		}
		return string(text)
	}
	for range 20_000 {
		v := math.Float64frombits(r.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		small := math.Ldexp(v/math.Pow(2, math.Floor(math.Log2(math.Abs(v)))), r.IntN(100)-50)
		f(strconv.FormatFloat(v, 'g', -1, 64))
		f(strconv.FormatFloat(small, 'f', -1, 64))
		f(strconv.FormatFloat(small, 'e', r.IntN(20), 64))
		f(strconv.FormatFloat(small, 'f', r.IntN(20), 64))
		f(fmt.Sprintf("%d.%s", r.Uint64()>>r.IntN(64), digits(1+r.IntN(25))))
		f(fmt.Sprintf("0.%s", digits(1+r.IntN(25))))
		f(fmt.Sprintf("%d.%sE%d", r.IntN(1000), digits(1+r.IntN(18)), r.IntN(60)-30))
	}
}
