package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/profiler"
	"github.com/chromedp/chromedp"
)

const ms = float64(time.Millisecond)

func middle(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// load measures the first load, nothing of which is in the browser's cache.
func (b *bench) load() error {
	if _, err := chromedp.Call(b.ctx, network.Enable, network.EnableParams{}); err != nil {
		return err
	}
	if _, err := chromedp.Call(b.ctx, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true}); err != nil {
		return err
	}
	var took, main, whole []float64
	for range b.rounds {
		if err := b.do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate("about:blank")); err != nil {
			return err
		}
		before, err := b.cpu()
		if err != nil {
			return err
		}
		if err := b.do(chromedp.Navigate(b.address(oneLine, "range", "15m"))); err != nil {
			return err
		}
		if err := b.until(`window.bench?.first > 0`); err != nil {
			return err
		}
		after, err := b.cpu()
		if err != nil {
			return err
		}
		first, err := eval[float64](b, `bench.first`)
		if err != nil {
			return err
		}
		s := after.since(before)
		took, main, whole = append(took, first), append(main, float64(s.main)/ms), append(whole, float64(s.renderer)/ms)
	}
	const loaded = `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter((r) => r.entryType === "navigation" || r.name.includes("/ui/") || r.startTime < bench.first)`
	if err := b.until(`document.querySelector(".legend") !== null && performance.now() - Math.max(...` + loaded + `.map((r) => r.responseEnd)) > 2500`); err != nil {
		return err
	}
	type file struct {
		Name        string
		Bytes, Bare int
	}
	files, err := eval[[]file](b, loaded+`.map((r) => ({ name: new URL(r.name).pathname, bytes: r.encodedBodySize, bare: r.decodedBodySize }))`)
	if err != nil {
		return err
	}
	b.say("\nFirst load, nothing in the cache: Explore with one line of 15 min; files of the page until it is idle")
	sum, bare, requests := 0, 0, 0
	for _, f := range files {
		if f.Name != "/" && (len(f.Name) < 4 || f.Name[:4] != "/ui/") {
			requests++
			continue // an answer of the API
		}
		sum, bare = sum+f.Bytes, bare+f.Bare
		b.say("  %6d of %6d bytes  %s", f.Bytes, f.Bare, f.Name)
	}
	b.say("  %d files, %d bytes unpacked; %d requests of the API before the graph is there", len(files)-requests, bare, requests)
	b.figure("compressed", float64(sum)/1024, mostLoad/1024, "KiB")
	b.figure("to the first graph painted, median", middle(took), 1000, "ms")
	b.figure("CPU of the main thread, median", middle(main), 0, "ms")
	b.figure("CPU of the renderer, median", middle(whole), 0, "ms")
	return nil
}

// draw measures a large graph, another one each time: from its data to its picture.
func (b *bench) draw(end time.Time) error {
	s, e := strconv.FormatInt(end.UnixMilli()-points*1000, 10), strconv.FormatInt(end.UnixMilli(), 10)
	address := func(part string) string {
		return b.address(fmt.Sprintf(half, part), "s", s, "e", e, "live", "0")
	}
	if err := b.do(chromedp.EmulateViewport(1920, 1080), chromedp.Navigate(address("a"))); err != nil {
		return err
	}
	if err := b.until(`window.bench?.first > 0 && bench.lines === %d && bench.points >= %d`, drawn, points); err != nil {
		return err
	}
	bare, err := b.answer(s, e)
	if err != nil {
		return err
	}
	profiled, err := b.profiled("draw")
	if err != nil {
		return err
	}
	var took, main, whole []float64
	for i := range b.rounds {
		before, err := b.cpu()
		if err != nil {
			return err
		}
		script := fmt.Sprintf(`(bench.took = [], history.pushState(null, "", %q), dispatchEvent(new PopStateEvent("popstate")), true)`, address([]string{"b", "a"}[i%2]))
		if _, err := eval[bool](b, script); err != nil {
			return err
		}
		if err := b.until(`bench.took.length > 0`); err != nil {
			return err
		}
		after, err := b.cpu()
		if err != nil {
			return err
		}
		one, err := eval[float64](b, `bench.took[0]`)
		if err != nil {
			return err
		}
		s := after.since(before)
		took, main, whole = append(took, one), append(main, float64(s.main)/ms), append(whole, float64(s.renderer)/ms)
	}
	b.say("\nDrawing %d lines of %d points, others each time, %d × %d pixels of screen, %d times", drawn, points, 1920, 1080, b.rounds)
	b.figure("CPU of the main thread, reading the answer too, median", middle(main), 0, "ms")
	b.figure("  without the reading", max(0, middle(main)-bare), 100, "ms")
	b.figure("CPU of the renderer, reading too, median", middle(whole), 0, "ms")
	b.figure("from data to painted, wall clock, least", slices.Min(took), 100, "ms")
	b.figure("from data to painted, wall clock, median", middle(took), 100, "ms")
	return profiled()
}

