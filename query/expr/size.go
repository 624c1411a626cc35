package expr

import "pulse/store/match"

// size counts the nodes of t, shared parts every time they occur, and stops
// soon after limit.
func size(t TimeSeries, limit int) int {
	if limit < 0 {
		return 1
	}
	n := 1
	switch x := t.(type) {
	case DataExpr:
		return n + match.Size(x.Query(), limit)
	case *Rewrite:
		switch b := x.Base.(type) {
		case match.Query:
			n += match.Size(b, limit)
		case TimeSeries:
			n += size(b, limit-n)
		}
	}
	for _, x := range t.inputs() {
		if n += size(x, limit-n); n > limit {
			break
		}
	}
	return n
}

// Size of a node counts it and all below it; see match.Size.

func (a *Aggregate) Size(limit int) int      { return size(a, limit) }
func (a *All) Size(limit int) int            { return size(a, limit) }
func (g *GroupBy) Size(limit int) int        { return size(g, limit) }
func (u *Unary) Size(limit int) int          { return size(u, limit) }
func (c *Clamp) Size(limit int) int          { return size(c, limit) }
func (a *As) Size(limit int) int             { return size(a, limit) }
func (b *Binary) Size(limit int) int         { return size(b, limit) }
func (a *MathAggregate) Size(limit int) int  { return size(a, limit) }
func (g *MathGroupBy) Size(limit int) int    { return size(g, limit) }
func (p *Percentiles) Size(limit int) int    { return size(p, limit) }
func (a *ApproxDistinct) Size(limit int) int { return size(a, limit) }
func (s *Stateful) Size(limit int) int       { return size(s, limit) }
func (s *Stat) Size(limit int) int           { return size(s, limit) }
func (f *Filter) Size(limit int) int         { return size(f, limit) }
func (c *Consolidated) Size(limit int) int   { return size(c, limit) }
func (t *TopK) Size(limit int) int           { return size(t, limit) }
func (r *Rewrite) Size(limit int) int        { return size(r, limit) }

func (s *Style) Size(limit int) int {
	n := 1 + len(s.Settings)
	for _, v := range s.Settings {
		n += len(v) / 64
	}
	return n + size(s.Expr, limit-n)
}
