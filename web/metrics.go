package web

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"pulse/detect"
	"pulse/ingest"
	"pulse/store/tags"
)

// counters are the HTTP face's own numbers.
type counters struct {
	byClass [6]atomic.Int64 // answers by the first digit of their status; 0 for what could not be read
	panics  atomic.Int64
	queries atomic.Int64

	unauthorized atomic.Int64 // requests without a valid token
	forbidden    atomic.Int64 // requests whose token lacks the scope
}

func (c *counters) request(status int) {
	if class := status / 100; class >= 0 && class < len(c.byClass) {
		c.byClass[class].Add(1)
	}
}

// sample is one number about the server itself.
type sample struct {
	name    string // dotted, as in the store; /metrics writes underscores
	help    string
	counter bool // grows only; else a level
	key     string
	value   string // one tag, "" for none
	v       float64
}

// samples is a list of them, in which those of one name are neighbours.
type samples []sample

func (l *samples) add(name, help string, counter bool, v float64) {
	*l = append(*l, sample{name: name, help: help, counter: counter, v: v})
}

func (l *samples) tagged(name, help string, counter bool, key, value string, v float64) {
	*l = append(*l, sample{name, help, counter, key, value, v})
}

// samples reads the counters that the parts keep, in a fixed order.
func (s *Server) samples() samples {
	var l samples
	s.boundSamples(&l)
	s.ingestSamples(&l)
	s.storeSamples(&l)
	s.detectSamples(&l)
	s.notifySamples(&l)
	s.httpSamples(&l)
	s.processSamples(&l)
	return l
}

func (s *Server) ingestSamples(l *samples) {
	in := s.opts.Pipeline.Stats()
	points := "Datapoints accepted, by what became of them."
	l.tagged("pulse.ingest.points", points, true, "outcome", "stored", float64(in.Total.Stored))
	l.tagged("pulse.ingest.points", points, true, "outcome", "superseded", float64(in.Total.Superseded))
	l.tagged("pulse.ingest.points", points, true, "outcome", "late", float64(in.Total.Late))
	for _, reason := range ingest.Reasons() {
		l.tagged("pulse.ingest.rejected", "Datapoints refused, by reason.", true, "reason", reason.String(), float64(in.Total.Rejected[reason]))
	}
	l.add("pulse.ingest.requests", "Requests that brought datapoints.", true, float64(in.Total.Requests))
	l.add("pulse.ingest.unreadable", "Requests refused as a whole.", true, float64(in.Total.Unreadable))
	l.add("pulse.ingest.turnedAway", "Requests that the store could not take or whose idempotency key was in use.", true, float64(in.Total.Turned))
	l.add("pulse.ingest.again", "Requests answered as before, by their idempotency key.", true, float64(in.Total.Again))
	imported := "Points of the import route, by what became of them."
	l.tagged("pulse.ingest.imported", imported, true, "outcome", "accepted", float64(in.Import.Accepted))
	l.tagged("pulse.ingest.imported", imported, true, "outcome", "rejected", float64(in.Import.Rejected))
}

func (s *Server) storeSamples(l *samples) {
	st := s.opts.Store.Stats()
	l.add("pulse.store.series", "Series that can be found.", false, float64(st.Series))
	l.add("pulse.store.refused", "New series refused by a limit.", true, float64(st.Refused))
	l.add("pulse.store.blocks", "Sealed blocks.", false, float64(st.Blocks))
	l.add("pulse.store.blockBytes", "Bytes of sealed blocks and their directories.", false, float64(st.BlockBytes))
	l.add("pulse.store.headBytes", "Bytes of open columns.", false, float64(st.HeadBytes))
	l.add("pulse.store.cacheHits", "Block times that queries found aggregated in the cache.", true, float64(st.Cache.Hits))
	l.add("pulse.store.cacheMisses", "Block times that queries looked for in the cache in vain.", true, float64(st.Cache.Misses))
	l.add("pulse.store.sources", "Senders known.", false, float64(st.Sources))
}

