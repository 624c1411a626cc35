package ingest

import "pulse/store"

// OnCommit makes f stand between the pipeline and its store; next is what it
// stands before.
func (p *Pipeline) OnCommit(f func(b *store.Batch, now int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error)) {
	next := p.commit
	p.commit = func(b *store.Batch, now int64) (store.Result, error) { return f(b, now, next) }
}
