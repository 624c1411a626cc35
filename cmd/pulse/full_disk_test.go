//go:build linux

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	fullDisk   = 24 << 20         // bytes of the disk that is filled
	resumeWait = 30 * time.Second // in which a server takes data again that has space again
)

// ballast is a file that takes all the space there is.
type ballast struct {
	t    *testing.T
	file *os.File
	stop chan struct{}
	work sync.WaitGroup
}

// newBallast fills the disk, and fills it again when something is freed, until
// drop is called.
func newBallast(t *testing.T, dir string) *ballast {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	must(t, err)
	b := &ballast{t: t, file: f, stop: make(chan struct{})}
	b.fill()
	b.work.Go(func() {
		for !closed(b.stop) {
			b.fill()
			time.Sleep(time.Millisecond)
		}
	})
	t.Cleanup(b.drop)
	return b
}

func (b *ballast) fill() {
	for _, size := range []int{1 << 20, 4096} {
		for {
			if _, err := b.file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
				break
			} else if err != nil {
				b.t.Error(err)
				return
			}
		}
	}
}

func (b *ballast) drop() {
	if b.file == nil {
		return
	}
	close(b.stop)
	b.work.Wait()
	b.file.Close()
	if err := os.Remove(b.file.Name()); err != nil {
		b.t.Error(err)
	}
	b.file = nil
}

// pager is a receiver of notifications that keeps what they say.
type pager struct {
	mu    sync.Mutex
	types []string
}

func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var n struct{ Type string }
	if body, err := io.ReadAll(r.Body); err == nil && json.Unmarshal(body, &n) == nil {
		p.mu.Lock()
		p.types = append(p.types, n.Type)
		p.mu.Unlock()
	}
}

func (p *pager) told() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.types, " ")
}

func (p *pager) last() string {
	told := p.told()
	return told[strings.LastIndexByte(told, ' ')+1:]
}

// TestFullDisk fills the disk under a server, starts one on it, and gives the space
// back: requests are refused and leave nothing, everything else goes on, and
// nobody has to help when there is space again.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	seed := fromEnv(t, "PULSE_SEED", uint64(time.Now().UnixNano()%1_000_000))
	for _, mode := range []string{"sync", "interval"} {
		t.Run(mode, func(t *testing.T) {
			t.Logf("PULSE_SEED=%d", seed)
			disk := smallDisk(t, fullDisk)
			f := &fuller{keeper: newKeeper(t, mode, filepath.Join(disk, "data"), seed), disk: disk}
			f.run()
		})
	}
}

// fuller is a keeper on a disk that is filled.
type fuller struct {
	*keeper
	disk  string
	pages pager
}

func (f *fuller) run() {
	t := f.t
	hook := httptest.NewServer(&f.pages)
	t.Cleanup(hook.Close)
	f.start()
	f.put("receivers/a", fmt.Sprintf(`{"url":%q,"secret":%q}`, hook.URL, demoSecret))
	f.put("rules/kept", `{"expr":"name,kept.gauge,:eq,:sum","detector":{"kind":"static","below":-1},"absence_after":"1s","notify":["a"]}`)

	stop := f.load()
	time.Sleep(time.Second)
	full := newBallast(t, f.disk)
	f.refuses("while it runs")
	f.until("the silence is told", func() bool { return f.pages.last() == "alert.nodata" })
	stop()
	f.check(f.since)
	f.healthy("disk full")
	full.drop()
	f.resumes("after it ran on a full disk")
	f.until("the end of the silence is told", func() bool { return f.pages.last() == "alert.resolved" })
	f.again()

	f.kill()
	full = newBallast(t, f.disk)
	f.start()
	f.check(f.since)
	f.healthy("") // nobody has wanted to write
	stop = f.load()
	f.refuses("after a start on it")
	stop()
	f.check(f.since)
	f.healthy("disk full")
	f.until("the silence is told again", func() bool { return f.pages.last() == "alert.nodata" })
	full.drop()
	f.resumes("after a start on a full disk")
	f.again()
	for _, r := range f.reporters {
		if n := r.bare.Load(); n > 0 {
			t.Errorf("%s: %d of %d refusals do not say when to come again", r.name, n, r.refused.Load())
		}
	}
	t.Logf("%d requests acknowledged, %d values compared, told: %s", f.acked(), f.check(f.since), f.pages.told())
	f.kill()
	f.sound()
}

func (f *fuller) put(path, body string) {
	f.t.Helper()
	req, err := http.NewRequest(http.MethodPut, *f.target.Load()+"/api/v1/"+path, strings.NewReader(body))
	must(f.t, err)
	req.Header.Set("Content-Type", "application/json")
	res, err := f.http.Do(req)
	must(f.t, err)
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
		f.t.Fatalf("PUT %s: %d %s", path, res.StatusCode, text)
	}
}

func (f *fuller) until(what string, ok func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(killWait); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatalf("not within %s: %s; told was: %s\n%s", killWait, what, f.pages.told(), f.victim.said())
		}
	}
}

// refuses waits until every reporter was refused several times in a row.
func (f *fuller) refuses(when string) {
	f.t.Helper()
	for _, r := range f.reporters {
		acked, refused := int64(-1), int64(0)
		f.until("every request is refused by a full disk "+when, func() bool {
			if now := r.acked.Load(); now != acked {
				acked, refused = now, r.refused.Load()
			}
			return r.refused.Load() >= refused+5
		})
	}
}

// healthy asks what must be answered as ever, and whether the status has the text.
func (f *fuller) healthy(status string) {
	f.t.Helper()
	for _, path := range []string{"/ok", "/ready", "/api/v1/alerts", "/api/v1/status"} {
		res, err := f.http.Get(*f.target.Load() + path)
		must(f.t, err)
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			f.t.Errorf("%s of a server on a full disk: %d %s", path, res.StatusCode, text)
		}
		if path == "/api/v1/status" && !strings.Contains(string(text), status) {
			f.t.Errorf("the status of a server on a full disk does not say %q: %s", status, text)
		}
	}
}

// resumes waits until every reporter is served again.
func (f *fuller) resumes(when string) {
	f.t.Helper()
	began := time.Now()
	for _, r := range f.reporters {
		r.patience = resumeWait
	}
	stop, before := f.load(), make([]int64, len(f.reporters))
	for i, r := range f.reporters {
		before[i] = r.acked.Load()
	}
	for i, r := range f.reporters {
		for r.acked.Load() == before[i] && time.Since(began) < resumeWait {
			time.Sleep(time.Millisecond)
		}
	}
	took := time.Since(began)
	if took >= resumeWait {
		f.t.Errorf("%s it took more than %s to take data again", when, resumeWait)
	}
	f.t.Logf("%s data was taken again within %.1f s", when, took.Seconds())
	time.Sleep(500 * time.Millisecond)
	stop()
}

// again compares everything, kills the server, and compares with what the next
// one has.
func (f *fuller) again() {
	f.t.Helper()
	f.check(f.since)
	f.kill()
	f.start()
	f.check(f.since)
	if f.t.Failed() {
		f.t.Fatal(f.victim.said())
	}
}
