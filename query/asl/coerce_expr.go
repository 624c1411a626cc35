package asl

import (
	"pulse/query/expr"
	"pulse/store/match"
)

// IsTimeSeries holds for what AsTimeSeries accepts.
func IsTimeSeries(item any) bool {
	_, ok := AsTimeSeries(item)
	return ok
}

// IsAggregate holds for what AsAggregate accepts.
func IsAggregate(item any) bool {
	_, ok := AsAggregate(item)
	return ok
}

// IsStyle holds for what AsStyle accepts.
func IsStyle(item any) bool {
	_, ok := AsStyle(item)
	return ok
}

// AsTimeSeries returns a time series as it is, the sum of a query, and the
// constant that a string spells.
func AsTimeSeries(item any) (expr.TimeSeries, bool) {
	switch v := item.(type) {
	case expr.TimeSeries:
		return v, true
	case match.Query:
		return expr.NewAggregate(expr.AggSum, v), true
	}
	if v, ok := AsDouble(item); ok {
		return &expr.Const{Value: v}, true
	}
	return nil, false
}

// AsAggregate returns a plain aggregate as it is and the sum of a query.
func AsAggregate(item any) (*expr.Aggregate, bool) {
	switch v := item.(type) {
	case *expr.Aggregate:
		return v, true
	case match.Query:
		return expr.NewAggregate(expr.AggSum, v), true
	}
	return nil, false
}

// AsStyle returns what a graph can draw: a style as it is, and a style without
// settings of what AsTimeSeries accepts.
func AsStyle(item any) (*expr.Style, bool) {
	if s, ok := item.(*expr.Style); ok {
		return s, true
	}
	t, ok := AsTimeSeries(item)
	if !ok {
		return nil, false
	}
	return expr.NewStyle(t), true
}

// PopTimeSeries pops an item for which IsTimeSeries held.
func (c *Context) PopTimeSeries() expr.TimeSeries {
	t, _ := AsTimeSeries(c.Pop())
	return t
}

// PopAggregate pops an item for which IsAggregate held.
func (c *Context) PopAggregate() *expr.Aggregate {
	a, _ := AsAggregate(c.Pop())
	return a
}

// PopStyle pops an item for which IsStyle held.
func (c *Context) PopStyle() *expr.Style {
	s, _ := AsStyle(c.Pop())
	return s
}
