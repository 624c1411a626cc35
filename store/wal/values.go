package wal

import (
	"encoding/binary"
	"math"
	"slices"
)

// A column of values is a code of 4 bits for each, two to a byte, and then what
// the codes say in whole bytes, little endian. Telemetry is mostly integers
// divided by a constant, so a code names the constant and how many bytes the
// integer takes; the encoder has proved that the division gives the value back
// bit for bit. Code 0 is 0, the last one the 8 bytes of any double.
const (
	codeZero = 0
	codeTop  = 14
	codeRaw  = 15
	codes    = 16

	topShift = 24 // bits of a double that codeTop leaves out
)

// The transforms: value = i ÷ divisor · factor, each a rounding of its own, or
// the double with the bits i·2^shift.
const (
	byOne    = iota // whole numbers
	bySecond        // counts per second
	byCent          // two decimals
	byMilli         // three decimals
	byNano          // nanoseconds as seconds
	byTotal         // nanoseconds per second as seconds, as timers compute them
	byTop           // the upper bytes of the double, the others are 0
	byBits          // the double
	transforms

	hintNone = transforms // nothing is known of a place yet
)

// codeOf is the transform and the length in bytes of each code.
var codeOf = [codes]struct{ transform, bytes uint8 }{
	{byOne, 0},
	{byOne, 1}, {byOne, 2}, {byOne, 4},
	{bySecond, 1}, {bySecond, 2}, {bySecond, 3}, {bySecond, 5},
	{byCent, 2}, {byMilli, 3},
	{byNano, 4}, {byNano, 5},
	{byTotal, 4}, {byTotal, 5},
	{byTop, 5},
	{byBits, 8},
}

// widths are the bytes of codeOf.
var widths = [codes]uint8{0, 1, 2, 4, 1, 2, 3, 5, 2, 3, 4, 5, 4, 5, 5, 8}

// noCode is for an integer too large for its transform.
const noCode = 0xFF

// arithmetic is the numbers of a transform.
type arithmetic struct{ divisor, factor float64 }

func arithmetics(stepMs uint64) [transforms]arithmetic {
	seconds := float64(stepMs) / 1000
	return [transforms]arithmetic{
		byOne: {1, 1}, bySecond: {seconds, 1}, byCent: {100, 1}, byMilli: {1000, 1}, byNano: {1e9, 1}, byTotal: {seconds, 1e-9},
		byTop: {1, 1}, byBits: {1, 1},
	}
}

// lane is a transform as the encoder uses it.
type lane struct {
	arithmetic
	transform  uint8
	multiplier float64
	code       *codesByExponent
}

// scales are the transforms of values at one step.
type scales [transforms]lane

func makeScales(stepMs int64, codes *[transforms]codesByExponent) *scales {
	s := &scales{}
	for t, a := range arithmetics(uint64(stepMs)) {
		s[t] = lane{arithmetic: a, transform: uint8(t), multiplier: a.divisor / a.factor, code: &codes[t]}
	}
	return s
}

// codesByExponent are the shortest codes of a transform for integers by the
// exponent that they have as a double.
type codesByExponent [2048]uint8

func makeCodes() *[transforms]codesByExponent {
	out := &[transforms]codesByExponent{}
	for t := range out {
		for e := range out[t] {
			out[t][e] = noCode
		}
		out[t][0] = codeZero
	}
	for code, c := range codeOf {
		of := &out[c.transform]
		for e := 1023; e < 1023+8*int(c.bytes); e++ {
			of[e] = min(of[e], uint8(code)) // codes of a transform ascend by length
		}
	}
	return out
}

// try returns the integer of a v that is not 0, and its code when it gives v back.
func (l *lane) try(v float64) (i uint64, code uint8, ok bool) {
	b := math.Float64bits(v)
	if l.transform == byTop {
		return b >> topShift, codeTop, b<<(64-topShift) == 0
	}
	whole := float64(int64(float64(v*l.multiplier) + 0.5))
	code = l.code[math.Float64bits(whole)>>52&2047]
	return uint64(int64(whole)), code, math.Float64bits(float64(whole/l.divisor)*l.factor) == b && code != noCode
}

// choose returns the shortest code for v, the first of equals, and its hint.
func (s *scales) choose(v float64) (i uint64, code, hint uint8) {
	i, code, hint = math.Float64bits(v), codeRaw, byBits
	for t := range byBits {
		if j, c, ok := s[t].try(v); ok && widths[c&15] < widths[code&15] {
			i, code, hint = j, c, uint8(t)
			if widths[code&15] == 1 {
				break
			}
		}
	}
	return i, code, hint
}

// column is values as codes and integers, on their way to bytes.
type column struct {
	values   []float64
	codes    []uint8
	integers []uint64
	missed   []uint32 // scratch
}

// resize makes room for n values, whose contents are undefined.
func (c *column) resize(n int) {
	c.values = slices.Grow(c.values[:0], n)[:n]
	c.codes = slices.Grow(c.codes[:0], n)[:n]
	c.integers = slices.Grow(c.integers[:0], n)[:n]
}

// gather takes the values that order names.
func (c *column) gather(values []float64, order []uint32) {
	c.resize(len(order))
	out := c.values[:len(order)]
	for k, point := range order {
		out[k] = values[point]
	}
}

// spread takes the values of a template's places, where one has no point a 0.
func (c *column) spread(values []float64, order, where []uint32) {
	c.resize(len(order))
	out := c.values[:len(order)]
	for k, place := range order {
		point := where[place]
		if out[k] = 0; int(point) < len(values) {
			out[k] = values[point]
		}
	}
}

// encode finds codes and integers of the values, of which nothing is known.
func (c *column) encode(s *scales) {
	for k, v := range c.values {
		c.integers[k], c.codes[k] = 0, codeZero
		if math.Float64bits(v) != 0 {
			c.integers[k], c.codes[k], _ = s.choose(v)
		}
	}
}

