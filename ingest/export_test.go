package ingest

import "pulse/store"

// OnCommit makes f stand between the pipeline and its store; next is what it
// stands before.
func (p *Pipeline) OnCommit(f func(b *store.Batch, now int64, next func(*store.Batch, int64) (store.Result, error)) (store.Result, error)) {
	next := p.commit
	p.commit = func(b *store.Batch, now int64) (store.Result, error) { return f(b, now, next) }
}

// OnImport is OnCommit for imports.
func (p *Pipeline) OnImport(f func(b *store.ImportBatch, now int64, next func(*store.ImportBatch, int64) (store.ImportResult, error)) (store.ImportResult, error)) {
	next := p.imports.hand
	p.imports.hand = func(b *store.ImportBatch, now int64) (store.ImportResult, error) { return f(b, now, next) }
}
