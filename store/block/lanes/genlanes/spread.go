package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// writeSpread writes spread512, which needs an instruction that AVX2 has no
// match for. It goes from the end to the front, so that no value is overwritten
// before it was moved.
func writeSpread(m *avx512) {
	TEXT("spread512", NOSPLIT, "func(dst *float64, n int, bitmap *byte, present int, v float64)")
	Pragma("noescape")
	Doc("spread512 moves the values at the front of dst to the places that bitmap marks and puts v elsewhere.")
	dst := Load(Param("dst"), GP64()).(reg.GPVirtual)
	rest := Load(Param("n"), GP64()).(reg.GPVirtual)
	bitmap := Load(Param("bitmap"), GP64()).(reg.GPVirtual)
	next := Load(Param("present"), GP64()).(reg.GPVirtual)
	v := everywhere(m, "v")
	groups, to := GP64(), GP64()
	MOVQ(rest, groups)
	SHRQ(operand.U8(3), groups)
	ANDQ(operand.U8(group-1), rest)
	MOVQ(groups, to)
	SHLQ(operand.U8(6), to)
	ADDQ(dst, to)
	turn := func(last bool) {
		marks, count := GP64(), GP64()
		MOVBQZX(operand.Mem{Base: bitmap, Index: groups, Scale: 1}, marks)
		POPCNTQ(marks, count)
		SUBQ(count, next)
		k, x := K(), ZMM()
		KMOVB(marks.As32(), k)
		VMOVAPD(v, x)
		VEXPANDPD(operand.Mem{Base: dst, Index: next, Scale: 8}, k, x)
		m.store(x, operand.Mem{Base: to}, 0, last)
	}
	TESTQ(rest, rest)
	JZ(operand.LabelRef("whole"))
	m.tail(rest)
	turn(true)
	Label("whole")
	TESTQ(groups, groups)
	JZ(operand.LabelRef("end"))
	Label("loop")
	DECQ(groups)
	SUBQ(operand.U8(8*group), to)
	turn(false)
	TESTQ(groups, groups)
	JNZ(operand.LabelRef("loop"))
	Label("end")
	VZEROUPPER()
	RET()
}
