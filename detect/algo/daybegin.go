package algo

// dayBegin returns the bucket of the day at which a new day begins as the stream
// has it, -1 when it does not show. Two days in a row of seven have a course of
// their own; of all places where they may begin, from Friday to Saturday by the
// clock, it takes the one with the least variance within the two and within the
// other five. Without a time zone that may be anywhere, and with one it may be
// long before midnight or after.
func (p *profile) dayBegin(s *shape) int32 {
	const friday, starts = 4, 3 // pairs may start on Friday, Saturday and Sunday
	n := s.days
	var total [starts]float64
	var each [bucketsPerDay][starts]float64
	for b := range n {
		for k := range starts {
			each[b][k] = p.split(n, b, friday+k)
			total[k] += each[b][k]
		}
	}
	least, most, at := total[0], total[0], 0
	for k := range starts - 1 {
		cost := total[k] // the pair starts with day k from its first bucket on
		for b := range n {
			if cost < least {
				least, at = cost, b
			}
			most = max(most, cost)
			// One bucket later: this one still belongs to the day before.
			cost += each[b][k+1] - each[b][k]
		}
	}
	if least > dayShows*most {
		return -1
	}
	return int32(at)
}

const dayShows = 0.5 // of the worst place that the best may cost

// split returns the squared distances of a bucket's seven values from the mean of
// their kind, when day free and the next are of one kind and the others of another.
func (p *profile) split(days, bucket, free int) float64 {
	var sum, square, n [2]float64
	for d := range 7 {
		x := p.week[d*days+bucket]
		if x == unknownBucket {
			return 0
		}
		kind := 0
		if d == free || d == (free+1)%7 {
			kind = 1
		}
		sum[kind] += float64(x)
		square[kind] += float64(x) * float64(x)
		n[kind]++
	}
	return square[0] - sum[0]*sum[0]/n[0] + square[1] - sum[1]*sum[1]/n[1]
}
