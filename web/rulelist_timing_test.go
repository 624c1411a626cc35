package web_test

import (
	"fmt"
	"testing"
	"time"
)

// manyRules is a server with so many rules, each over a group of its own.
func manyRules(t testing.TB, rules int) *rig {
	r := newRig(t, settings{})
	points := make([]string, rules)
	for i := range rules {
		id := fmt.Sprintf("rule-%05d", i)
		points[i] = point(epoch+1000, float64(i%100), "gauge", "sps", "app", fmt.Sprint("a", i), "region", "eu")
		r.putRule(id, fmt.Sprintf(`{"expr":"name,sps,:eq,app,a%d,:eq,:and,:sum,(,region,),:by","owner":"team-%d","detector":{"kind":"static","below":5},"labels":{"team":"t%d"},"annotations":{"summary":"{{.Tags.region}} is at {{.Value}}"}}`, i, i%20, i%20))
	}
	for i := range int64(3) {
		r.move(time.Duration(epoch+(i+1)*1000-r.now()) * time.Millisecond)
		r.publish(points...)
		r.move(500 * time.Millisecond)
	}
	return r
}

// BenchmarkRuleList is the page of rules with 10,000 of them.
func BenchmarkRuleList(b *testing.B) {
	r := manyRules(b, 10_000)
	for _, query := range []string{"", "&sort=cost", "&find=team%3Dt7", "&sort=advice"} {
		b.Run("stats=1"+query, func(b *testing.B) {
			size := 0
			for b.Loop() {
				size = len(r.get("/api/v1/rules?stats=1&limit=100" + query).body)
			}
			b.ReportMetric(float64(size), "bytes/poll")
		})
	}
	tag := r.get("/api/v1/rules").header.Get("ETag")
	for what, have := range map[string]string{"all": "", "same": tag} {
		b.Run(what, func(b *testing.B) {
			size := 0
			for b.Loop() {
				size = len(r.call("GET", "/api/v1/rules", nil, "If-None-Match: "+have).body)
			}
			b.ReportMetric(float64(size), "bytes/poll")
		})
	}
}