// hints remember of each place of a template the transform that fitted last.
type hints struct {
	of      []uint8
	places  []uint32 // by transform
	ends    [transforms + 1]uint32
	changed int // of the places since they were put in order
	used    int // since then
}

func newHints(n int) hints {
	h := hints{of: slices.Repeat([]uint8{hintNone}, n), places: make([]uint32, n)}
	h.order()
	return h
}

func (h *hints) order() {
	var at [transforms + 2]uint32
	for _, t := range h.of {
		at[t+1]++
	}
	for t := range h.ends {
		at[t+1] += at[t]
		h.ends[t] = at[t+1]
	}
	for k, t := range h.of {
		h.places[at[t]] = uint32(k)
		at[t]++
	}
	h.changed, h.used = 0, 0
}

// due says whether enough places have changed for order to be worth its time.
func (h *hints) due() bool {
	h.used++
	return h.changed*16 > len(h.of) || h.changed > 0 && h.used >= 16
}

// placesOf returns the places of a transform.
func (h *hints) placesOf(t uint8) []uint32 {
	from := uint32(0)
	if t > 0 {
		from = h.ends[t-1]
	}
	return h.places[from:h.ends[t]]
}

func (h *hints) count(t uint8) int { return len(h.placesOf(t)) }

// forget lets the values of places with these transforms be looked at again.
func (h *hints) forget(list ...uint8) {
	for k, t := range h.of {
		if slices.Contains(list, t) {
			h.of[k] = hintNone
		}
	}
	h.order()
}

// encodeAs finds codes and integers of the values. Each is tried with the
// transform that fitted last time; they are gone through by transform, since
// neighbours differ and guessing wrong costs more than the arithmetic.
func (c *column) encodeAs(s *scales, h *hints) {
	n := len(h.of)
	c.missed = slices.Grow(c.missed[:0], n)[:n]
	missed, from := 0, uint32(0)
	for t := range uint8(byTop) {
		missed = c.encodeLane(&s[t], h.places[from:h.ends[t]], missed)
		from = h.ends[t]
	}
	values, codes, integers := c.values[:n], c.codes[:n], c.integers[:n]
	for _, k := range h.places[from:h.ends[byTop]] {
		b := math.Float64bits(values[k])
		codes[k], integers[k] = codeTop, b>>topShift
		if b<<(64-topShift) != 0 || b == 0 {
			c.missed[missed] = k
			missed++
		}
	}
	for _, k := range h.places[h.ends[byTop]:h.ends[byBits]] {
		b := math.Float64bits(values[k])
		codes[k], integers[k] = codeRaw, b
		if b == 0 {
			codes[k] = codeZero
		}
	}
	for _, k := range h.places[h.ends[byBits]:] {
		codes[k], integers[k] = codeZero, 0
		if math.Float64bits(values[k]) != 0 {
			c.missed[missed] = k
			missed++
		}
	}
	for _, k := range c.missed[:missed] {
		c.encodeAnew(s, h, k)
	}
}

// encodeLane is encodeAs for the places of one transform. It adds those whose
// value does not fit to the missed ones.
func (c *column) encodeLane(l *lane, places []uint32, missed int) int {
	n := len(c.values)
	values, codes, integers, list := c.values[:n], c.codes[:n], c.integers[:n], c.missed[:n]
	multiplier, divisor, factor, table := l.multiplier, l.divisor, l.factor, l.code
	for _, k := range places {
		v := values[k]
		i := int64(float64(v*multiplier) + 0.5)
		whole := float64(i)
		back := float64(whole/divisor) * factor
		code := table[math.Float64bits(whole)>>52&2047]
		codes[k], integers[k] = code, uint64(i)
		if math.Float64bits(back) != math.Float64bits(v) || code == noCode {
			list[missed] = k
			missed++
		}
	}
	return missed
}

// encodeAnew looks for a transform.
func (c *column) encodeAnew(s *scales, h *hints, k uint32) {
	c.codes[k], c.integers[k] = codeZero, 0
	if math.Float64bits(c.values[k]) == 0 {
		return // says nothing of the next
	}
	hint := h.of[k]
	c.integers[k], c.codes[k], h.of[k] = s.choose(c.values[k])
	if h.of[k] != hint {
		h.changed++
	}
}

// appendTo appends the part of a column as it is written.
func (c *column) appendTo(dst []byte, from, end uint32) []byte {
	codes, integers := c.codes[from:end], c.integers[from:end]
	start, pairs := len(dst), (len(codes)+1)/2
	dst = grow(dst, pairs+8*len(codes)+8)
	packed, data := dst[start:start+pairs], dst[start+pairs:]
	at := 0
	for k := range packed[:len(codes)/2] {
		c, i := codes[2*k:2*k+2:2*k+2], integers[2*k:2*k+2:2*k+2]
		low, high := c[0]&15, c[1]&15
		packed[k] = low | high<<4
		binary.LittleEndian.PutUint64(data[at:at+8:at+8], i[0])
		at += int(widths[low])
		binary.LittleEndian.PutUint64(data[at:at+8:at+8], i[1])
		at += int(widths[high])
	}
	if k := len(codes) - 1; k&1 == 0 {
		packed[k/2] = codes[k]
		binary.LittleEndian.PutUint64(data[at:], integers[k])
		at += int(widths[codes[k]&15])
	}
	return dst[:start+pairs+at]
}

// grow makes room for n more bytes and returns dst with them.
func grow(dst []byte, n int) []byte {
	if cap(dst)-len(dst) < n {
		return append(dst, make([]byte, n)...)
	}
	return dst[:len(dst)+n]
}
