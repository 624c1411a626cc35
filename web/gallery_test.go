package web_test

import (
	"bytes"
	"flag"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pulse/query/expr"
	"pulse/store"
)

var rewriteGallery = flag.Bool("rewrite", false, "draw docs/graphs.md and its pictures anew")

const galleryPage, galleryFolder = "../docs/graphs.md", "../docs/graphs"

// TestGallery holds that every picture of docs/graphs.md is what its command
// draws. `go test ./web -run TestGallery -rewrite` draws all anew.
//
// Another processor may round a colour differently, so a few pixels may differ a
// little.
func TestGallery(t *testing.T) {
	if testing.Short() {
		t.Skip("draws seventy pictures")
	}
	r := galleryRig(t)
	page := galleryHead
	drawn := map[string]bool{}
	for _, e := range gallery {
		if e.section != "" {
			page += "\n## " + e.section + "\n"
		}
		name := e.name + ".png"
		if drawn[name] {
			t.Fatalf("two pictures are named %s", name)
		}
		drawn[name] = true
		page += e.entry()
		header := "Accept: */*"
		if e.broken {
			header = "Accept: image/png"
		}
		a := r.call("GET", "/api/v1/graph?"+e.query, nil, header)
		if a.status != 200 || a.header.Get("Content-Type") != "image/png" {
			t.Fatalf("%s: %s", e.name, a)
		}
		checkPicture(t, filepath.Join(galleryFolder, name), a.body)
	}
	if *rewriteGallery {
		if err := os.WriteFile(galleryPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(galleryPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page {
		t.Errorf("%s is not what TestGallery -rewrite writes", galleryPage)
	}
	files, err := os.ReadDir(galleryFolder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !drawn[f.Name()] {
			t.Errorf("%s is on no page", f.Name())
		}
	}
}

// checkPicture compares a PNG with a file, or writes the file.
func checkPicture(t *testing.T, path string, body []byte) {
	t.Helper()
	if *rewriteGallery {
		if err := os.WriteFile(path, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(body, want) {
		return
	}
	a, err := png.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	b, err := png.Decode(bytes.NewReader(want))
	if err != nil || a.Bounds() != b.Bounds() {
		t.Errorf("%s: drawn %v, on file %v, %v", path, a.Bounds(), b.Bounds(), err)
		return
	}
	off := 0
	for y := range a.Bounds().Dy() {
		for x := range a.Bounds().Dx() {
			r, g, bl, _ := a.At(x, y).RGBA()
			r2, g2, bl2, _ := b.At(x, y).RGBA()
			if max(r, r2)-min(r, r2) > 0x0c00 || max(g, g2)-min(g, g2) > 0x0c00 || max(bl, bl2)-min(bl, bl2) > 0x0c00 {
				off++
			}
		}
	}
	if off > a.Bounds().Dx()*a.Bounds().Dy()/500 {
		t.Errorf("%s: %d pixels are drawn differently", path, off)
	}
}

// picture is one of the gallery.
type picture struct {
	section string // begins a section
	name    string // of the file
	title   string // "" joins the one before
	text    string
	query   string // of /api/v1/graph
	broken  bool   // the command fails
}

func (e *picture) entry() string {
	out := "\n"
	if e.title != "" {
		out += "### " + e.title + "\n\n"
	}
	if e.text != "" {
		out += e.text + "\n\n"
	}
	return out + "```\n/api/v1/graph?" + e.query + "\n```\n\n![" + e.name + "](graphs/" + e.name + ".png)\n"
}

// galleryRig is a server with the data of the gallery at 2026-01-03T00:00:00Z.
func galleryRig(t *testing.T) *rig {
	r := newRig(t, settings{store: store.Options{Step: 60_000, Retention: 4 * 24 * 3_600_000, NewSeriesRate: -1}})
	r.clock.Set(time.UnixMilli(epoch))
	r.publish(point(epoch, 1, "gauge", "first"))
	for r.now() < galleryEnd {
		r.move(time.Hour)
	}
	r.move(2 * time.Minute) // the last step is closed
	var b strings.Builder
	for _, s := range gallerySeries() {
		b.WriteString(s)
	}
	if a := r.call("POST", "/api/v1/import", b.String()); a.status != 200 {
		t.Fatalf("import: %s", a)
	}
	r.clock.Set(time.UnixMilli(galleryEnd))
	return r
}

const galleryEnd = epoch + 2*24*3_600_000

// gallerySeries is the data as lines of an import.
func gallerySeries() []string {
	var out []string
	add := func(tags string, hours int, f func(i int) float64) {
		n := hours * 60
		var times, values []string
		for i := range n {
			if v := f(n - 1 - i); !math.IsNaN(v) {
				times = append(times, fmt.Sprint(galleryEnd-int64(n-1-i)*60_000))
				values = append(values, fmt.Sprintf("%.6g", v))
			}
		}
		out = append(out, fmt.Sprintf(`{"tags":{%s},"step":"1m","timestamps":[%s],"values":[%s]}`+"\n", tags, strings.Join(times, ","), strings.Join(values, ",")))
	}
	// ago is in minutes; the day has its low in the morning.
	day := func(ago int, phase float64) float64 { return math.Sin(2 * math.Pi * (-float64(ago)/1440 + phase)) }
	for i, region := range []string{"us-east-1", "us-west-2", "eu-west-1", "ap-south-1"} {
		size := []float64{1200, 700, 900, 300}[i]
		noise := noiseOf(uint64(i + 1))
		tags := `"atlas.dstype":"gauge","region":"` + region + `","name":`
		add(tags+`"starts"`, 48, func(ago int) float64 {
			v := size * (1 + 0.25*day(ago, 0.2+0.11*float64(i)) + 0.12*math.Sin(float64(ago)/17+float64(i)) + 0.05*noise(ago))
			if region == "eu-west-1" && ago >= 70 && ago < 84 {
				v *= 0.55
			}
			return v
		})
		add(tags+`"errors"`, 4, func(ago int) float64 {
			v := size * 0.004 * (1 + 0.4*noise(ago+5000))
			if region == "eu-west-1" && ago >= 70 && ago < 84 {
				v += 120
			}
			return v
		})
		add(tags+`"backlog"`, 4, func(ago int) float64 { return size * (math.Sin(float64(ago)/25+float64(i)*1.7) + 0.1*noise(ago+900)) })
	}
	for i := range 40 {
		noise := noiseOf(uint64(100 + i))
		add(fmt.Sprintf(`"atlas.dstype":"gauge","node":"i-%02d","name":"latency"`, i), 4, func(ago int) float64 {
			v := 0.08 * math.Exp(0.25*math.Sin(float64(ago)/40)+0.5*noise(ago))
			if i%3 == 0 {
				v *= 4
			}
			if ago >= 70 && ago < 84 {
				v *= 3
			}
			return v
		})
	}
	for i := range 3 {
		noise := noiseOf(uint64(200 + i))
		add(fmt.Sprintf(`"atlas.dstype":"gauge","node":"i-%02d","name":"heap"`, i), 4, func(ago int) float64 {
			return float64(uint64(1)<<30) * (1 + 0.5*float64(i) + float64((500-ago+37*i)%90)/60 + 0.03*noise(ago))
		})
	}
	add(`"atlas.dstype":"gauge","name":"sparse"`, 4, func(ago int) float64 {
		if ago%29 != 3 && (ago < 30 || ago > 80) {
			return math.NaN()
		}
		return 40 + 10*math.Sin(float64(ago)/9)
	})
	galleryBuckets(add)
	return out
}

// galleryBuckets adds a timer's percentile buckets.
func galleryBuckets(add func(tags string, hours int, f func(ago int) float64)) {
	bounds := expr.BucketBounds()
	for k := slices.Index(bounds, 1<<20); bounds[k] < 8e9; k++ {
		seconds := float64(bounds[k]) / 1e9
		noise := noiseOf(uint64(300 + k))
		tags := fmt.Sprintf(`"atlas.dstype":"rate","name":"requestLatency","statistic":"percentile","percentile":"%s"`, expr.BucketTag(k, true))
		add(tags, 4, func(ago int) float64 {
			near := func(middle, width, size float64) float64 {
				d := math.Log(seconds/middle) / width
				return size * math.Exp(-d*d/2)
			}
			middle := 0.06 * math.Exp(0.3*math.Sin(float64(ago)/40))
			v := near(middle, 0.4, 60) + near(0.9, 0.3, 9)
			if ago >= 70 && ago < 84 {
				v = near(middle, 0.4, 30) + near(1.6, 0.5, 25)
			}
			if v *= 1 + 0.2*noise(ago); v < 0.4 {
				return math.NaN()
			}
			return v
		})
	}
}

// noiseOf is noise from -1 to 1, the same on every machine.
func noiseOf(seed uint64) func(i int) float64 {
	return func(i int) float64 {
		x := seed*0x9e3779b97f4a7c15 + uint64(i+100_000)*0xbf58476d1ce4e5b9
		x ^= x >> 30
		x *= 0x94d049bb133111eb
		x ^= x >> 31
		return float64(x>>11)/float64(1<<52) - 1
	}
}
