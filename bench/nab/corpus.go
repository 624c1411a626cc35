package main

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"pulse/detect/algo"
)

// corpus is a folder in the benchmark's layout: data/<category>/<file>.csv and
// labels/combined_windows.json.
type corpus struct {
	dir     string
	names   []string // of the streams with both data and labels, in order
	windows map[string][]window
	absent  int // labelled streams without data
}

func openCorpus(dir string) (*corpus, error) {
	text, err := os.ReadFile(filepath.Join(dir, "labels", "combined_windows.json"))
	if err != nil {
		return nil, err
	}
	var labels map[string][][2]string
	if err := json.Unmarshal(text, &labels); err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	c := &corpus{dir: dir, windows: map[string][]window{}}
	for name, pairs := range labels {
		if _, err := os.Stat(c.data(name)); err != nil {
			c.absent++
			continue
		}
		c.names = append(c.names, name)
		for _, p := range pairs {
			start, err := stamp(p[0])
			if err != nil {
				return nil, err
			}
			end, err := stamp(p[1])
			if err != nil {
				return nil, err
			}
			c.windows[name] = append(c.windows[name], window{start, end})
		}
	}
	if len(c.names) == 0 {
		return nil, fmt.Errorf("%s holds no labelled stream", dir)
	}
	slices.Sort(c.names)
	return c, nil
}

func (c *corpus) data(name string) string {
	return filepath.Join(c.dir, "data", filepath.FromSlash(name))
}

// judge runs a detector over every stream, cpus at a time, and returns the
// streams with its verdicts. With out, what `pulse score` would print is also
// written below it.
func (c *corpus) judge(spec algo.Spec, cpus int, out string) ([]*stream, error) {
	return each(c.names, cpus, func(name string) (*stream, error) {
		text, err := os.ReadFile(c.data(name))
		if err != nil {
			return nil, err
		}
		var verdicts bytes.Buffer
		if err := algo.Score(&verdicts, bytes.NewReader(text), spec, algo.ScoreOptions{}); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if out != "" {
			file := filepath.Join(out, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				return nil, err
			}
			if err := os.WriteFile(file, verdicts.Bytes(), 0o644); err != nil {
				return nil, err
			}
		}
		return c.read(name, verdicts.Bytes())
	})
}

// readResults reads score files below dir instead: <category>/<anything
// ending in _ and the stream's file name, or just that>.
func (c *corpus) readResults(dir string, cpus int) ([]*stream, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		category := filepath.Base(filepath.Dir(path))
		for _, name := range c.names {
			folder, leaf, _ := strings.Cut(name, "/")
			if folder == category && (d.Name() == leaf || strings.HasSuffix(d.Name(), "_"+leaf)) {
				files[name] = path
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return each(c.names, cpus, func(name string) (*stream, error) {
		text, err := os.ReadFile(files[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return c.read(name, text)
	})
}

// read takes a score file apart. The column firing may be missing.
func (c *corpus) read(name string, text []byte) (*stream, error) {
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: no header", name)
	}
	at, score, firing := slices.Index(rows[0], "timestamp"), slices.Index(rows[0], "anomaly_score"), slices.Index(rows[0], "firing")
	if at < 0 || score < 0 {
		return nil, fmt.Errorf("%s: no column timestamp or anomaly_score", name)
	}
	times, scores := make([]int64, len(rows)-1), make([]float64, len(rows)-1)
	var fires []bool
	for i, row := range rows[1:] {
		if times[i], err = stamp(row[at]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if row[score] != "" {
			if scores[i], err = strconv.ParseFloat(row[score], 64); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		if firing >= 0 {
			fires = append(fires, row[firing] == "1")
		}
	}
	s := newStream(name, times, c.windows[name])
	s.scores, s.firing = scores, fires
	return s, nil
}

// stamp reads a time of the corpus, which has no zone, as Unix ms.
func stamp(text string) (int64, error) {
	text = strings.Replace(strings.TrimSpace(text), "T", " ", 1)
	for _, layout := range [...]string{"2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMilli(), nil
		}
	}
	return 0, fmt.Errorf("timestamp %.40q is not understood", text)
}

// each calls do for every name, cpus at a time, and returns the results in order.
func each(names []string, cpus int, do func(name string) (*stream, error)) ([]*stream, error) {
	out, errs := make([]*stream, len(names)), make([]error, len(names))
	next := make(chan int)
	var group sync.WaitGroup
	for range max(cpus, 1) {
		group.Go(func() {
			for i := range next {
				out[i], errs[i] = do(names[i])
			}
		})
	}
	for i := range names {
		next <- i
	}
	close(next)
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// halves deals the streams into two halves by a hash of their names, category by
// category so that both have some of each.
func halves(streams []*stream) (a, b []*stream) {
	order := slices.Clone(streams)
	slices.SortFunc(order, func(x, y *stream) int {
		return cmp.Or(strings.Compare(category(x.name), category(y.name)), cmp.Compare(hash(x.name), hash(y.name)))
	})
	for i, s := range order {
		if i%2 == 0 {
			a = append(a, s)
		} else {
			b = append(b, s)
		}
	}
	return a, b
}

func hash(name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}

func category(name string) string {
	folder, _, _ := strings.Cut(name, "/")
	return folder
}