func (s *Server) detectSamples(l *samples) {
	d := s.opts.Detect.Stats()
	l.add("pulse.detect.rules", "Rules.", false, float64(d.Rules))
	l.add("pulse.detect.groups", "Groups of rules, each with a detector.", false, float64(d.Groups))
	alerts := "Alerts, by state."
	l.tagged("pulse.detect.alerts", alerts, false, "state", "firing", float64(d.Firing))
	l.tagged("pulse.detect.alerts", alerts, false, "state", "pending", float64(d.Pending))
	l.tagged("pulse.detect.alerts", alerts, false, "state", "nodata", float64(d.NoData))
	l.add("pulse.detect.closed", "Steps judged.", true, float64(d.Closed))
	l.add("pulse.detect.missed", "Steps judged more than a step too late.", true, float64(d.Missed))
	l.add("pulse.detect.putOff", "Closes put off for a missing source.", true, float64(d.PutOff))
	l.add("pulse.detect.silenced", "Alerts that began while they were silenced; who was to be told was not, or later.", true, float64(d.Silenced))
	l.add("pulse.detect.inhibited", "Alerts that began while they were inhibited; who was to be told was not, or later.", true, float64(d.Inhibited))
	l.add("pulse.detect.muted", "Alerts that began while a mute held some of their receivers back.", true, float64(d.Muted))
	l.add("pulse.detect.unrouted", "Alerts that no route gave to a receiver.", true, float64(d.Unrouted))
	l.add("pulse.detect.unexplained", "Decisions of which only the notification was kept, because there were too many at once.", true, float64(d.Unexplained))
	l.add("pulse.detect.suppressed", "Verdicts out of band beyond the limit of alerts of a rule.", true, float64(d.Suppressed))
	l.add("pulse.detect.damaged", "Records of incidents that cannot be read.", false, float64(d.Damaged))
	l.add("pulse.detect.errors", "Steps whose expression failed.", true, float64(d.Errors))

	l.add("pulse.detect.stateBytes", "Bytes of detector states written to the database.", true, float64(d.SavedBytes))
	l.add("pulse.detect.checkpointBytes", "Bytes of detector states kept in memory for bands.", false, float64(d.CheckpointBytes))
	for _, o := range costliest(s.opts.Detect.Owners()) {
		l.tagged("pulse.detect.costSeconds", "Time spent on an owner's rules, of the 50 costliest.", true, "owner", o.Owner, float64(o.CostNs)/1e9)
		l.tagged("pulse.detect.lagSeconds", "How late an owner's rules are.", false, "owner", o.Owner, float64(o.LagMs)/1e3)
		l.tagged("pulse.detect.deferred", "Times that an owner's rules had to wait for those of others.", true, "owner", o.Owner, float64(o.Deferred))
	}
}

func (s *Server) notifySamples(l *samples) {
	n := s.opts.Notify.Stats()
	l.add("pulse.notify.attempts", "Attempts to deliver a notification.", true, float64(n.Attempts))
	l.add("pulse.notify.accepted", "Notifications that a receiver accepted.", true, float64(n.Accepted))
	l.add("pulse.notify.retries", "Attempts after which another was due.", true, float64(n.Retries))
	l.add("pulse.notify.deadLetters", "Notifications given up.", true, float64(n.DeadLetters))
	l.add("pulse.notify.failing", "Receivers that fail, of which the others were told.", false, float64(n.Failing))
	l.add("pulse.notify.heartbeats", "Heartbeats that receivers accepted.", true, float64(n.Heartbeats))
	l.add("pulse.notify.hostsDown", "Hosts of receivers that are down and only probed.", false, float64(n.HostsDown))
}

func (s *Server) httpSamples(l *samples) {
	for class := range s.stats.byClass {
		text := strconv.Itoa(class) + "xx"
		if class == 0 {
			text = "unreadable"
		}
		l.tagged("pulse.http.requests", "Requests answered, by class of status.", true, "status", text, float64(s.stats.byClass[class].Load()))
	}
	unlet := "Requests refused for their token, by what was wrong with it."
	l.tagged("pulse.http.unauthorized", unlet, true, "reason", "token", float64(s.stats.unauthorized.Load()))
	l.tagged("pulse.http.unauthorized", unlet, true, "reason", "scope", float64(s.stats.forbidden.Load()))
	l.add("pulse.http.connections", "Open connections.", false, float64(s.http.GetOpenConnectionsCount()))
	l.add("pulse.http.streams", "Event streams.", false, float64(s.open.Load()))
	l.add("pulse.http.panics", "Requests that failed by a fault of the server.", true, float64(s.stats.panics.Load()))
	l.add("pulse.query.count", "Queries evaluated.", true, float64(s.stats.queries.Load()))
	l.add("pulse.query.running", "Queries running.", false, float64(s.gate.running()))
}

