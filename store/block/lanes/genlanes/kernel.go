package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type source int

const (
	packed     source = iota // integers of one width
	inPlace                  // what dst holds
	array                    // doubles or what is in their bits
	constant                 // one double
	exceptions               // integers of one width, and their places
)

type meaning int

const (
	same    meaning = iota
	ratio           // the double i / div * mul
	shifted         // the double whose bits are i << zeros, NaN the one NaN
	nudged          // the double of dst whose bits get i added, NaN the one NaN
)

// kernel is what one function does: n doubles of dst are set, or added to.
type kernel struct {
	name    string
	doc     string
	source  source
	running bool // integers are differences, carry the integer before
	meaning meaning
	add     bool // to dst, in which NaN means nothing yet
}

func kernels() []kernel {
	return []kernel{
		{name: "ints", doc: "puts integers into the bits of dst", source: packed},
		{name: "values", doc: "puts the values of integers into dst", source: packed, meaning: ratio},
		{name: "addValues", doc: "adds the values of integers to dst", source: packed, meaning: ratio, add: true},
		{name: "sums", doc: "puts the values of running sums of integers into dst", source: packed, running: true, meaning: ratio},
		{name: "valuesOf", doc: "is values for integers in the bits of dst", source: inPlace, meaning: ratio},
		{name: "sumsOf", doc: "is sums for integers in the bits of dst", source: inPlace, running: true, meaning: ratio},
		{name: "doubles", doc: "puts the doubles whose bits are shifted integers into dst", source: packed, meaning: shifted},
		{name: "nudge", doc: "adds integers to the bits of dst", source: packed, meaning: nudged},
		{name: "add", doc: "adds values to dst, in both of which NaN means nothing", source: array, add: true},
		{name: "addValuesOf", doc: "is addValues for integers in the bits of src", source: array, meaning: ratio, add: true},
		{name: "addSame", doc: "adds v to dst", source: constant, add: true},
		{name: "fill", doc: "sets dst to v", source: constant},
	}
}

// puts are the kernels that writePut writes.
func puts() []kernel {
	return []kernel{
		{name: "putInts", doc: "puts exceptions into the bits of dst", source: exceptions},
		{name: "put", doc: "puts the values of exceptions into dst", source: exceptions, meaning: ratio},
	}
}

func (k *kernel) signature(m machine) string {
	s := "func(dst *float64, n int"
	switch k.source {
	case packed, exceptions:
		s += ", bit *uint"
		if k.direct() {
			s += ", off float64"
		}
	case array:
		s += ", src *float64"
	case constant:
		s += ", v float64"
	}
	if k.running {
		s += ", carry uint64"
	}
	switch k.meaning {
	case ratio:
		s += ", div, inv, mul float64"
	case shifted:
		s += ", zeros uint64"
	}
	s += ")"
	if k.running {
		s += " uint64"
	}
	return s
}

// direct reports whether the bits of an integer become a double without being an
// integer in between: they are put below the exponent of 2^52, and off, which is
// 2^52 less the base, is taken from that. It takes no rounding where both are no
// more than 2^53.
func (k *kernel) direct() bool { return k.source == packed && k.meaning == ratio && !k.running }

// address returns where a parameter is.
func address(name string) operand.Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// everywhere returns a vector whose every lane is a parameter.
func everywhere(m machine, name string) reg.VecVirtual {
	v := m.vector()
	VPBROADCASTQ(address(name), v)
	return v
}

// body is a kernel while it is written for a machine.
type body struct {
	*kernel
	m              machine
	dst, src       reg.GPVirtual
	groups, rest   reg.GPVirtual
	u              unpacker
	value          reg.VecVirtual // constant
	carry          reg.VecVirtual
	inv, more, mul reg.VecVirtual // more: what inv is less than 1/div
	times          bool           // mul is not 1
	zeros          reg.VecVirtual
	noData         reg.VecVirtual
}

func (k *kernel) write(m machine) {
	TEXT(k.name+m.suffix(), NOSPLIT, k.signature(m))
	Pragma("noescape")
	Doc(k.name + m.suffix() + " " + k.doc + ".")
	b := &body{kernel: k, m: m}
	b.dst = Load(Param("dst"), GP64()).(reg.GPVirtual)
	b.rest = Load(Param("n"), GP64()).(reg.GPVirtual)
	b.groups = GP64()
	MOVQ(b.rest, b.groups)
	SHRQ(operand.U8(3), b.groups)
	ANDQ(operand.U8(group-1), b.rest)
	if k.source == packed {
		b.u.begin(m, k.direct(), b.rest)
	}
	b.constants()
	if k.meaning == ratio {
		b.times = true
		b.loops("times")
		Label("once") // mul is 1
		b.times = false
	}
	b.loops("")
}

