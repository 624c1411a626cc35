package main

import (
	"math"

	"github.com/mmcloughlin/avo/attr"
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
)

// data is the numbers that vectors are loaded from.
type data struct {
	numbers operand.Mem // 0 to 7
	n64     operand.Mem
	next    operand.Mem // 1 in the high dword
	pair    operand.Mem // 2 in both dwords
	noData  operand.Mem // the bits of math.NaN()
	sevens  operand.Mem
	masks   operand.Mem // 8 times all bits, 8 times none
	low     operand.Mem // see avx2.toDouble
	high    operand.Mem
	both    operand.Mem
}

func writeData() *data {
	return &data{
		numbers: table("numbers", 0, 1, 2, 3, 4, 5, 6, 7),
		n64:     table("n64", 64),
		next:    table("next", 1<<32),
		pair:    table("pair", 2<<32|2),
		noData:  table("noData", math.Float64bits(math.NaN())),
		sevens:  table("sevens", repeat(7, 8)...),
		masks:   table("masks", append(repeat(math.MaxUint64, 8), repeat(0, 8)...)...),
		low:     table("low", repeat(0x43300000_00000000, 4)...),
		high:    table("high", repeat(0x45300000_80000000, 4)...),
		both:    table("both", repeat(0x45300000_80100000, 4)...),
	}
}

// table returns read-only words.
func table(name string, words ...uint64) operand.Mem {
	m := GLOBL(name, attr.RODATA|attr.NOPTR)
	for i, w := range words {
		DATA(8*i, operand.U64(w))
	}
	return m
}

func repeat(w uint64, n int) []uint64 {
	out := make([]uint64, n)
	for i := range out {
		out[i] = w
	}
	return out
}
