package detect_test

import (
	"fmt"
	"sync"
	"testing"

	"pulse/detect"
	"pulse/detect/label"
	"pulse/store/tags"
)

// TestSilencesConcurrently: silences are put, ended, listed and previewed while alerts
// come and go, and in the end nothing is held back that nothing silences.
func TestSilencesConcurrently(t *testing.T) {
	r := newRig(t, second)
	r.put(regional)
	r.to(0)
	var people sync.WaitGroup
	stop := make(chan struct{})
	for i := range 3 {
		people.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				body := fmt.Sprintf(`{"matchers":["region=~\"%s\""],"endsAt":"now+1h","author":"p%d","comment":"c","endWhenNormalFor":"2s"}`, []string{"eu|us", "a.*", "eu"}[n%3], i)
				s, err := detect.ParseSilence([]byte(body), r.now())
				if err == nil {
					s, err = r.engine.PutSilence(s, r.now())
				}
				if err != nil {
					t.Error(err)
					return
				}
				for _, a := range r.engine.Firing() {
					_ = a.SilencedBy
				}
				if _, err := r.engine.PreviewSilence(s.Matchers, 1000, r.now()); err != nil {
					t.Error(err)
				}
				r.engine.Silences(r.now())
				if err := r.engine.ExpireSilence(s.ID, "", r.now()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	people.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			list, err := detect.ParseRoutes([]byte(fmt.Sprintf(`{"routes":[{"receiver":"r%d","repeat_interval":"1h"},{"receiver":"rest"}]}`, n%3)))
			if err == nil {
				err = r.engine.PutRoutes(list)
			}
			rule, wrong := detect.ParseInhibit([]byte(`{"source":["region=eu"],"target":["region=us"]}`), "west")
			if wrong == nil && err == nil {
				err = r.engine.PutInhibit(rule)
			}
			if err == nil {
				_, err = r.engine.WhyNot(t.Context(), "regional", tags.Of("region", "us"), 0)
			}
			if err == nil {
				err = r.engine.DeleteInhibit("west")
			}
			if err != nil {
				t.Error(err)
				return
			}
			r.engine.TestRoutes(label.Set{"region": "eu"}, r.now())
			r.engine.Export(nil)
		}
	})
	for s := int64(1); s < 60; s += 6 {
		r.feed(s, s+2, map[string]float64{"eu": 1, "us": 1, "ap": 1})
		r.feed(s+3, s+5, map[string]float64{"eu": 20, "us": 20, "ap": 20})
	}
	r.feed(61, 64, map[string]float64{"eu": 1, "us": 1, "ap": 1})
	close(stop)
	people.Wait()
	r.to(66_000)
	begun := map[string]int{}
	for _, n := range r.took() {
		if n.Type == "alert.firing" {
			begun[n.Incident]++
		}
	}
	for _, a := range r.alerts("firing") {
		if begun[a.Incident] != 1 || len(a.SilencedBy) > 0 {
			t.Errorf("%s was told %d times, silenced by %v", a.Incident, begun[a.Incident], a.SilencedBy)
		}
	}
	if len(r.alerts("firing")) != 3 {
		t.Errorf("%d fire, want 3", len(r.alerts("firing")))
	}
}
