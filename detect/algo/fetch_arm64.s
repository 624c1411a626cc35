#include "textflag.h"

// func fetch(d Detector, from, bytes int)
TEXT ·fetch(SB), NOSPLIT, $0-32
	MOVD d_data+8(FP), R0
	MOVD from+16(FP), R1
	MOVD bytes+24(FP), R2
	ADD  R1, R0, R0
	ADD  R0, R2, R2
	AND  $~63, R0, R0

line:
	PRFM (R0), PLDL1KEEP
	ADD  $64, R0
	CMP  R2, R0
	BLT  line
	RET
