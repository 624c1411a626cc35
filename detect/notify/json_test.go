package notify

import (
	"encoding/json"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// present returns m, or an empty map for nil.
func present(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// TestAppendJSON: the body is what encoding/json writes.
func TestAppendJSON(t *testing.T) {
	numbers := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), 1e-6, 9e-7, 1e20, 1e21, 100, 412.5}))
	texts := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "plain", `"\`, "<&>", "\x00\x7f\u2028é\xff", "日本"}))
	times := rapid.SampledFrom([]int64{0, 1, 1_700_000_000_000, 1_700_000_000_123, -5})
	maps := rapid.Custom(func(t *rapid.T) map[string]string {
		if rapid.Bool().Draw(t, "nil") {
			return nil
		}
		return rapid.MapOfN(texts, texts, 0, 4).Draw(t, "map")
	})
	rapid.Check(t, func(t *rapid.T) {
		n := Notification{
			ID: texts.Draw(t, "id"), Incident: texts.Draw(t, "incident"), Type: texts.Draw(t, "type"), Status: texts.Draw(t, "status"),
			Rule: texts.Draw(t, "rule"), Severity: texts.Draw(t, "severity"), Owner: texts.Draw(t, "owner"), Absence: rapid.Bool().Draw(t, "absence"), Flapping: rapid.Bool().Draw(t, "flapping"),
			Labels: maps.Draw(t, "labels"), Annotations: maps.Draw(t, "annotations"), Tags: maps.Draw(t, "tags"),
			Value: numbers.Draw(t, "value"), Expected: numbers.Draw(t, "expected"), Lower: numbers.Draw(t, "lower"), Upper: numbers.Draw(t, "upper"),
			Score: numbers.Draw(t, "score"), Cause: texts.Draw(t, "cause"),
			Detector: rapid.SampledFrom([]json.RawMessage{nil, json.RawMessage(`{"kind": "<static>",  "below":1.50}`)}).Draw(t, "detector"),
			StartsAt: times.Draw(t, "start"), EndsAt: times.Draw(t, "end"), EvaluatedAt: times.Draw(t, "at"),
			DataAgeMs: rapid.Int64().Draw(t, "age"), Completeness: numbers.Draw(t, "completeness"), Link: texts.Draw(t, "link"), Graph: texts.Draw(t, "graph"),
		}
		contributors := []contributorBody{}
		for range rapid.IntRange(0, 3).Draw(t, "contributors") {
			c := Contributor{maps.Draw(t, "of"), numbers.Draw(t, "delta"), numbers.Draw(t, "share")}
			n.Contributors = append(n.Contributors, c)
			contributors = append(contributors, contributorBody{present(c.Tags), number(c.Delta), number(c.Share)})
		}
		want, err := json.Marshal(body{
			Type: n.Type, ID: n.ID, Incident: n.Incident, Status: n.Status, Rule: n.Rule, Severity: n.Severity, Owner: n.Owner, Absence: n.Absence, Flapping: n.Flapping,
			Labels: present(n.Labels), Annotations: present(n.Annotations), Tags: present(n.Tags),
			Value: number(n.Value), Expected: number(n.Expected), Lower: number(n.Lower), Upper: number(n.Upper),
			Score: number(n.Score), Cause: n.Cause, Detector: n.Detector,
			StartsAt: instant(n.StartsAt), EndsAt: instant(n.EndsAt), EvaluatedAt: instant(n.EvaluatedAt),
			DataAgeMs: n.DataAgeMs, Completeness: number(n.Completeness), Contributors: contributors, Link: n.Link, Graph: n.Graph,
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := n.AppendJSON(nil)
		if err != nil || string(got) != string(want) {
			t.Fatalf("got  %s, %v\nwant %s", got, err, want)
		}
	})
	bad := Notification{ID: "x", Detector: json.RawMessage(`{`)}
	if text, err := bad.AppendJSON(nil); err == nil {
		t.Errorf("half an object was written as %s", text)
	}
}
