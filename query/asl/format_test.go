package asl_test

import (
	"errors"
	"strings"
	"testing"

	"pulse/query/asl"
)

func TestFormat(t *testing.T) {
	f := func(pattern, args, want string) {
		t.Helper()
		got, err := asl.Format(pattern, strings.Fields(args))
		if err != nil || got != want {
			t.Errorf("%s of %s: got %q, %v, want %q", pattern, args, got, err, want)
		}
	}
	f("100%% of %s", "cpu", "100% of cpu")
	f("%d|%5d|%-5d|%05d|%+d|% d", "7 7 7 7 7 7", "7|    7|7    |00007|+7| 7")
	f("%d|%05d|%-05d|%+ d", "-7 -7 -7 7", "-7|-0007|-7   |+7")
	f("%u %x %X", "-1 255 255", "18446744073709551615 ff FF")
	f("%5.2s|%-5.9s|", "abc abc", "   ab|abc  |")
	// A conversion without a number takes what follows the highest taken.
	f("%s %2$s %s", "a b c", "a b c")
	f("%2$s %s", "a b c", "b c")
	f("%s %s %1$s %s", "a b c", "a b a c")
	// Half goes to the even digit, and nothing stands behind the shortest digits.
	f("%.2f %.2f %.0f %.0f %.2f", "0.125 0.375 0.5 1.5 1.005", "0.12 0.38 0 2 1.00")
	f("%f %.0f %.20f", "3.14159 3.7 0.1", "3.141590 4 0.10000000000000000000")
	f("%f", "1e23", "100000000000000000000000.000000")
	f("%.2f %+.1f %08.3f", "-0.0 -0.04 -3.14159", "0.00 -0.0 -003.142")
	f("%f %+f %05f", "NaN NaN NaN", "NaN +NaN 00NaN")
	f("%5.1f|%.1f|%05.1f", "Infinity -Infinity -Infinity", "    ∞|-∞|-000∞")
}

func TestFormatErrors(t *testing.T) {
	for _, c := range []struct{ pattern, args, contains string }{
		{"%s %s", "a", "needs argument 2 of 1"},
		{"%3$s", "a b", "needs argument 3 of 2"},
		{"%0$s", "a", "counted from 1"},
		{"%d", "x", "'x' is not an integer"},
		{"%f", "x", "'x' is not a number"},
		{"%z", "x", "'%z': unknown type"},
		{"%", "x", "the type is missing"},
		{"%.f", "1", "a precision is missing"},
		{"%.2d", "1", "an integer has no precision"},
		{"%0s", "x", "for numbers"},
		{"%257s", "x", "limited to 256"},
		{"%.257s", "x", "limited to 256"},
		{"%.33f", "1", "limited to 32"},
		{"%5%", "", "%% takes nothing between"},
	} {
		_, err := asl.Format(c.pattern, strings.Fields(c.args))
		var e *asl.Error
		if !errors.As(err, &e) || e.Kind != asl.Argument || !strings.Contains(e.Message, c.contains) {
			t.Errorf("%s of %s: got %v, want %s", c.pattern, c.args, err, c.contains)
		}
	}
}
