// Command genlanes writes the assembly of package lanes: every kernel for AVX2
// and for AVX-512.
//
// A kernel handles eight integers or values a turn. It is put together of a
// source, what is done to a vector of it, and where the result goes; kernel.go
// has these, and a machine what differs between the instruction sets.
package main

import "github.com/mmcloughlin/avo/build"

func main() {
	build.ConstraintExpr("amd64")
	d := writeData()
	wide := &avx512{data: d}
	for _, m := range []machine{&avx2{data: d}, wide} {
		for _, k := range kernels() {
			k.write(m)
		}
	}
	for _, k := range puts() {
		writePut(wide, k)
	}
	writeSpread(wide)
	build.Generate()
}
