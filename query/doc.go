// Package query answers questions about the past: a program of the stack
// language, a range of time and a step become lines.
//
// One query goes this way:
//
//	parse   asl.ParseStyle turns the program into styles, one per legacy shift
//	plan    the data expressions of all styles, each distinct one once; what
//	        they would read and hold is checked against Limits
//	fetch   store.Scan selects, decodes and aggregates at the primary step;
//	        lines are consolidated to the step of the query
//	eval    expr.Evaluator computes all styles in one window, sharing equal parts
//	shape   legends, order and number of lines as each style asks
//
// Times are int64 Unix ms. Ranges are (start, end]: the first value is stamped
// start+step, the last end. NaN is no data.
package query
