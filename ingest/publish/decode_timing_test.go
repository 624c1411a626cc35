package publish_test

import (
	"bytes"
	"fmt"
	"testing"

	"pulse/bench/gen"
	"pulse/ingest/publish"
)

// sample returns a body of n datapoints with four tags each.
func sample(n int) []byte {
	body := []byte(`{"tags":{"nf.app":"www","nf.region":"us-east-1"},"metrics":[`)
	for i := range n {
		if i > 0 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, `{"tags":{"name":"http.server.requests","status":"200","uri":"/api/v%d","nf.node":"i-%08x"},"timestamp":%d,"value":%g}`,
			i%7, i, 1_700_000_000_000, float64(i*37%1000)/4)
	}
	return append(body, `]}`...)
}

func sampleUpdate(n int) []byte {
	body := fmt.Appendf(nil, `[%d,"name","requests","statistic","count","nf.app","www","nf.node"`, n+7)
	for i := range n {
		body = fmt.Appendf(body, `,"i-%08x"`, i)
	}
	for i := range n {
		body = fmt.Appendf(body, `,4,4,5,6,%d,2,3,0,1,0,%d`, i+7, i%100)
	}
	return append(body, ']')
}

func TestDecodeAllocations(t *testing.T) {
	var b publish.Batch
	publishing, updating := sample(500), sampleUpdate(500)
	f := func(name string, decode func() error) {
		t.Helper()
		read := func() {
			if err := decode(); err != nil {
				t.Fatal(err)
			}
			for i := range b.Len() {
				if text, ok := b.Tags(i); !ok || len(text) == 0 {
					t.Fatal("no tags")
				}
			}
		}
		read() // columns grow once
		if n := testing.AllocsPerRun(20, read); n > 0 {
			t.Errorf("%s: %v allocations for 500 datapoints, want 0", name, n)
		}
	}
	f("publish", func() error { return publish.Decode(&b, publishing, publish.Limits{}) })
	f("quick", func() error { return publish.Quick(&b, publishing, publish.Limits{}) })
	f("update", func() error { return publish.DecodeUpdate(&b, updating, publish.Limits{}) })
}

func BenchmarkDecode(b *testing.B) {
	const n = 1000
	var batch publish.Batch
	run := func(name string, body []byte, decode func() error) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if err := decode(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/point")
		})
	}
	body, update := sample(n), sampleUpdate(n)
	run("form=publish", body, func() error { return publish.Decode(&batch, body, publish.Limits{}) })
	run("form=quick", body, func() error { return publish.Quick(&batch, body, publish.Limits{}) })
	spaced := bytes.ReplaceAll(bytes.ReplaceAll(body, []byte(`:`), []byte(`: `)), []byte(`,"`), []byte(`, "`))
	run("form=spaced", spaced, func() error { return publish.Quick(&batch, spaced, publish.Limits{}) })
	fleet, _ := gen.NewFleet(1, gen.FleetOptions{Series: n, PerNode: n}).AppendBody(nil, 0, 1_700_000_000_000)
	run("form=fleet", fleet, func() error { return publish.Quick(&batch, fleet, publish.Limits{}) })
	run("form=update", update, func() error { return publish.DecodeUpdate(&batch, update, publish.Limits{}) })
}