// answer returns what asking for the graph and reading the answer takes of the main thread, ms.
func (b *bench) answer(s, e string) (float64, error) {
	p := url.Values{"q": {fmt.Sprintf(half, "a")}, "s": {s}, "e": {e}, "w": {strconv.Itoa(points)}, "format": {"json"}}
	var list []float64
	for range b.rounds {
		before, err := b.cpu()
		if err != nil {
			return 0, err
		}
		script := fmt.Sprintf(`(window.read = 0, fetch("/api/v1/graph?%s").then((r) => r.text()).then((t) => { window.read = JSON.parse(t).values.length; }), true)`, p.Encode())
		if _, err := eval[bool](b, script); err != nil {
			return 0, err
		}
		if err := b.until(`window.read > 0`); err != nil {
			return 0, err
		}
		after, err := b.cpu()
		if err != nil {
			return 0, err
		}
		list = append(list, float64(after.since(before).main)/ms)
	}
	return middle(list), nil
}

// follow measures the page while steps of all lines close, as it stands before somebody.
func (b *bench) follow() error {
	if err := b.do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate(b.address(all, "range", "5m"))); err != nil {
		return err
	}
	if err := b.until(`document.querySelector(".live")?.title.startsWith("following") && bench.lines === %d && bench.frames > 3`, lines); err != nil {
		return err
	}
	profiled, err := b.profiled("follow")
	if err != nil {
		return err
	}
	frames, err := eval[int](b, `bench.frames`)
	if err != nil {
		return err
	}
	before, err := b.cpu()
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := b.rest(b.live); err != nil {
		return err
	}
	after, err := b.cpu()
	if err != nil {
		return err
	}
	took := time.Since(begin)
	last, err := eval[int](b, `bench.frames`)
	if err != nil {
		return err
	}
	b.say("\nFollowing %d lines at a step of 1 s, 5 min of each shown, for %.0f s: drawn %d times", lines, took.Seconds(), last-frames)
	s, share := after.since(before), func(d time.Duration) float64 { return 100 * d.Seconds() / took.Seconds() }
	b.figure("main thread of the page, share of a core", share(s.main), 10, "%")
	b.figure("renderer, all threads", share(s.renderer), 10, "%")
	names := slices.SortedFunc(maps.Keys(s.threads), func(x, y string) int { return cmp.Compare(s.threads[y], s.threads[x]) })
	for _, name := range names[:min(len(names), 6)] {
		b.say("    %5.1f %% %s", share(s.threads[name]), name)
	}
	b.figure("the whole browser, which paints without a graphics card", share(s.all), 0, "%")
	return profiled()
}

// profiled begins a profile of the page's CPU; what it returns keeps it.
func (b *bench) profiled(name string) (keep func() error, err error) {
	if b.profile == "" {
		return func() error { return nil }, nil
	}
	if _, err := chromedp.Call(b.ctx, profiler.Enable, cdp.Empty{}); err != nil {
		return nil, err
	}
	_, err = chromedp.Call(b.ctx, profiler.Start, cdp.Empty{})
	return func() error {
		res, err := chromedp.Call(b.ctx, profiler.Stop, cdp.Empty{})
		if err != nil {
			return err
		}
		text, err := json.Marshal(res.Profile)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(b.profile, name+".cpuprofile"), text, 0o644)
	}, err
}

func (b *bench) rest(d time.Duration) error {
	select {
	case <-b.ctx.Done():
		return b.ctx.Err()
	case <-time.After(d):
		return nil
	}
}
