package publish

import (
	"slices"

	"pulse/store/tags"
)

// Point is one datapoint written out.
type Point struct {
	Tags  tags.Tags
	Time  int64 // Unix ms; 0 in an update
	Value float64
	Op    Op
}

// Points writes out every datapoint, common tags merged and, in an update, the
// dstype of its operation set. It is for tools and tests; the server works on
// the columns. Tags too long for Batch.Tags come out empty.
func (b *Batch) Points() []Point {
	common := AppendTags(nil, b.Common())
	points := make([]Point, b.Len())
	for i := range points {
		own, _ := b.Tags(i)
		set := AppendTags(slices.Clone(common), own)
		p := Point{Time: b.Times[i], Value: b.Values[i], Op: b.Op(i)}
		if p.Op != Report {
			set = append(set, p.Op.Tag())
		}
		p.Tags = tags.Normalize(set)
		points[i] = p
	}
	return points
}

// Tag returns the dstype that the operation gives to its series. It is the empty
// tag for Report, which leaves that to the datapoint.
func (o Op) Tag() tags.Tag {
	switch o {
	case Add:
		return tags.Tag{Key: "atlas.dstype", Value: "sum"}
	case Max:
		return tags.Tag{Key: "atlas.dstype", Value: "gauge"}
	}
	return tags.Tag{}
}
