package query

import (
	"pulse/query/expr"
	"pulse/store"
)

// fewLines is how many lines are read at once before any is chosen.
const fewLines = 256

// manySeries is how many series per line are worth the cache: 1,000 lines of a range
// that is asked for again take two thirds of the CPU from there with 16 series each,
// half with 40, and as much as reading the series with 4. They take three times the
// memory.
const manySeries = 16

// chooses reports whether the lines of d, so many, are chosen one by one.
func (r *FetchRange) chooses(d expr.DataExpr, lines int) bool {
	top := r.Choose
	if top == nil || lines <= fewLines || top.K > lines/2 {
		return false
	}
	switch d.(type) {
	case *expr.GroupBy:
		return true
	case *expr.All: // what the others share is only known when all were looked at
		return top.Others == ""
	}
	return false
}

// eachOf returns what gives the lines of rows to visit, in the order of their numbers.
// Lines of many series that the store's cache may have, which it has by block time and
// not by line, are read at once, as long as there is room for all of them.
func (r *FetchRange) eachOf(rows *store.Rows) (func(visit func(line int, values []float64) error) error, error) {
	lines := rows.Len()
	if !rows.Cached() || rows.Stats().Series < manySeries*lines || r.MaxLines > 0 && int64(lines) > r.MaxLines {
		return rows.Each, nil
	}
	found, err := rows.All()
	all := make([][]float64, lines)
	for _, l := range found {
		all[l.Place] = l.Values
	}
	return func(visit func(line int, values []float64) error) error {
		for i, values := range all {
			if err := visit(i, values); err != nil {
				return err
			}
		}
		return nil
	}, err
}

// choose reads the lines of rows one by one and keeps those that are chosen. When
// there is a line of the others all are read again: which they are is known at the end
// only, and sums depend on the order. Points may have come meanwhile, so the values of
// those that were chosen are then of the second reading, too: each line is in one of
// the lines of the result, once and as it was then.
func (f *Fetched) choose(rows *store.Rows, d expr.DataExpr, r FetchRange, multiple int) error {
	top := r.Choose
	if r.MaxLines > 0 && int64(top.K) > r.MaxLines {
		return &store.LimitError{What: "lines", Got: int64(top.K), Max: r.MaxLines}
	}
	steps := int((r.End - r.Start) / r.Step)
	if r.Reserve != nil {
		if err := r.Reserve(int64(top.K+3) * (expr.LineBytes + 8*int64(steps))); err != nil {
			return err
		}
	}
	choice, err := top.Choose(rows.Compare)
	if err != nil {
		return err
	}
	read, err := r.eachOf(rows)
	if err != nil {
		f.Stats = rows.Stats()
		return err
	}
	var coarse []float64
	each := func(visit func(line int, values []float64)) error {
		return read(func(i int, values []float64) error {
			if multiple > 1 {
				coarse = expr.Consolidate(coarse[:0], values, d.CF(), multiple, rows.Gauge(i))
				values = coarse
			}
			visit(i, values)
			return nil
		})
	}
	err = each(choice.Add)
	f.Stats, f.Chosen = rows.Stats(), true
	if err != nil {
		return err
	}
	if top.Others != "" {
		rest, last := top.Rest(steps), 0
		err := each(func(i int, values []float64) {
			if choice.Has(i) {
				choice.Renew(i, values)
				return
			}
			last = i
			rest.Add(values, rows.Gauge(i))
		})
		if err != nil {
			return err
		}
		f.Lines = append(f.Lines, rest.Line(expr.ResultTags(d, rows.Line(last).Tags)))
	}
	for _, i := range choice.Lines() {
		l := rows.Line(i)
		line := LineOf(d, l.Tags, l.Gauge)
		line.Place, line.Values = l.Place, choice.Values(i)
		f.Lines = append(f.Lines, line)
	}
	return nil
}
