package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// group is how many values a turn of a loop handles.
const group = 8

// machine is an instruction set with vectors of lanes() doubles, group/lanes()
// of which make a group. A method that writes a register takes it last.
type machine interface {
	suffix() string
	lanes() int
	vector() reg.VecVirtual
	// spread returns a vector whose every lane is x.
	spread(x reg.GPVirtual) reg.VecVirtual
	// limit prepares loadBytes for integers of width bits from bit on, of which the
	// last group has rest.
	limit(bit, width, rest reg.GPVirtual)
	// tail prepares for the last group, of rest values, 1 to 7.
	tail(rest reg.GPVirtual)
	// loadBytes loads a vector of bytes, in the last group no more than it has.
	loadBytes(m operand.Mem, last bool, dst reg.VecVirtual)
	words() *data
	// load and store move the vector numbered h of a group.
	load(m operand.Mem, h int, last bool, dst reg.VecVirtual)
	store(src reg.VecVirtual, m operand.Mem, h int, last bool)
	and(a, b, dst reg.VecVirtual)
	or(a, b, dst reg.VecVirtual)
	// above52 makes 2^52 + i of the integers i below a mask.
	above52(mask, dst reg.VecVirtual)
	toDouble(x, dst reg.VecVirtual)
	// whereNaN puts a where x is NaN and b elsewhere.
	whereNaN(x, a, b, dst reg.VecVirtual)
	// up moves lanes up by n and puts zeros below.
	up(n int, x, dst reg.VecVirtual)
	// highest puts the highest lane everywhere.
	highest(x, dst reg.VecVirtual)
}

// avx512 needs the sets F, BW, DQ and VL, and BMI2. Its masked loads touch only the bytes
// that they are told of.
type avx512 struct {
	*data
	whole, last, rest reg.OpmaskVirtual
}

func (*avx512) suffix() string         { return "512" }
func (m *avx512) words() *data         { return m.data }
func (*avx512) lanes() int             { return 8 }
func (*avx512) vector() reg.VecVirtual { return ZMM() }

func (m *avx512) spread(x reg.GPVirtual) reg.VecVirtual {
	v := ZMM()
	VPBROADCASTQ(x, v)
	return v
}

func (m *avx512) limit(bit, width, rest reg.GPVirtual) {
	m.whole, m.last = K(), K()
	bytes, mask := GP64(), GP64()
	LEAQ(operand.Mem{Base: bit, Index: width, Scale: 8, Disp: 7}, bytes)
	SHRQ(operand.U8(3), bytes)
	lowBits(bytes, mask)
	KMOVQ(mask, m.whole)
	MOVQ(width, bytes)
	IMULQ(rest, bytes)
	LEAQ(operand.Mem{Base: bit, Index: bytes, Scale: 1, Disp: 7}, bytes)
	SHRQ(operand.U8(3), bytes)
	lowBits(bytes, mask)
	KMOVQ(mask, m.last)
}

func (m *avx512) tail(rest reg.GPVirtual) {
	mask := GP64()
	lowBits(rest, mask)
	m.rest = K()
	KMOVB(mask.As32(), m.rest)
}

func (m *avx512) loadBytes(at operand.Mem, last bool, dst reg.VecVirtual) {
	if last {
		VMOVDQU8_Z(at, m.last, dst)
	} else {
		VMOVDQU8_Z(at, m.whole, dst)
	}
}

func (m *avx512) load(at operand.Mem, _ int, last bool, dst reg.VecVirtual) {
	if last {
		VMOVUPD_Z(at, m.rest, dst)
	} else {
		VMOVUPD(at, dst)
	}
}

func (m *avx512) store(src reg.VecVirtual, at operand.Mem, _ int, last bool) {
	if last {
		VMOVUPD(src, m.rest, at)
	} else {
		VMOVUPD(src, at)
	}
}

func (*avx512) and(a, b, dst reg.VecVirtual) { VPANDQ(a, b, dst) }
func (*avx512) or(a, b, dst reg.VecVirtual)  { VPORQ(a, b, dst) }

func (m *avx512) above52(mask, dst reg.VecVirtual) {
	VPTERNLOGQ_BCST(operand.U8(0xea), m.low, mask, dst) // dst & mask | low
}

