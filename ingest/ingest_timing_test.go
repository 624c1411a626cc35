package ingest_test

import (
	"bytes"
	"fmt"
	"testing"

	"pulse/bench/testkit"
	"pulse/ingest"
	"pulse/store"
	"pulse/store/tags"
)

// dstypes are the kinds of series a sender has, in turn.
var dstypes = []string{"", `,"atlas.dstype":"gauge"`, `,"atlas.dstype":"sum"`, `,"atlas.dstype":"counter"`}

// senderBody returns what one of many senders publishes at a step: n series of
// all kinds with four to five tags and values that are not all round.
func senderBody(sender, n int, at int64) []byte {
	body := fmt.Appendf(nil, `{"tags":{"nf.app":"www","nf.region":"us-east-1","nf.node":"i-%08x"},"metrics":[`, sender)
	for i := range n {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"tags":{"name":"http.server.requests","status":"200","uri":"/api/v%d","id":"%d"%s},"timestamp":%d,"value":%g}`,
			i%7, i, dstypes[i%4], at, float64(i*37%1000)/4)
	}
	return append(bytes.ReplaceAll(body, []byte("/"), []byte("_")), `]}`...)
}

// TestPublishAllocations publishes known series: what is allocated belongs to
// the request and does not grow with its datapoints.
func TestPublishAllocations(t *testing.T) {
	if testkit.Race {
		t.Skip("the race detector is on")
	}
	count := func(name string, n int, send func(p *ingest.Pipeline, at int64) ingest.Answer) float64 {
		t.Helper()
		st := newStore(t, store.Options{})
		p := ingest.New(st, ingest.Options{})
		at := now
		publish := func() {
			if a := send(p, at); a.Status != 200 || a.Accepted != n {
				t.Fatalf("%s: %+v", name, a)
			}
		}
		for range 3 {
			at += st.Step()
			publish()
		}
		return testing.AllocsPerRun(20, publish)
	}
	f := func(name string, send func(n int) func(p *ingest.Pipeline, at int64) ingest.Answer) {
		t.Helper()
		few, many := count(name, 10, send(10)), count(name, 2000, send(2000))
		if many > 20 || (many-few)/1990 > 0.005 {
			t.Errorf("%s: %v allocations for 10 datapoints, %v for 2000", name, few, many)
		}
	}
	f("publish", func(n int) func(*ingest.Pipeline, int64) ingest.Answer {
		bodies := map[int64][]byte{}
		for i := range int64(4) {
			at := now + i*10_000
			bodies[at] = senderBody(1, n, at)
		}
		return func(p *ingest.Pipeline, at int64) ingest.Answer { return p.Publish(bodies[at], here, at) }
	})
	f("update", func(n int) func(*ingest.Pipeline, int64) ingest.Answer {
		body := fmt.Appendf(nil, `[%d,"name","requests","nf.node"`, n+3)
		for i := range n {
			body = fmt.Appendf(body, `,"i-%d"`, i)
		}
		for i := range n {
			body = fmt.Appendf(body, `,2,0,1,2,%d,%d,1.5`, i+3, i%2*10)
		}
		body = append(body, ']')
		return func(p *ingest.Pipeline, at int64) ingest.Answer { return p.Update(body, here, at) }
	})
	f("append", func(n int) func(*ingest.Pipeline, int64) ingest.Answer {
		points := make([]ingest.Point, n)
		for i := range points {
			points[i] = ingest.Point{Tags: tags.Of("name", "own", "id", fmt.Sprint(i)), Value: 1}
		}
		return func(p *ingest.Pipeline, at int64) ingest.Answer {
			for i := range points {
				points[i].Time = at
			}
			return p.Append(points, here, at)
		}
	})
}

// BenchmarkPublish measures a publish from the bytes of its body to the head
// columns of the store: 64 senders take turns, each with series of its own, all
// known or all new.
func BenchmarkPublish(b *testing.B) {
	const senders, points = 64, 1000
	b.Run("series=known", func(b *testing.B) {
		st := newStore(b, store.Options{NewSeriesRate: -1})
		p := ingest.New(st, ingest.Options{})
		bodies := make([][]byte, senders)
		for i := range bodies {
			bodies[i] = senderBody(i, points, now)
		}
		at := now
		send := func(i int) {
			if a := p.Publish(bodies[i], here, at); a.Accepted != points {
				b.Fatalf("%+v", a)
			}
		}
		for i := range bodies {
			send(i)
		}
		b.SetBytes(int64(len(bodies[0])))
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if i%senders == 0 { // the next step
				b.StopTimer()
				was := fmt.Appendf(nil, `"timestamp":%d`, at)
				at += st.Step()
				st.Advance(at)
				for k := range bodies {
					bodies[k] = bytes.ReplaceAll(bodies[k], was, fmt.Appendf(nil, `"timestamp":%d`, at))
				}
				b.StartTimer()
			}
			send(i % senders)
			i++
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/points, "ns/point")
	})
	b.Run("series=new", func(b *testing.B) {
		var p *ingest.Pipeline
		b.SetBytes(int64(len(senderBody(0, points, now))))
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			b.StopTimer()
			if i%senders == 0 {
				p = ingest.New(newStore(b, store.Options{NewSeriesRate: -1}), ingest.Options{})
			}
			body := senderBody(i, points, now)
			b.StartTimer()
			if a := p.Publish(body, here, now); a.Accepted != points {
				b.Fatalf("%+v", a)
			}
			i++
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/points, "ns/point")
	})
}
