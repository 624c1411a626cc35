#include "textflag.h"

// func fetch(d Detector, from, bytes int)
TEXT ·fetch(SB), NOSPLIT, $0-32
	MOVQ d_data+8(FP), AX
	MOVQ bytes+24(FP), CX
	ADDQ from+16(FP), AX
	ADDQ AX, CX
	ANDQ $~63, AX

line:
	PREFETCHT0 (AX)
	ADDQ $64, AX
	CMPQ AX, CX
	JLT  line
	RET
