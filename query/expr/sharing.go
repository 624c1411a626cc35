package expr

// Values are written by the node that holds them and by no other, with one
// exception: a node takes over the values of an input that nobody else reads.
// So words that choose or rename lines need not copy them.
//
// Three kinds of nodes hold no values of their own, or few:
//
//	sharers  hand on lines of their first input, each at most once
//	reusers  write over the values of an input, which is free for it
//	flat     are constant over the window and only looked at by conditions of
//	         filters: their lines have a single value

// sharer is a kernel whose lines have the values of lines of its first input.
// Its run says which.
type sharer interface{ shares() }

func (k *filterKernel) shares() {}
func (k *topKernel) shares()    {}
func (k *asKernel) shares()     {}

// reuser is a kernel that makes each value from one value of the same time of
// an input, or of several, and may write it in that one's place.
type reuser interface {
	// over returns which input may be written over in w, or -1.
	over(w Window, in []*result) int
	// lineOver returns which line of that input becomes line i, of no other i.
	lineOver(i int) int
}

func (k *unaryKernel) over(Window, []*result) int       { return 0 }
func (k *unaryKernel) lineOver(i int) int               { return i }
func (k *statefulKernel) over(Window, []*result) int    { return 0 }
func (k *statefulKernel) lineOver(i int) int            { return i }
func (k *consolidateKernel) over(Window, []*result) int { return 0 }
func (k *consolidateKernel) lineOver(i int) int         { return i }

func (k *binaryKernel) over(w Window, in []*result) int {
	switch {
	case w.Unknown: // what is unknown is found by looking at the inputs again
		return -1
	case k.useLeft(in):
		return 0
	}
	return 1
}

func (k *binaryKernel) lineOver(i int) int {
	if k.left {
		return int(k.pairs[i].l)
	}
	return int(k.pairs[i].r)
}

// Own lets the evaluator write over the values that SetData supplies, none of
// which then may belong to two lines. It comes before the first Eval.
func (e *Evaluator) Own() {
	e.owned = true
	e.plan()
}

// plan finds out which nodes are flat and which inputs are free.
func (e *Evaluator) plan() {
	uses := make([]int, len(e.nodes)) // times that the node is read
	for _, r := range e.roots {
		uses[r] += 2 // and kept
	}
	for _, n := range e.nodes {
		for _, j := range n.in {
			uses[j]++
		}
	}
	e.planFlat()
	for _, n := range e.nodes {
		n.free = make([]bool, len(n.in))
		for i, j := range n.in {
			n.free[i] = e.writable(j, uses)
		}
	}
}

// writable reports whether node i has one reader, who may write over its values.
func (e *Evaluator) writable(i int, uses []int) bool {
	n := e.nodes[i]
	if uses[i] != 1 || n.flat {
		return false
	}
	switch n.kernel.(type) {
	case supplied:
		return e.owned
	case sharer:
		return e.writable(n.in[0], uses)
	}
	return true
}

// planFlat marks the nodes of which a single value is enough.
func (e *Evaluator) planFlat() {
	constant := make([]bool, len(e.nodes))
	for i, n := range e.nodes {
		switch n.expr.(type) {
		case *Const, *Stat:
			constant[i] = true
		case *Binary, *Unary, *Clamp:
			constant[i] = true
			for _, j := range n.in {
				constant[i] = constant[i] && constant[j]
			}
		}
		n.flat = constant[i]
	}
	for _, r := range e.roots {
		e.nodes[r].flat = false
	}
	for i := len(e.nodes) - 1; i >= 0; i-- { // readers come after what they read
		n := e.nodes[i]
		_, stat := n.expr.(*Stat)
		_, filter := n.expr.(*Filter)
		for at, j := range n.in {
			if (!n.flat || stat) && !(filter && at == 1) {
				e.nodes[j].flat = false
			}
		}
	}
}

// reused returns which input n writes over in w, or -1.
func (n *node) reused(w Window) int {
	if k, ok := n.kernel.(reuser); ok && !n.flat {
		if i := k.over(w, n.inRes); i >= 0 && n.free[i] {
			return i
		}
	}
	return -1
}

// room gives the lines of n values to write to.
func (n *node) room(w Window) {
	if _, ok := n.kernel.(sharer); ok {
		return
	}
	if from := n.reused(w); from >= 0 {
		k := n.kernel.(reuser)
		n.out.slab = nil
		for i := range n.out.lines {
			n.out.lines[i].Values = n.inRes[from].lines[k.lineOver(i)].Values
		}
		return
	}
	n.out.fit(n.width(w))
}

// width is how many values a line of n has.
func (n *node) width(w Window) int {
	if n.flat {
		return 1
	}
	return w.Len()
}

// valueBytes is what n holds for the values of so many lines in w, at most.
func (n *node) valueBytes(w Window, lines int) int64 {
	switch n.kernel.(type) {
	case supplied: // the budget of whoever supplies it
		return 0
	case sharer:
		if t, ok := n.expr.(*TopK); ok && t.Others != "" {
			return 2 * 8 * int64(w.Len()) // the line of the others, and their number
		}
		return 0
	}
	if n.reused(w) >= 0 {
		return 0
	}
	return int64(lines) * 8 * int64(n.width(w))
}
