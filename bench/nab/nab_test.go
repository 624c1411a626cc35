package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulse/detect/algo"
)

// lcg draws the scores of the streams below.
type lcg uint32

func (r *lcg) next() float64 {
	*r = *r*1664525 + 1013904223
	return float64(*r) / (1 << 32)
}

// corpusOfNoise writes five streams of random scores with windows that begin in
// the warm-up, overlap, hold one row, or lie outside the stream.
func corpusOfNoise(t *testing.T) (*corpus, []*stream) {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, text []byte) {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	labels := map[string][][2]string{}
	for k, s := range []struct {
		name    string
		n, step int
		windows [][2]int
	}{
		{"a/one.csv", 1000, 300, [][2]int{{200, 259}, {500, 520}, {990, 999}}},
		{"a/two.csv", 6000, 60, [][2]int{{740, 760}, {3000, 3200}}},
		{"b/three.csv", 400, 3600, nil},
		{"b/four.csv", 97, 300, [][2]int{{0, 5}, {50, 50}, {80, 90}}},
		{"c/five.csv", 2500, 300, [][2]int{{600, 700}, {1200, 1300}, {1290, 1400}}},
	} {
		r := lcg(k + 1)
		stampOf := func(i int) string {
			return time.Date(2015, 3, 1, 0, 0, s.step*i, 0, time.UTC).Format("2006-01-02 15:04:05")
		}
		text := []byte("timestamp,value,anomaly_score\n")
		for i := range s.n {
			score := math.Floor(math.Sqrt(r.next())*1000) / 1000 * 0.9
			inside := false
			for _, w := range s.windows {
				inside = inside || i >= w[0] && i <= w[1]
			}
			if inside && r.next() < 0.05 {
				score = 0.9 + math.Floor(r.next()*100)/1000
			}
			if r.next() < 0.005 {
				score = 0.95
			}
			text = fmt.Appendf(text, "%s,0,%v\n", stampOf(i), score)
		}
		write("results/"+strings.Replace(s.name, "/", "/detector_", 1), text)
		write("data/"+s.name, nil)
		labels[s.name] = [][2]string{}
		for _, w := range s.windows {
			labels[s.name] = append(labels[s.name], [2]string{stampOf(w[0]) + ".000000", stampOf(w[1]) + ".000000"})
		}
	}
	labels["b/three.csv"] = [][2]string{{"2014-01-01 00:00:00.000000", "2014-01-02 00:00:00.000000"}}
	labels["b/absent.csv"] = [][2]string{}
	text, err := json.Marshal(labels)
	if err != nil {
		t.Fatal(err)
	}
	write("labels/combined_windows.json", text)
	c, err := openCorpus(dir)
	if err != nil {
		t.Fatal(err)
	}
	if c.absent != 1 || len(c.names) != 5 {
		t.Fatalf("%d streams and %d without data, want 5 and 1", len(c.names), c.absent)
	}
	streams, err := c.readResults(filepath.Join(dir, "results"), 2)
	if err != nil {
		t.Fatal(err)
	}
	return c, streams
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) < 1e-9 || math.IsNaN(got) && math.IsNaN(want)) {
		t.Errorf("%s is %.12f, want %.12f", what, got, want)
	}
}