// loops writes the loops of a kernel and its end; in those of times, products are
// multiplied.
func (b *body) loops(times string) {
	if times != "" {
		one, mul := GP64(), GP64()
		MOVQ(operand.U64(math.Float64bits(1)), one)
		MOVQ(address("mul"), mul)
		CMPQ(one, mul)
		JE(operand.LabelRef("once"))
		b.mul = everywhere(b.m, "mul")
	}
	if b.source != packed {
		b.loop(times)
		b.end()
		return
	}
	CMPQ(b.u.width, operand.U8(maxNarrow))
	JA(operand.LabelRef(times + "wide"))
	b.u.places(false)
	b.loop(times + "narrow")
	b.end()
	Label(times + "wide")
	b.u.places(true)
	b.loop(times + "wide")
	b.end()
}

func (b *body) constants() {
	switch b.source {
	case array:
		b.src = Load(Param("src"), GP64()).(reg.GPVirtual)
	case constant:
		b.value = everywhere(b.m, "v")
	}
	if b.running {
		b.carry = everywhere(b.m, "carry")
	}
	switch b.meaning {
	case ratio:
		b.inv, b.more = everywhere(b.m, "inv"), b.m.vector()
		div := everywhere(b.m, "div")
		VPBROADCASTQ(b.m.words().one, b.more)
		VFNMADD231PD(div, b.inv, b.more)
		VMULPD(b.inv, b.more, b.more)
	case shifted:
		b.zeros = everywhere(b.m, "zeros")
	}
	if b.meaning == shifted || b.meaning == nudged {
		b.noData = b.m.vector()
		VPBROADCASTQ(b.m.words().noData, b.noData)
	}
}

// loop writes the turns of whole groups and of what is left over.
func (b *body) loop(name string) {
	TESTQ(b.groups, b.groups)
	JZ(operand.LabelRef(name + "Rest"))
	Label(name + "Loop")
	b.turn(false)
	ADDQ(operand.U8(8*group), b.dst)
	switch b.source {
	case packed:
		ADDQ(b.u.width, b.u.data)
	case array:
		ADDQ(operand.U8(8*group), b.src)
	}
	DECQ(b.groups)
	JNZ(operand.LabelRef(name + "Loop"))
	Label(name + "Rest")
	TESTQ(b.rest, b.rest)
	JZ(operand.LabelRef(name + "End"))
	b.m.tail(b.rest)
	b.turn(true)
	Label(name + "End")
}

func (b *body) end() {
	if b.running {
		out := GP64()
		VMOVQ(b.carry.AsX(), out)
		Store(out, ReturnIndex(0))
	}
	VZEROUPPER()
	RET()
}

// turn handles a group.
func (b *body) turn(last bool) {
	for h := range group / b.m.lanes() {
		at := operand.Mem{Base: b.dst, Disp: 8 * b.m.lanes() * h}
		x := b.m.vector()
		switch b.source {
		case packed:
			b.u.unpack(h, last, x)
		case inPlace:
			b.m.load(at, h, last, x)
		case array:
			b.m.load(operand.Mem{Base: b.src, Disp: 8 * b.m.lanes() * h}, h, last, x)
		case constant:
			x = b.value
		}
		if b.running {
			b.runOn(x)
		}
		switch b.meaning {
		case ratio:
			x = b.divide(x)
		case shifted:
			VPSLLVQ(b.zeros, x, x)
			b.m.whereNaN(x, b.noData, x, x)
		case nudged:
			old := b.m.vector()
			b.m.load(at, h, last, old)
			VPADDQ(old, x, x)
			b.m.whereNaN(x, b.noData, x, x)
		}
		if b.add {
			x = b.sum(x, at, h, last)
		}
		b.m.store(x, at, h, last)
	}
}

// runOn replaces x by its running sums and carry by the last of them. What x
// adds to carry is known before carry is.
func (b *body) runOn(x reg.VecVirtual) {
	t := b.m.vector()
	for n := 1; n < b.m.lanes(); n *= 2 {
		b.m.up(n, x, t)
		VPADDQ(t, x, x)
	}
	b.m.highest(x, t)
	VPADDQ(b.carry, x, x)
	VPADDQ(t, b.carry, b.carry)
}

// divide returns i / div * mul, of an integer or its double, as Ratio tells.
func (b *body) divide(x reg.VecVirtual) reg.VecVirtual {
	q := b.m.vector()
	if !b.direct() {
		b.m.toDouble(x, x)
	}
	VMULPD(b.more, x, q)
	VFMADD231PD(b.inv, x, q)
	if b.times {
		VMULPD(b.mul, q, q)
	}
	return q
}

func (b *body) sum(x reg.VecVirtual, at operand.Mem, h int, last bool) reg.VecVirtual {
	old, s := b.m.vector(), b.m.vector()
	b.m.load(at, h, last, old)
	VADDPD(x, old, s)
	if b.source == array && b.meaning == same {
		b.m.whereNaN(x, old, s, s)
	}
	b.m.whereNaN(old, x, s, s)
	return s
}