func (s *Server) processSamples(l *samples) {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	l.add("pulse.process.heapBytes", "Bytes of live and not yet collected heap.", false, float64(mem.HeapAlloc))
	l.add("pulse.process.goroutines", "Goroutines.", false, float64(runtime.NumGoroutine()))
	l.add("pulse.process.gcCpuSeconds", "CPU time of garbage collection.", true, mem.GCCPUFraction*time.Since(s.started).Seconds()*float64(runtime.GOMAXPROCS(0)))
}

// metrics answers in the Prometheus text format.
func (s *Server) metrics(r *request) {
	var b []byte
	last := ""
	for _, m := range s.samples() {
		name := promName(m)
		if name != last {
			kind := "gauge"
			if m.counter {
				kind = "counter"
			}
			b = append(b, "# HELP "+name+" "+m.help+"\n# TYPE "+name+" "+kind+"\n"...)
			last = name
		}
		b = append(b, name...)
		if m.key != "" {
			b = append(b, "{"+m.key+"="+strconv.Quote(m.value)+"}"...)
		}
		b = append(b, ' ')
		b = strconv.AppendFloat(b, m.v, 'g', -1, 64)
		b = append(b, '\n')
	}
	r.body("text/plain; version=0.0.4; charset=utf-8", b)
	compress(r.ctx)
}

// promName turns pulse.ingest.blockBytes into pulse_ingest_block_bytes, with
// the suffix _total for counters.
func promName(m sample) string {
	var b strings.Builder
	for _, c := range m.name {
		switch {
		case c == '.':
			b.WriteByte('_')
		case c >= 'A' && c <= 'Z':
			b.WriteByte('_')
			b.WriteRune(c + 'a' - 'A')
		default:
			b.WriteRune(c)
		}
	}
	if m.counter {
		b.WriteString("_total")
	}
	return b.String()
}

// RunOwnMetrics publishes the server's own numbers into its own store at each
// step, until ctx ends, so that a fresh server has something real to graph.
func (s *Server) RunOwnMetrics(ctx context.Context) error {
	step := s.opts.Store.Step()
	every := step * max(1, time.Second.Milliseconds()/step) // a step below a second is too fine for these
	from := ingest.From{Peer: "pulse"}
	for next := s.nowMs()/every*every + every; ; next += every {
		select {
		case <-s.opts.Clock.After(time.UnixMilli(next).Sub(s.opts.Clock.Now())):
		case <-ctx.Done():
			return nil
		}
		if !s.opts.Store.Health().Ready {
			continue
		}
		now := s.nowMs()
		if now-next > every {
			next = now / every * every // the clock jumped: go on from here
		}
		s.opts.Pipeline.Append(s.ownPoints(next), from, now)
		s.opts.Detect.Wake()
	}
}

func (s *Server) ownPoints(t int64) []ingest.Point {
	samples := s.samples()
	out := make([]ingest.Point, 0, len(samples))
	for _, m := range samples {
		kind := "gauge"
		if m.counter {
			kind = "counter"
		}
		kv := []string{"name", m.name, "atlas.dstype", kind, "nf.app", "pulse"}
		if m.key != "" {
			kv = append(kv, m.key, m.value)
		}
		out = append(out, ingest.Point{Tags: tags.Of(kv...), Time: t, Value: m.v})
	}
	return out
}

// costliest returns the owners that have cost most, so that the number of series
// is bounded.
func costliest(list []detect.OwnerStats) []detect.OwnerStats {
	const most = 50
	slices.SortStableFunc(list, func(a, b detect.OwnerStats) int { return cmp.Compare(b.CostNs, a.CostNs) })
	return list[:min(len(list), most)]
}