// The figures come from an independent scorer in Python, run over the same files.
func TestScoresAgree(t *testing.T) {
	_, streams := corpusOfNoise(t)
	want := map[string][3]float64{ // at 0.95, at the optimum, at the threshold of other streams
		"standard":      {32.87104035364939, 53.83817205152755, 49.70821370359013},
		"reward_low_FP": {11.686731265892071, 53.83817205152755, 49.70821370359013},
		"reward_low_FN": {40.09584508425113, 54.07393288283655, 50.36103135794899},
	}
	var a, b []*stream
	for _, s := range streams {
		if strings.Contains("a/one.csv b/three.csv c/five.csv", s.name) {
			a = append(a, s)
		} else {
			b = append(b, s)
		}
	}
	for _, p := range profiles() {
		near(t, p.name+" at 0.95", scoreOf(streams, p, atLeast(0.95)), want[p.name][0])
		at := optimum(streams, p)
		near(t, p.name+" threshold", at, 0.956)
		near(t, p.name+" at the optimum", scoreOf(streams, p, atLeast(at)), want[p.name][1])
		near(t, p.name+" held out", (scoreOf(b, p, atLeast(optimum(a, p)))+scoreOf(a, p, atLeast(optimum(b, p))))/2, want[p.name][2])
	}
	for i, w := range []struct{ score, episodes, found, delay float64 }{
		{21.508501559336235, 33, 3, 9}, {-3.6666666666666625, 2, 0, math.NaN()}, {88.34631203115407, 6, 3, 19},
	} {
		part := categories(streams)[i]
		c := count(part.streams, atLeast(0.95))
		near(t, part.name, scoreOf(part.streams, profiles()[0], atLeast(0.95)), w.score)
		near(t, part.name+" episodes", float64(c.episodes), w.episodes)
		near(t, part.name+" found", float64(c.found), w.found)
		near(t, part.name+" delay", c.medianDelay(), w.delay)
	}
}

func TestFalseEpisodesAtARecall(t *testing.T) {
	_, streams := corpusOfNoise(t)
	at, ok := forRecall(streams, 0.7)
	if !ok {
		t.Fatal("a recall of 0.7 is out of reach")
	}
	near(t, "threshold", at, 0.8766)
	c := count(streams, atLeast(at))
	near(t, "false episodes per week", c.perWeek(), 55.501174628034455)
	near(t, "false rows", float64(c.falseRows), 464)
	near(t, "precision", c.precision(), 0.034334763948497854)
	near(t, "recall", c.recall(), 0.7272727272727273)
}

func TestNothingAndEverything(t *testing.T) {
	_, streams := corpusOfNoise(t)
	for _, p := range profiles() {
		near(t, p.name+" of nothing", scoreOf(streams, p, atLeast(never)), 0)
		first := func(s *stream, i int) bool { k := s.inside[i]; return k >= 0 && i == max(s.windows[k].first, s.warm) }
		if got := scoreOf(streams[3:4], p, first); p.name == "standard" && (got <= 0 || got >= 100) {
			t.Errorf("a window that begins in the warm-up scores %v, want between 0 and 100", got)
		}
		near(t, p.name+" of everything", scoreOf(streams[:1], p, first), 100)
	}
}

func TestHalvesAreOfEachCategory(t *testing.T) {
	_, streams := corpusOfNoise(t)
	a, b := halves(streams)
	if len(a)+len(b) != 5 || len(a) < 2 || len(b) < 2 {
		t.Fatalf("halves of %d and %d streams", len(a), len(b))
	}
	for _, half := range [][]*stream{a, b} {
		names := ""
		for _, s := range half {
			names += s.name + " "
		}
		if !strings.Contains(names, "a/") || !strings.Contains(names, "b/") {
			t.Errorf("one half is %s, want some of a and of b", names)
		}
	}
}

// What a detector's score file says is what its scores were made from.
func TestDetectorsAreScoredByTheirFiles(t *testing.T) {
	c, _ := corpusOfNoise(t)
	for _, name := range c.names {
		text := []byte("timestamp,value\n")
		for i := range 900 {
			v := 100 + math.Sin(float64(i)*1.7)
			if i > 500 && i < 510 {
				v = 10
			}
			text = fmt.Appendf(text, "%s,%v\n", time.Date(2015, 3, 1, 0, 5*i, 0, 0, time.UTC).Format("2006-01-02 15:04:05"), v)
		}
		if err := os.WriteFile(c.data(name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	direct, err := c.judge(algo.Spec{Kind: "exponential"}, 2, out)
	if err != nil {
		t.Fatal(err)
	}
	read, err := c.readResults(out, 2)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	report(&a, "x", direct, 0.999, true)
	report(&b, "x", read, 0.999, true)
	if a.String() != b.String() {
		t.Errorf("from files\n%s\nwant\n%s", b.String(), a.String())
	}
	if n := count(direct, onset).falseRows + count(direct, onset).found; n == 0 {
		t.Error("a fall to a tenth is no onset")
	}
}
