package main

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/klauspost/compress/s2"
	"github.com/prometheus/prometheus/prompb"
)

const at = 1_700_000_000_123

// point is a datapoint as a reader finds it, its tags in Pulse's words.
type point struct {
	tags  map[string]string
	t     int64
	value float64
}

// TestBodiesReadBack reads what is sent with readers of other makers and finds
// exactly the fleet's own values again.
func TestBodiesReadBack(t *testing.T) {
	f := newFleet(7, 2*perNode, 40, 10_000)
	for name, c := range map[string]struct {
		write protocol
		read  func(t *testing.T, body []byte) []point
		peer  bool // its names have no dots
	}{
		"publish":      {appendPublish, readPublish, false},
		"influx":       {appendInflux, readInflux, true},
		"remote write": {appendRemoteWrite, readRemoteWrite, true},
	} {
		t.Run(name, func(t *testing.T) {
			absent := 0
			for node := range f.nodes() {
				for k := range f.steps {
					points := c.read(t, c.write(nil, f, node, k, at))
					if len(points) != f.sent(node, k) {
						t.Fatalf("node %d, step %d: %d points, want %d", node, k, len(points), f.sent(node, k))
					}
					for i := node * perNode; i < (node+1)*perNode; i++ {
						v := f.values[k][i]
						if math.IsNaN(v) {
							absent++
							continue
						}
						checkPoint(t, points[0], &f.series[i], v, c.peer)
						points = points[1:]
					}
				}
			}
			if absent == 0 {
				t.Error("no series has a gap, so that nothing is known of gaps")
			}
		})
	}
}

func checkPoint(t *testing.T, got point, s *series, v float64, peer bool) {
	t.Helper()
	if got.t != at || math.Float64bits(got.value) != math.Float64bits(v) {
		t.Fatalf("%v at %d, want %v at %d", got.value, got.t, v, int64(at))
	}
	want := map[string]string{}
	for _, x := range s.tags {
		if peer {
			want[label(x.key)] = x.value
		} else {
			want[x.key] = x.value
		}
	}
	if peer {
		want["__name__"] = strings.NewReplacer(".", "_", "-", "_").Replace(want["__name__"])
	} else {
		want["atlas.dstype"] = s.dstype
	}
	if len(got.tags) != len(want) {
		t.Fatalf("tags %v, want %v", got.tags, want)
	}
	for k, v := range want {
		if got.tags[k] != v {
			t.Fatalf("tags %v, want %v", got.tags, want)
		}
	}
}

func readPublish(t *testing.T, body []byte) (out []point) {
	var p struct {
		Tags    map[string]string
		Metrics []struct {
			Tags      map[string]string
			Timestamp int64
			Value     float64
		}
	}
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	for _, m := range p.Metrics {
		for k, v := range p.Tags {
			m.Tags[k] = v
		}
		out = append(out, point{m.Tags, m.Timestamp, m.Value})
	}
	return out
}

func readInflux(t *testing.T, body []byte) (out []point) {
	d := lineprotocol.NewDecoderWithBytes(body)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for d.Next() {
		m, err := d.Measurement()
		must(err)
		p := point{tags: map[string]string{"__name__": string(m)}}
		for {
			k, v, err := d.NextTag()
			must(err)
			if k == nil {
				break
			}
			p.tags[string(k)] = string(v)
		}
		k, v, err := d.NextField()
		must(err)
		if string(k) != "value" {
			t.Fatalf("field %q", k)
		}
		p.value = v.FloatV()
		when, err := d.Time(lineprotocol.Millisecond, time.Time{})
		must(err)
		p.t = when.UnixMilli()
		out = append(out, p)
	}
	return out
}

func readRemoteWrite(t *testing.T, body []byte) (out []point) {
	plain, err := s2.Decode(nil, body)
	if err != nil {
		t.Fatal(err)
	}
	var r prompb.WriteRequest
	if err := r.Unmarshal(plain); err != nil {
		t.Fatal(err)
	}
	for _, x := range r.Timeseries {
		p := point{tags: map[string]string{}}
		names := make([]string, len(x.Labels))
		for i, l := range x.Labels {
			p.tags[l.Name], names[i] = l.Value, l.Name
		}
		if !slices.IsSorted(names) {
			t.Fatalf("labels %v are not sorted", names)
		}
		if len(x.Samples) != 1 {
			t.Fatalf("%d samples", len(x.Samples))
		}
		p.t, p.value = x.Samples[0].Timestamp, x.Samples[0].Value
		out = append(out, p)
	}
	return out
}