func (*avx512) toDouble(x, dst reg.VecVirtual) { VCVTQQ2PD(x, dst) }

func (*avx512) whereNaN(x, a, b, dst reg.VecVirtual) {
	k := K()
	VCMPPD(operand.U8(3), x, x, k)
	VBLENDMPD(a, b, k, dst)
}

func (m *avx512) up(n int, x, dst reg.VecVirtual) {
	zero := ZMM()
	VPXORQ(zero, zero, zero)
	VALIGNQ(operand.U8(8-n), zero, x, dst)
}

func (m *avx512) highest(x, dst reg.VecVirtual) {
	top := ZMM()
	VMOVDQU64(m.sevens, top)
	VPERMQ(x, top, dst)
}

// avx2 needs FMA and BMI2 too. A group is two vectors; its loads of bytes go beyond what
// they need.
type avx2 struct {
	*data
	at reg.GPVirtual // masks of the last group
}

func (*avx2) suffix() string              { return "256" }
func (m *avx2) words() *data              { return m.data }
func (*avx2) lanes() int                  { return 4 }
func (*avx2) vector() reg.VecVirtual      { return YMM() }
func (*avx2) limit(_, _, _ reg.GPVirtual) {}

func (*avx2) spread(x reg.GPVirtual) reg.VecVirtual {
	v := YMM()
	VMOVQ(x, v.AsX())
	VPBROADCASTQ(v.AsX(), v)
	return v
}

func (m *avx2) tail(rest reg.GPVirtual) {
	m.at = GP64()
	LEAQ(m.masks, m.at)
	LEAQ(operand.Mem{Base: m.at, Disp: 8 * group}, m.at)
	SHLQ(operand.U8(3), rest)
	SUBQ(rest, m.at)
}

func (*avx2) loadBytes(at operand.Mem, _ bool, dst reg.VecVirtual) { VMOVDQU(at, dst) }

func (m *avx2) load(at operand.Mem, h int, last bool, dst reg.VecVirtual) {
	if !last {
		VMOVUPD(at, dst)
		return
	}
	VMASKMOVPD(at, m.maskOf(h), dst)
}

func (m *avx2) store(src reg.VecVirtual, at operand.Mem, h int, last bool) {
	if !last {
		VMOVUPD(src, at)
		return
	}
	VMASKMOVPD(src, m.maskOf(h), at)
}

func (m *avx2) maskOf(h int) reg.VecVirtual {
	mask := YMM()
	VMOVDQU(operand.Mem{Base: m.at, Disp: 32 * h}, mask)
	return mask
}

func (*avx2) and(a, b, dst reg.VecVirtual) { VPAND(a, b, dst) }
func (*avx2) or(a, b, dst reg.VecVirtual)  { VPOR(a, b, dst) }

func (m *avx2) above52(mask, dst reg.VecVirtual) {
	VPAND(mask, dst, dst)
	VPOR(m.low, dst, dst)
}

// toDouble makes 2^52 + the low half of an integer and 2^84 + 2^63 + 2^32 · the
// high half, neither of which takes rounding; what is too much is taken off, and
// the sum of both is the one rounding there is.
func (m *avx2) toDouble(x, dst reg.VecVirtual) {
	low, high := YMM(), YMM()
	VPBLENDD(operand.U8(0xaa), m.low, x, low)
	VPSRLQ(operand.U8(32), x, high)
	VPXOR(m.high, high, high)
	VSUBPD(m.both, high, high)
	VADDPD(low, high, dst)
}

func (*avx2) whereNaN(x, a, b, dst reg.VecVirtual) {
	mask := YMM()
	VCMPPD(operand.U8(3), x, x, mask)
	VBLENDVPD(mask, a, b, dst)
}

func (m *avx2) up(n int, x, dst reg.VecVirtual) {
	if n == 1 {
		VPERMQ(operand.U8(0x90), x, dst)
		VPBLENDD(operand.U8(0x03), m.masks.Offset(8*group), dst, dst)
		return
	}
	VPERM2I128(operand.U8(0x08), x, x, dst)
}

func (*avx2) highest(x, dst reg.VecVirtual) { VPERMQ(operand.U8(0xff), x, dst) }
