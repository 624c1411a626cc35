// Package conformance runs test vectors that state what Netflix Atlas computes:
// expressions, inputs and the numbers and texts that must come out.
//
// The vectors are JSON files in a folder named by PULSE_CONFORMANCE, relative to
// the root of the module; without it the test is skipped. The harness maps each
// case to calls of the product's packages and compares; it computes nothing
// itself. What a case may contain is fixed per kind: an unknown kind or field is
// a failure, so that no condition of a case is passed over in silence.
package conformance
