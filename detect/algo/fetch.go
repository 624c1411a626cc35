package algo

// Fetcher asks for the states of detectors some steps before they are needed. Among many
// streams all of a state is missing from the cache; asked for in time, it arrives while
// others are judged. It changes nothing.
type Fetcher struct {
	parts [fetchParts]stretchOf
	n     int
}

// stretchOf is a part of a state, in bytes.
type stretchOf struct{ from, bytes int }

// FetchAhead is how many detectors before its own turn one is best asked for.
const FetchAhead = 4

// Sizes of states, and where in a seasonal lies what a step reads, in bytes; a test
// compares them with the types.
const (
	fetchParts    = 5
	cusumSize     = 320
	smoothingSize = 288
	compareSize   = 264
	bandSize      = 136
	smallSize     = 64
	seasonalStep  = 740  // all but profile and rings of buckets
	seasonalClose = 1784 // these rings as well, which the step that closes a bucket reads
	seasonalPlain = 1784 // what leads to the stream as it is
	seasonalRest  = 56
	seasonalDay   = 2272 // the profile
	seasonalWeek  = 3424
	seasonalSize  = 11488
)

// Fetcher returns what asks for the states of m's detectors before step t.
func (m *Maker) Fetcher(t int64) Fetcher {
	f := Fetcher{n: 1}
	if s := m.seasons; s != nil {
		f.season(s, t)
		return f
	}
	f.parts[0].bytes = m.size
	return f
}

func (f *Fetcher) season(s *seasonSettings, t int64) {
	var c calendar
	middle := c.local(s.zone, t) - s.step/2
	f.parts[0].bytes = seasonalStep
	if floorDiv(middle, s.shape.bucket) != floorDiv(middle-s.step, s.shape.bucket) {
		f.parts[0].bytes = seasonalClose
	}
	f.parts[1] = stretchOf{seasonalPlain, seasonalRest}
	i := within(middle, weekMs)
	bucket := int(i % dayMs / s.shape.bucket)
	f.parts[2] = stretchOf{seasonalDay + 4*bucket, 4}
	f.parts[3] = stretchOf{seasonalWeek + 4*(int(i/dayMs)*s.shape.days+bucket), 4}
	f.parts[4] = stretchOf{seasonalSize, cusumSize}
	f.n = fetchParts
}

// Fetch asks for the state of d, which may be nil.
func (f *Fetcher) Fetch(d Detector) {
	if d == nil {
		return
	}
	for i := range f.parts[:f.n] {
		fetch(d, f.parts[i].from, f.parts[i].bytes)
	}
}

// measure notes how large a state is.
func (m *Maker) measure() {
	switch d := m.make().(type) {
	case *seasonal:
		m.seasons = d.set
	case *cusum:
		m.size = cusumSize
	case *smoothing:
		m.size = smoothingSize
	case *compare:
		m.size = compareSize
	case *learnedBand:
		m.size = bandSize
	default:
		m.size = smallSize
	}
}

// beside returns a seasonal with what judges the stream as it is, in the memory behind it
// where that adds up.
func (s *seasonSettings) beside(plain Detector) *seasonal {
	if sums, ok := plain.(*cusum); ok {
		both := &struct {
			seasonal
			sums cusum
		}{seasonal{set: s}, *sums}
		both.plain = &both.sums
		return &both.seasonal
	}
	return &seasonal{set: s, plain: plain}
}
