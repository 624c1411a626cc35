package algo_test

import (
	"strings"
	"testing"

	"pulse/detect/algo"
)

func scoreText(t *testing.T, input string, spec algo.Spec, options algo.ScoreOptions) string {
	t.Helper()
	var out strings.Builder
	if err := algo.Score(&out, strings.NewReader(input), spec, options); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestScoreEchoesTimestampsOrCountsFromTheOrigin(t *testing.T) {
	const input = "timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,20.50\n2014-04-01 00:20:00,\n"
	spec := algo.Spec{Kind: "static", Params: map[string]any{"above": 10}}
	const head = "timestamp,value,expected,lower,upper,anomaly_score,firing\n"

	want := head + "2014-04-01 00:00:00,1,NaN,NaN,10,0,0\n2014-04-01 00:05:00,20.5,NaN,NaN,10,1,1\n2014-04-01 00:20:00,NaN,NaN,NaN,10,0,1\n"
	if got := scoreText(t, input, spec, algo.ScoreOptions{}); got != want {
		t.Errorf("with timestamps:\n%s\nwant\n%s", got, want)
	}

	origin := int64(1_700_000_000_000)
	want = head + "1700000000000,1,NaN,NaN,10,0,0\n1700000000100,20.5,NaN,NaN,10,1,1\n1700000000200,NaN,NaN,NaN,10,0,1\n"
	if got := scoreText(t, input, spec, algo.ScoreOptions{Step: 100, Origin: &origin}); got != want {
		t.Errorf("with an origin:\n%s\nwant\n%s", got, want)
	}
}
