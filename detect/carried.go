package detect

import (
	"context"
	"fmt"

	"pulse/store/tags"
)

// Carried says who carries the change of the one group of a rule whose tags contain
// filter: from the step that ends at since, the last that was as expected, to the one that
// ends at t, both Unix ms. What is stored now is read, at most a million datapoints. The
// answer has no values where there is nothing to tell: the step was not judged, or had no
// value, or the expression cannot be split. It is an ErrUnknownRule without such a rule, an
// ErrGroups when the filter means several groups, and an ErrRange when since is not before t.
func (e *Engine) Carried(ctx context.Context, id string, filter tags.Tags, since, t int64) (*Breakdown, error) {
	e.mu.Lock()
	r := e.rules[id]
	e.mu.Unlock()
	if r == nil {
		return nil, fmt.Errorf("%w %q", ErrUnknownRule, clip(id, maxID))
	}
	if since >= t {
		return nil, fmt.Errorf("%w: since %d is not before t %d", ErrRange, since, t)
	}
	groups, err := e.Band(ctx, id, t-r.c.step, t, filter)
	if err != nil {
		return nil, err
	}
	nothing := &Breakdown{Values: []Contributor{}, Keys: []SplitKey{}}
	switch {
	case len(groups) > 1:
		return nil, fmt.Errorf("%w: %d of rule %q have them; name all tags of one", ErrGroups, len(groups), clip(id, maxID))
	case len(groups) == 0 || len(groups[0].Rows) == 0:
		return nothing, nil
	}
	row, left := groups[0].Rows[0], int64(contributorPoints)
	b := e.breakdown(ctx, &change{r.c, groups[0].Tags, since, row.T, row.Value, row.Expected}, &left)
	if b == nil {
		return nothing, ctx.Err()
	}
	return b, nil
}
