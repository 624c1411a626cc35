package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// maxNarrow is the widest integer that lies in two neighbouring dwords wherever
// it begins; up to 57 bits lie in two neighbouring qwords.
const maxNarrow = 33

// unpacker takes integers out of bytes. A vector of bytes is loaded, the dwords
// or qwords that an integer lies in are brought to its lane, and shifts and a
// mask leave the integer. A group takes as many bytes as an integer has bits, so
// that the places are the same in every turn.
type unpacker struct {
	m          machine
	p, data    reg.GPVirtual
	bit        reg.GPVirtual // of the first byte
	width      reg.GPVirtual
	mask, base reg.VecVirtual
	direct     bool // base is off, see kernel.direct
	wide       bool
	half       []half
}

// half is where the integers of one vector of a group are.
type half struct {
	at       operand.Mem    // its bytes
	pick     reg.VecVirtual // the dwords of each lane
	right    reg.VecVirtual // shift of these
	pickNext reg.VecVirtual // wide: the dwords of the next qword
	left     reg.VecVirtual // wide: shift of these
}

// Where the fields of a Packed are, from Bit on, to which kernels get a pointer:
// a type of the package they are made for has no name here.
const (
	fieldData  = -24
	fieldBit   = 0
	fieldWidth = 8
	fieldBase  = 16
)

func (u *unpacker) begin(m machine, direct bool, rest reg.GPVirtual) {
	u.m, u.direct = m, direct
	u.p = Load(Param("bit"), GP64()).(reg.GPVirtual)
	u.data, u.bit, u.width = GP64(), GP64(), GP64()
	MOVQ(operand.Mem{Base: u.p, Disp: fieldData}, u.data)
	MOVQ(operand.Mem{Base: u.p, Disp: fieldBit}, u.bit)
	MOVQ(operand.Mem{Base: u.p, Disp: fieldWidth}, u.width)
	skip := GP64()
	MOVQ(u.bit, skip)
	SHRQ(operand.U8(3), skip)
	ADDQ(skip, u.data)
	ANDQ(operand.U8(7), u.bit)
	mask := GP64()
	lowBits(u.width, mask)
	u.mask = u.m.spread(mask)
	if direct {
		u.base = everywhere(m, "off")
	} else {
		u.base = m.vector()
		VPBROADCASTQ(operand.Mem{Base: u.p, Disp: fieldBase}, u.base)
	}
	m.limit(u.bit, u.width, rest)
}

// lowBits sets dst to n bits, n below 64.
func lowBits(n, dst reg.GPVirtual) {
	MOVQ(operand.I32(-1), dst)
	BZHIQ(n, dst, dst)
}

// places prepares for a loop of narrow or wide integers.
func (u *unpacker) places(wide bool) {
	u.wide, u.half = wide, nil
	bit := GP64()
	MOVQ(u.bit, bit)
	for h := range group / u.m.lanes() {
		at := operand.Mem{Base: u.data}
		if h > 0 { // it begins at another byte
			skip := GP64()
			LEAQ(operand.Mem{Base: bit, Index: u.width, Scale: 4}, bit)
			MOVQ(bit, skip)
			SHRQ(operand.U8(3), skip)
			ANDQ(operand.U8(7), bit)
			at.Index, at.Scale = skip, 1
		}
		u.half = append(u.half, u.placesOf(at, bit))
	}
}

// placesOf returns the places of integers of which the first begins at bit.
func (u *unpacker) placesOf(at operand.Mem, bit reg.GPVirtual) half {
	m := u.m
	place, x := m.vector(), m.vector()
	VPBROADCASTQ(operand.Mem{Base: u.p, Disp: fieldWidth}, place)
	VPMULUDQ(m.words().numbers, place, place)
	VPADDQ(m.spread(bit), place, place)
	h := half{at: at, pick: m.vector(), right: m.vector()}
	shift := uint8(5)
	if u.wide {
		shift = 6
	}
	VPSRLQ(operand.U8(shift), place, h.pick)
	VPSLLQ(operand.U8(shift), h.pick, x)
	VPSUBQ(x, place, h.right)
	if u.wide { // dwords 2i and 2i+1, then 2i+2 and 2i+3
		h.left, h.pickNext = m.vector(), m.vector()
		VPBROADCASTQ(m.words().n64, h.left)
		VPSUBQ(h.right, h.left, h.left)
		VPADDQ(h.pick, h.pick, h.pick)
	}
	VPSLLQ(operand.U8(32), h.pick, x)
	VPADDQ(x, h.pick, h.pick)
	VPBROADCASTQ(m.words().next, x)
	VPADDQ(x, h.pick, h.pick)
	if u.wide {
		VPBROADCASTQ(m.words().pair, x)
		VPADDQ(x, h.pick, h.pickNext)
	}
	return h
}

// unpack puts the integers of vector h of a group, or their doubles, into x.
func (u *unpacker) unpack(h int, last bool, x reg.VecVirtual) {
	p := u.half[h]
	bytes := u.m.vector()
	u.m.loadBytes(p.at, last, bytes)
	VPERMD(bytes, p.pick, x)
	VPSRLVQ(p.right, x, x)
	if u.wide {
		VPERMD(bytes, p.pickNext, bytes)
		VPSLLVQ(p.left, bytes, bytes)
		u.m.or(bytes, x, x)
	}
	if u.direct {
		u.m.above52(u.mask, x)
		VSUBPD(u.base, x, x)
		return
	}
	u.m.and(u.mask, x, x)
	VPADDQ(u.base, x, x)
}
