package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Where the fields of an Exceptions are, from Bit of its Packed on.
const (
	fieldPlaces    = 24
	fieldPlaceBits = 48
	fieldCount     = 56
)

// writePut writes a kernel that puts exceptions into dst, whose stores to eight
// places at once AVX2 has no match for.
func writePut(m *avx512, k kernel) {
	TEXT(k.name+m.suffix(), NOSPLIT, k.signature(m))
	Pragma("noescape")
	Doc(k.name + m.suffix() + " " + k.doc + ".")
	b := &body{kernel: &k, m: m, dst: Load(Param("dst"), GP64()).(reg.GPVirtual), times: true}
	x := Load(Param("bit"), GP64()).(reg.GPVirtual)
	b.constants()
	if k.meaning == ratio {
		b.mul = b.factor(fieldMul)
	}
	n := everywhere(m, "n")
	data, places, width, placeBits, left := GP64(), GP64(), GP64(), GP64(), GP64()
	MOVQ(operand.Mem{Base: x, Disp: fieldData}, data)
	MOVQ(operand.Mem{Base: x, Disp: fieldPlaces}, places)
	MOVQ(operand.Mem{Base: x, Disp: fieldWidth}, width)
	MOVQ(operand.Mem{Base: x, Disp: fieldPlaceBits}, placeBits)
	MOVQ(operand.Mem{Base: x, Disp: fieldCount}, left)
	b.u = unpacker{m: m, p: x, width: width, wide: true}
	b.u.mask = m.lowBitsOf(width)
	b.u.base = m.vector()
	VPBROADCASTQ(operand.Mem{Base: x, Disp: fieldBase}, b.u.base)
	zero := GP64()
	XORQ(zero, zero)
	b.u.half = []half{b.u.placesOf(operand.Mem{Base: data}, zero)}
	shift, placeMask := m.vector(), m.lowBitsOf(placeBits)
	VPBROADCASTQ(operand.Mem{Base: x, Disp: fieldPlaceBits}, shift)
	VPMULUDQ(m.words().numbers, shift, shift)

	Label("loop")
	some, most := GP64(), GP64()
	MOVQ(left, some)
	MOVQ(operand.U32(group), most)
	CMPQ(some, most)
	CMOVQHI(most, some)
	k8, kp := K(), K()
	mask := GP64()
	lowBits(some, mask)
	KMOVB(mask.As32(), k8)
	m.last = m.bytesOf(some, placeBits)
	at := m.vector()
	VMOVDQU8_Z(operand.Mem{Base: places}, m.last, at.AsX())
	VPBROADCASTQ(at.AsX(), at)
	VPSRLVQ(shift, at, at)
	VPANDQ(placeMask, at, at)
	VPCMPUQ(operand.U8(1), n, at, k8, kp)
	m.last = m.bytesOf(some, width)
	v := m.vector()
	b.u.unpack(0, true, v)
	to := operand.Mem{Base: b.dst, Index: at, Scale: 8}
	if k.meaning == ratio {
		VSCATTERQPD(b.divide(v), kp, to)
	} else {
		VPSCATTERQQ(v, kp, to)
	}
	ADDQ(width, data)
	ADDQ(placeBits, places)
	SUBQ(operand.U8(group), left)
	JHI(operand.LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// lowBitsOf returns a vector whose every lane has n bits set.
func (m *avx512) lowBitsOf(n reg.GPVirtual) reg.VecVirtual {
	mask := GP64()
	lowBits(n, mask)
	return m.spread(mask)
}

// bytesOf returns a mask of the bytes that some integers of width bits take.
func (m *avx512) bytesOf(some, width reg.GPVirtual) reg.OpmaskVirtual {
	bytes, mask, k := GP64(), GP64(), K()
	MOVQ(width, bytes)
	IMULQ(some, bytes)
	ADDQ(operand.U8(7), bytes)
	SHRQ(operand.U8(3), bytes)
	lowBits(bytes, mask)
	KMOVQ(mask, k)
	return k
}
