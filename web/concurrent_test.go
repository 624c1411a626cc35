package web_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestBodiesAreNotShared has many publishers on pooled connections send bodies
// of all sizes and encodings at once: buffers are used again all the time, and
// every value must stay with its series.
func TestBodiesAreNotShared(t *testing.T) {
	const workers, requests, series = 8, 30, 40
	r := newRig(t, settings{})
	value := func(worker, request, i int) float64 { return float64(1_000_000*worker + 1_000*request + i) }
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(w)))
			for q := range requests {
				var points []string
				for i := range series {
					more := []string{"worker", fmt.Sprint("w", w), "i", fmt.Sprint("i", i)}[:2]
					points = append(points, point(epoch, value(w, q, i), "gauge", fmt.Sprintf("s%d.%s", i, strings.Repeat("x", i)), append(more, "app", fmt.Sprint("a", w))...))
				}
				rnd.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
				body := strings.Repeat(" ", rnd.IntN(20_000)) + metrics(points...)
				var a answer
				var err error
				switch rnd.IntN(4) {
				case 0:
					a, err = r.try("POST", "/api/v1/publish", body)
				case 1:
					a, err = r.try("POST", "/api/v1/publish", struct{ *strings.Reader }{strings.NewReader(body)}) // in chunks
				case 2:
					a, err = r.try("POST", "/api/v1/publish", packed("gzip", body), "Content-Encoding: gzip")
				case 3:
					a, err = r.try("POST", "/api/v1/publish", packed("zstd", body), "Content-Encoding: zstd")
				}
				if err != nil || a.status != 200 && a.status != 503 {
					t.Errorf("worker %d, request %d: %v %v", w, q, a, err)
					return
				}
				if a.status == 503 { // the places for packed bodies are taken
					if a, err = r.try("POST", "/api/v1/publish", body); err != nil || a.status != 200 {
						t.Errorf("worker %d, request %d: %v %v", w, q, a, err)
						return
					}
				}
				if a, err = r.try("POST", fmt.Sprintf("/c/count.%d?app=a%d", w, w), fmt.Sprint(q)); err != nil || a.status != 204 {
					t.Errorf("worker %d, count %d: %v %v", w, q, a, err)
					return
				}
				if a, err = r.try("GET", fmt.Sprintf("/api/v1/rules/none-%d", w), nil); err != nil || !strings.Contains(string(a.body), fmt.Sprintf("none-%d", w)) {
					t.Errorf("worker %d got another's answer: %v %v", w, a, err)
					return
				}
			}
		})
	}
	wg.Wait()
	r.move(step * time.Millisecond)
	for w := range workers {
		g := decode[graphAnswer](t, r.get(fmt.Sprintf("/api/v1/graph?q=worker,w%d,:eq,:max,(,name,app,),:by&s=%d&e=%d&step=1s&format=json", w, epoch-step, epoch)))
		if len(g.Metrics) != series {
			t.Errorf("worker %d: %d series, want %d", w, len(g.Metrics), series)
			continue
		}
		for j, m := range g.Metrics {
			var i int
			fmt.Sscanf(m["name"], "s%d.", &i)
			if want := value(w, requests-1, i); g.Values[0][j] != want || m["app"] != fmt.Sprint("a", w) {
				t.Errorf("worker %d %v: got %v, want %v", w, m, g.Values[0][j], want)
			}
		}
		if got := r.column(fmt.Sprintf("name,count.%d,:eq,:sum", w), epoch-step, epoch); got[0] != float64(requests*(requests-1)/2) {
			t.Errorf("worker %d counted %v, want %d", w, got, requests*(requests-1)/2)
		}
	}
	if names := decode[[]string](t, r.get("/api/v1/tags/name")); len(names) != series+workers {
		t.Errorf("%d names, want %d", len(names), series+workers)
	}
}
