package ingest

// meterReports is how many reports a meter looks back.
const meterReports = 9

// meterWidth is the shortest interval that counts as one report, in ms.
const meterWidth = 5000

// meter knows the recent reports of a sender: how many datapoints each interval
// of arrival brought, of those that brought any.
type meter struct {
	reports [meterReports]report // the first n are valid, oldest first
	n       int
}

type report struct {
	at       int64 // beginning of the interval, Unix ms
	accepted int64
	repeated int64
}

// Report is what one interval of arrival brought, of at least 5 s and one step.
type Report struct {
	At       int64 // its beginning, Unix ms
	Accepted int64 // datapoints
}

// recent returns a copy of the reports, oldest first.
func (m *meter) recent() []Report {
	out := make([]Report, m.n)
	for i, r := range m.reports[:m.n] {
		out[i] = Report{r.at, r.accepted}
	}
	return out
}

// add counts a request that came at the given time; width is that of an
// interval.
func (m *meter) add(at, width, accepted, repeated int64) {
	at -= ((at % width) + width) % width
	i := m.n - 1
	if i >= 0 && at < m.reports[i].at-width { // the clock was set back
		m.n, i = 0, -1
	}
	if i < 0 || at > m.reports[i].at {
		if m.n == meterReports {
			copy(m.reports[:], m.reports[1:])
			m.n--
		}
		i = m.n
		m.reports[i] = report{at: at}
		m.n++
	}
	m.reports[i].accepted += accepted
	m.reports[i].repeated += repeated
}

// read returns the datapoints per second, and whether repeated ones are usual: in
// at least three reports and a third of them.
func (m *meter) read(now, width int64) (rate float64, clashes bool) {
	n := m.n
	if n > 0 && m.reports[n-1].at+width > now {
		n-- // there may come more
	}
	sum, with := int64(0), 0
	for i, r := range m.reports[:n] {
		if i > 0 {
			sum += r.accepted
		}
		if r.repeated > 0 {
			with++
		}
	}
	clashes = with >= 3 && 3*with >= n
	if n < 2 {
		return 0, clashes
	}
	first, last := m.reports[0].at, m.reports[n-1].at
	usual := (last - first) / int64(n-1)
	if now-width-last > 2*usual { // it has fallen silent
		last = now - width - usual
	}
	return float64(sum) * 1000 / float64(last-first), clashes
}
