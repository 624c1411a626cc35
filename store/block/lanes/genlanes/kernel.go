package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// unrolled is how many groups a round of a loop has.
const unrolled = 4

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
		s += ", r *float64"
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
	r              reg.GPVirtual  // ratio
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
		one := GP64()
		MOVQ(operand.U64(math.Float64bits(1)), one)
		CMPQ(one, operand.Mem{Base: b.r, Disp: fieldMul})
		JE(operand.LabelRef("once"))
		b.mul = b.factor(fieldMul)
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

// Where the fields of a Ratio are.
const (
	fieldMul  = 8
	fieldInv  = 16
	fieldMore = 24
)

// factor returns a vector whose every lane is a field of the ratio.
func (b *body) factor(field int) reg.VecVirtual {
	v := b.m.vector()
	VPBROADCASTQ(operand.Mem{Base: b.r, Disp: field}, v)
	return v
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
		b.r = Load(Param("r"), GP64()).(reg.GPVirtual)
		b.inv, b.more = b.factor(fieldInv), b.factor(fieldMore)
	case shifted:
		b.zeros = everywhere(b.m, "zeros")
	}
	if b.meaning == shifted || b.meaning == nudged {
		b.noData = b.m.vector()
		VPBROADCASTQ(b.m.words().noData, b.noData)
	}
}

// loop writes the turns of whole groups, several to a round so that a processor
// foresees how many rounds there are, and of what is left over.
func (b *body) loop(name string) {
	CMPQ(b.groups, operand.U8(unrolled))
	JB(operand.LabelRef(name + "Few"))
	Label(name + "Loop")
	for i := range unrolled {
		b.turn(i, false)
	}
	b.step(unrolled)
	CMPQ(b.groups, operand.U8(unrolled))
	JAE(operand.LabelRef(name + "Loop"))
	Label(name + "Few")
	TESTQ(b.groups, b.groups)
	JZ(operand.LabelRef(name + "Rest"))
	Label(name + "One")
	b.turn(0, false)
	b.step(1)
	JNZ(operand.LabelRef(name + "One"))
	Label(name + "Rest")
	TESTQ(b.rest, b.rest)
	JZ(operand.LabelRef(name + "End"))
	b.m.tail(b.rest)
	b.turn(0, true)
	Label(name + "End")
}

// step moves on by some groups and sets the flags of how many are left.
func (b *body) step(groups int) {
	ADDQ(operand.I32(8*group*groups), b.dst)
	if b.source == array {
		ADDQ(operand.I32(8*group*groups), b.src)
	}
	SUBQ(operand.U8(groups), b.groups)
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

// turn handles the group numbered i of a round.
func (b *body) turn(i int, last bool) {
	for h := range group / b.m.lanes() {
		disp := 8 * (group*i + b.m.lanes()*h)
		at := operand.Mem{Base: b.dst, Disp: disp}
		x := b.m.vector()
		switch b.source {
		case packed:
			b.u.unpack(h, last, x)
		case inPlace:
			b.m.load(at, h, last, x)
		case array:
			b.m.load(operand.Mem{Base: b.src, Disp: disp}, h, last, x)
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
	if b.source == packed && !last {
		ADDQ(b.u.width, b.u.data)
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
