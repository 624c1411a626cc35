package algo_test

import (
	"fmt"
	"math/rand/v2"
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

// stream returns n rows at distances of a minute, each 20th missing.
func stream(n int) string {
	r := rand.New(rand.NewPCG(5, 5))
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range n {
		if i%20 == 19 {
			continue
		}
		v := 100 + 5*r.NormFloat64()
		if i > 700 && i < 720 {
			v /= 3
		}
		fmt.Fprintf(&b, "2024-01-%02d %02d:%02d:00,%g\n", 1+i/1440, i/60%24, i%60, v)
	}
	return b.String()
}

func TestScoreIsCausal(t *testing.T) {
	input := strings.SplitAfter(stream(1500), "\n")
	for _, kind := range []string{"static", "exponential", "double-exponential"} {
		for _, options := range []algo.ScoreOptions{{}, {Step: 60_000}} {
			whole := scoreText(t, strings.Join(input, ""), algo.Spec{Kind: kind}, options)
			if !strings.Contains(whole, ",1\n") {
				t.Errorf("%s: the drop was not found", kind)
			}
			for _, rows := range []int{0, 1, 2, 50, 150, 690, 705, 1000} {
				part := scoreText(t, strings.Join(input[:rows+1], ""), algo.Spec{Kind: kind}, options)
				if !strings.HasPrefix(whole, part) || strings.Count(part, "\n") != rows+1 {
					t.Errorf("%s: the first %d rows alone are judged otherwise", kind, rows)
				}
			}
		}
	}
}

// Absent rows must be what rows without data are.
func TestAbsentRowIsAStepWithoutData(t *testing.T) {
	input := stream(1500)
	lines := strings.SplitAfter(input, "\n")
	filled := lines[0]
	for i, line := range lines[1 : len(lines)-1] {
		if i > 0 && i%19 == 0 {
			filled += "-,\n"
		}
		filled += line
	}
	spec := algo.Spec{Kind: "double-exponential"}
	kept := ""
	for _, line := range strings.SplitAfter(scoreText(t, filled, spec, algo.ScoreOptions{Step: 60_000}), "\n") {
		if !strings.HasPrefix(line, "-,") {
			kept += line
		}
	}
	if got := scoreText(t, input, spec, algo.ScoreOptions{}); got != kept {
		t.Error("absent rows and rows without a value are judged differently")
	}
}

func TestScoreReadsWhatPeopleHave(t *testing.T) {
	const want = "timestamp,value,expected,lower,upper,anomaly_score,firing\n%s,5,NaN,NaN,1,1,1\n"
	spec := algo.Spec{Kind: "static", Params: map[string]any{"above": 1}}
	for input, stamp := range map[string]string{
		"timestamp,value\r\n2014-04-01 00:00:00,5.0\r\n":          "2014-04-01 00:00:00",
		"\ufeffvalue,host,timestamp\n5,a,2014-04-01T00:00:00Z":    "2014-04-01T00:00:00Z",
		"2014-04-01T00:00:00.123+02:00, 5e0 ,x,y\n":               "2014-04-01T00:00:00.123+02:00",
		"\n\n1396310400000,5\n\n":                                 "1396310400000",
		"\"timestamp\",\"value\"\n\"1396310400\",\"5\"\n":         "\"1396310400\"",
		"timestamp,value\n2014-04-01 00:00,0x5p0\n":               "2014-04-01 00:00",
		"Timestamp,Value\n2014-04-01,5\n":                         "2014-04-01",
		"timestamp,value\n2014-04-01 00:00:00.000000,+5.000000\n": "2014-04-01 00:00:00.000000",
	} {
		if got := scoreText(t, input, spec, algo.ScoreOptions{}); got != fmt.Sprintf(want, stamp) {
			t.Errorf("%q gave\n%s", input, got)
		}
	}
}

func TestScoreNamesTheLineItRefuses(t *testing.T) {
	origin := int64(0)
	for _, c := range []struct {
		input   string
		options algo.ScoreOptions
		want    string
	}{
		{"timestamp,value\n1,1\n\nsoon,2\n", algo.ScoreOptions{}, `line 4: timestamp "soon" is not understood`},
		{"timestamp,value\n1,1\n2,two\n", algo.ScoreOptions{Step: 1000}, `line 3: value "two" is not a number`},
		{"timestamp,value\n1\n", algo.ScoreOptions{Step: 1000}, "line 2 has 1 columns"},
		{"1e300,1\n", algo.ScoreOptions{}, "line 1: timestamp"},
		{strings.Repeat("9", 1<<17), algo.ScoreOptions{}, "line 1: bufio.Scanner: token too long"},
		{"1,1\n", algo.ScoreOptions{Origin: &origin}, "an origin needs a step"},
		{"1,1\n", algo.ScoreOptions{Step: -5}, "step -5 ms is not positive"},
	} {
		err := algo.Score(&strings.Builder{}, strings.NewReader(c.input), algo.Spec{Kind: "exponential"}, c.options)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: error %v, want %q in it", c.input, err, c.want)
		}
	}
}

func TestHugeGapIsFedInBoundedTime(t *testing.T) {
	input := "timestamp,value\n-285000000000,1\n-284999999999,2\n-284999999998,3\n285000000000000,4\n"
	got := scoreText(t, input, algo.Spec{Kind: "exponential"}, algo.ScoreOptions{})
	if strings.Count(got, "\n") != 5 {
		t.Errorf("got\n%s", got)
	}
}

func TestRowsShowTheShortestNumbers(t *testing.T) {
	tenth := 0.1
	v := algo.Verdict{Expected: tenth + 0.2, Lower: -1e-7, Upper: 12345678901234567890, Score: 1}
	if got, want := string(algo.AppendRow(nil, "t", 1e22, v)), "t,1e+22,0.30000000000000004,-1e-07,12345678901234567000,1,0\n"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

func FuzzScore(f *testing.F) {
	f.Add([]byte(stream(30)), int64(0))
	f.Add([]byte("timestamp,value\n2014-04-01 00:00:00,1\n2014-04-01 00:05:00,NaN\n"), int64(0))
	f.Add([]byte("1,2\n\n3,-Inf\n4,1e308"), int64(1000))
	f.Add([]byte("\"timestamp\",value\r\n,\n"), int64(100))
	f.Fuzz(func(t *testing.T, input []byte, step int64) {
		var out strings.Builder
		err := algo.Score(&out, strings.NewReader(string(input)), algo.Spec{Kind: "double-exponential"}, algo.ScoreOptions{Step: step})
		if err != nil {
			return
		}
		rows := strings.Count(out.String(), "\n") - 1
		if most := strings.Count(string(input), "\n") + 1; rows < 0 || rows > most {
			t.Fatalf("%d rows from at most %d", rows, most)
		}
	})
}
