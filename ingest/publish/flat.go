package publish

// DecodeUpdate reads a body of the update route into b: one flat array of a
// table of strings and, for each datapoint, its tags as indexes in the table, an
// operation and a value:
//
//	[n, s0 … sn-1, {tags, (key, value)*tags, op, value}*]
//
// The operations are 0, Add, and 10, Max. It fails with a *SyntaxError or a
// *LimitError; b is then empty.
func DecodeUpdate(b *Batch, body []byte, limits Limits) error {
	s, i := b.begin(body, limits)
	if i >= 0 {
		if i < len(body) && body[i] == '[' {
			i = s.update(b, skip(body, i+1))
		} else {
			i = s.fail(i, "expected a list")
		}
	}
	return b.finish(&s, i)
}

func (s *scanner) update(b *Batch, i int) int {
	i, more := s.stringTable(b, i)
	for i >= 0 && more {
		if len(b.Values) >= s.limits.Points {
			return s.tooMany()
		}
		if i = s.pairs(b, i); i < 0 {
			return -1
		}
		at := i
		var op int64
		if op, i = s.integer(i, "operation"); i < 0 {
			return -1
		}
		switch op {
		case 0:
			b.Ops = append(b.Ops, Add)
		case 10:
			b.Ops = append(b.Ops, Max)
		default:
			return s.fail(at, unknownOp(op))
		}
		if i = s.comma(i); i < 0 {
			return -1
		}
		var value float64
		if value, i = s.double(i); i < 0 {
			return -1
		}
		b.Times = append(b.Times, 0)
		b.Values = append(b.Values, value)
		i, more = s.next(i, ']')
	}
	return i
}

// compact reads the batch form that servers exchange, i being the index of its
// first element:
//
//	[n, s0 … sn-1, count, (id, tags, (key, value)*tags, timestamp, value)*count]
//
// The id follows from the tags and is not looked at.
func (s *scanner) compact(b *Batch, i int) int {
	i, more := s.stringTable(b, i)
	if i < 0 || !more {
		return s.fail(i, "expected the number of datapoints")
	}
	count, i := s.integer(i, "number of datapoints")
	if i < 0 {
		return -1
	}
	if count < 0 {
		return s.fail(i, "number of datapoints is out of range")
	}
	if count > int64(s.limits.Points) {
		return s.tooMany()
	}
	for ; count > 0; count-- {
		if i = s.comma(i); i < 0 {
			return -1
		}
		if i = s.str(i); i < 0 {
			return -1
		}
		if i = s.comma(i); i < 0 {
			return -1
		}
		if i = s.pairs(b, i); i < 0 {
			return -1
		}
		var when int64
		if when, i = s.integer(i, "timestamp"); i < 0 {
			return -1
		}
		if i = s.comma(i); i < 0 {
			return -1
		}
		var value float64
		if value, i = s.double(i); i < 0 {
			return -1
		}
		b.Times = append(b.Times, when)
		b.Values = append(b.Values, value)
	}
	at := i
	if i, more = s.next(i, ']'); i >= 0 && more {
		return s.fail(at, "more datapoints than announced")
	}
	return i
}

// stringTable reads the number of strings and the strings, and tells whether
// anything follows them.
func (s *scanner) stringTable(b *Batch, i int) (end int, more bool) {
	b.flat = true
	n, i := s.index(i, tableLimit+1, "size of the string table")
	if i < 0 {
		return -1, false
	}
	for ; n > 0; n-- {
		if i = s.comma(i); i < 0 {
			return -1, false
		}
		from := i
		if i = s.str(i); i < 0 {
			return -1, false
		}
		b.table = append(b.table, span{uint32(from), uint32(i)})
	}
	return s.next(i, ']')
}

// pairs reads the number of tags, the tags and the comma behind them.
func (s *scanner) pairs(b *Batch, i int) int {
	n, i := s.index(i, tableLimit+1, "number of tags")
	if i < 0 {
		return -1
	}
	from := len(b.pairs)
	for ; n > 0; n-- {
		for range 2 {
			if i = s.comma(i); i < 0 {
				return -1
			}
			var at int
			if at, i = s.index(i, len(b.table), "index in the string table"); i < 0 {
				return -1
			}
			b.pairs = append(b.pairs, uint32(at))
			s.written += int(b.table[at].to - b.table[at].from)
		}
	}
	if s.written > maxWritten {
		return s.exceed("bytes of tags", maxWritten)
	}
	b.spans = append(b.spans, span{uint32(from), uint32(len(b.pairs))})
	return s.comma(i)
}

// comma passes a comma that must be there.
func (s *scanner) comma(i int) int {
	if i = skip(s.b, i); i >= len(s.b) || s.b[i] != ',' {
		return s.fail(i, "expected ','")
	}
	return skip(s.b, i+1)
}
