package detect

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// maxTestValues bounds the values of one series of a rule test.
const maxTestValues = 1_000_000

// parseValues reads the values of a series, one per step, NaN where nothing is
// sent. Words are separated by blanks:
//
//	5         one value
//	5x3       5 and three more: 5 5 5 5
//	0+10x3    0 10 20 30
//	100-5x2   100 95 90
//	_         nothing is sent
//	_x3       three times nothing
//	stale     the series ends; the last word
func parseValues(text string) ([]float64, error) {
	var out []float64
	words := strings.Fields(text)
	for i, word := range words {
		if word == "stale" {
			if i+1 < len(words) {
				return nil, fmt.Errorf("values: stale is followed by %q, but a series ends with it", clip(words[i+1], 40))
			}
			break
		}
		from, step, n, err := parseWord(word)
		if err != nil {
			return nil, fmt.Errorf("values: %w", err)
		}
		if len(out)+n > maxTestValues {
			return nil, fmt.Errorf("values: more than %d", maxTestValues)
		}
		for k := range n {
			out = append(out, from+float64(float64(k)*step))
		}
	}
	return out, nil
}

// parseWord reads one word: n values from, from+step, ...
func parseWord(word string) (from, step float64, n int, err error) {
	bad := fmt.Errorf("%q is none of 5, 5x3, 0+10x3, 100-5x3, _, _x3, stale", clip(word, 40))
	body, times, repeated := strings.Cut(word, "x")
	more := 0
	if repeated {
		if more, err = strconv.Atoi(times); err != nil || more < 0 || more > maxTestValues {
			return 0, 0, 0, bad
		}
	}
	if body == "_" {
		if repeated {
			return math.NaN(), 0, more, nil
		}
		return math.NaN(), 0, 1, nil
	}
	// The sign of the step is the last one that is not part of a number: of its
	// beginning or its exponent.
	sign := -1
	for i := len(body) - 1; i > 0; i-- {
		if c := body[i]; (c == '+' || c == '-') && body[i-1] != 'e' && body[i-1] != 'E' {
			sign = i
			break
		}
	}
	first := body
	if sign > 0 {
		if !repeated {
			return 0, 0, 0, bad
		}
		first = body[:sign]
		if step, err = strconv.ParseFloat(body[sign:], 64); err != nil {
			return 0, 0, 0, bad
		}
	}
	if from, err = strconv.ParseFloat(first, 64); err != nil || math.IsNaN(from) || math.IsInf(from, 0) || math.IsInf(step, 0) || math.IsNaN(step) {
		return 0, 0, 0, bad
	}
	return from, step, more + 1, nil
}

// between is a range of numbers that a test wants.
type between struct {
	low, high float64
	text      string // as it was written; empty: anything
}

// has reports whether v is in it; nothing is in a range of numbers but numbers.
func (b *between) has(v float64) bool { return b.text == "" || v >= b.low && v <= b.high }

// parseBetween reads `5`, `5..10`, `..10` and `5..`.
func parseBetween(text string) (between, error) {
	b := between{low: math.Inf(-1), high: math.Inf(1), text: text}
	low, high, isRange := strings.Cut(text, "..")
	if !isRange {
		high = low
	}
	var err error
	read := func(text string, v *float64) {
		if text == "" && isRange || err != nil {
			return
		}
		*v, err = strconv.ParseFloat(strings.TrimSpace(text), 64)
	}
	read(low, &b.low)
	read(high, &b.high)
	if err != nil || math.IsNaN(b.low) || math.IsNaN(b.high) || b.low > b.high || text == ".." {
		return b, fmt.Errorf("%q is neither a number nor a range such as 5..10, ..10 and 5.. are", clip(text, 40))
	}
	return b, nil
}
