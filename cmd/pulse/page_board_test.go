package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// wall is a large screen.
func (p *tab) wall() { p.do("wall", chromedp.EmulateViewport(1920, 1080)) }

// ofPanel is what the first panel of the board says about itself.
const ofPanel = `(document.querySelector(".board-panel")?.dataset || {})`

// attended has the page believe that its window is the one somebody types into.
func (p *tab) attended() {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}); err != nil {
		p.t.Fatal(err)
	}
}

// TestPageBoard: the board follows the streams with what was before and their band, then an
// outage is marked, large, with who carries it; it is chosen what is shown, and the address
// opens the same.
func TestPageBoard(t *testing.T) {
	p := newTab(t)
	demo := startDemo(t, "--outage-after", "20s", "--outage-for", "10m", "--outage-depth", "0.62")
	base, _, _ := strings.Cut(demo.waitFor(t, `Pulse is live: (http\S+)`)[1], "/?")
	p.attended()
	p.desk()
	p.do("open", chromedp.Navigate(base+"/board?range=5m&off=12m"), chromedp.WaitVisible(".board-panel canvas"))
	p.shows(".board-panel h2", "starts-drop")
	p.shows(".board-word", "Calm")
	p.until("live, with its band and what was before", ofPanel+`.live === "true" && `+ofPanel+`.bounded > 100 && `+ofPanel+`.past > 60`)
	p.shows(".board-panel .say", "in band")
	p.shows(".board-panel .fresh", "of 4 sources")
	p.shoot("board-calm")

	p.shows(".board-word", "1 firing")
	p.shows(".board-who", "starts-drop")
	p.shows(".board-panel.s-firing .say", "firing")
	p.until("far below", `/^−[4-7]\d %%$/.test(document.querySelector(".board-panel .change b")?.textContent)`)
	p.until("marked", ofPanel+`.out > 2`)
	p.shows(".carried-by", "%")
	p.until("its mark has the focus", `((e) => { e?.focus(); return document.activeElement === e; })(document.querySelector(".mark.s-firing"))`)
	p.shows(".carried", "Who carries the change")
	p.shows(".carried td.num:last-child", "%")
	p.shoot("board-firing")
	p.press("\x1b")
	p.do("not its mark", chromedp.Blur(".mark.s-firing"))
	p.until("gone", `document.querySelector(".carried") === null`)
	p.until("the pointer is on the stretch", `((e) => { const r = e.getBoundingClientRect(); e.dispatchEvent(new MouseEvent("mousemove", { clientX: r.right - 3, clientY: r.top + 30, bubbles: true })); return document.querySelector(".carried") !== null; })(document.querySelector(".board-panel .plot-over"))`)

	eval[bool](p, `((ask) => { window.streams = []; window.fetch = (path, ...more) => { if (/^.api.v1.stream/.test(path)) streams.push(new URLSearchParams(path.split("?")[1]).getAll("q").length); return ask(path, ...more); }; return true; })(window.fetch)`)
	p.press("c")
	p.fill(".board-choice input", "name,pulse.ingest.points,:eq,:sum")
	p.click(".board-choice button", "Add this expression")
	p.until("in the address", `new URLSearchParams(location.search).getAll("p").join() === "q:name,pulse.ingest.points,:eq,:sum"`)
	p.fill(".board-choice input", "starts")
	p.shoot("board-choice")
	p.click(".board-choice .hits button", "starts-drop")
	p.click(`.board-choice [aria-label^="move up: starts"]`, "")
	p.until("in its order", `new URLSearchParams(location.search).getAll("p").join(" ") === "rule:starts-drop q:name,pulse.ingest.points,:eq,:sum"`)
	p.do("close", chromedp.Click(".board-choice .close"))
	const both = `[...document.querySelectorAll(".board-panel")].map((e) => e.getAttribute("aria-label")).join(" ") === "starts-drop name,pulse.ingest.points,:eq,:sum" && [...document.querySelectorAll(".board-panel")].every((e) => e.dataset.live === "true" && e.dataset.points > 2)`
	p.until("both", both)
	p.until("over one connection", `streams.at(-1) === 2`)
	p.shoot("board-two")
	p.do("a link opens the same", chromedp.Navigate("about:blank"), chromedp.Navigate(base+"/board?"+url.Values{"p": {"rule:starts-drop", "q:name,pulse.ingest.points,:eq,:sum"}, "range": {"5m"}, "off": {"12m"}}.Encode()))
	p.until("both", both)
	p.do("without one it is as it was", chromedp.Navigate("about:blank"), chromedp.Navigate(base+"/board"))
	p.until("both", both)

	p.quiet()
}

// TestPageBoardWall: on a large screen what matters is large, there are no more panels at once
// than fit, and on a phone they are one under the other.
func TestPageBoardWall(t *testing.T) {
	p := newTab(t)
	demo := startDemo(t, "--outage-after", "4s", "--outage-for", "10m", "--outage-depth", "0.62")
	base, _, _ := strings.Cut(demo.waitFor(t, `Pulse is live: (http\S+)`)[1], "/?")
	choice := url.Values{"p": {"rule:starts-drop", "q:" + demoQuery + ",(,nf.region,),:by", "q:" + demoQuery + ",:avg", "q:name,pulse.ingest.points,:eq,:sum", "q:name,nosuch,:eq"}, "range": {"10m"}, "off": {"12m"}, "full": {"1"}}
	p.wall()
	p.do("a wall", chromedp.Navigate(base+"/board?"+choice.Encode()))
	p.until("four", `[...document.querySelectorAll(".board-panel")].filter((e) => e.dataset.live === "true" && e.dataset.draws > 0).length === 4`)
	p.until("no header", `document.querySelector("header").offsetHeight === 0`)
	if small := eval[string](p, `[...document.querySelectorAll(".board-word, .board-now .value, .board-now .change.off b")].filter((e) => parseFloat(getComputedStyle(e).fontSize) < 40).map((e) => e.className).join()`); small != "" {
		t.Errorf("too small for a wall: %s", small)
	}
	if cut := eval[string](p, `[...document.querySelectorAll(".board-now")].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent).join()`); cut != "" {
		t.Errorf("wider than its panel: %s", cut)
	}
	p.shoot("board-wall")
	p.press("n")
	p.shows(".board-panel .empty", "No value")
	p.press("n")
	p.press("f")
	p.until("not full", `document.querySelector("header").offsetHeight > 0`)
	p.do("theme", chromedp.Click("header .spacer"))
	p.until("four", `[...document.querySelectorAll(".board-panel")].filter((e) => e.dataset.live === "true" && e.dataset.draws > 0).length === 4`)
	p.shoot("board-wall-dark")
	p.do("only one", chromedp.Navigate(base+"/board?p=rule:starts-drop&range=10m&off=12m&full=1"))
	p.until("live", ofPanel+`.live === "true" && `+ofPanel+`.out > 2`)
	p.shoot("board-wall-one-dark")

	p.phone()
	choice.Del("full")
	p.do("phone", chromedp.Navigate(base+"/board?"+choice.Encode()))
	p.until("four", `[...document.querySelectorAll(".board-panel")].filter((e) => e.dataset.live === "true" && e.dataset.draws > 0).length === 4`)
	p.narrow("the board")
	p.shoot("board-phone-dark")
	p.do("theme", chromedp.Click("header .spacer"))
	p.until("carried", `document.querySelector(".carried-by") !== null`)
	p.shoot("board-phone")
	p.quiet()
}

// TestPageBoardDays: a board that is left alone keeps as much after many steps as before, says
// when it is stale, and goes on by itself when the server is there again.
func TestPageBoardDays(t *testing.T) {
	p := newTab(t)
	address := freeAddress(t)
	base := "http://" + address
	args := []string{"serve", "--listen", address, "--data", t.TempDir(), "--step", "100ms", "--log-level", "error"}
	server := start(t, args...)
	awaitReady(t, base)
	feed(t, base)
	for i := range 4 {
		putRule(t, base, fmt.Sprintf("load-%d", i), `{"expr":"name,load,:eq,:sum","detector":{"kind":"static","above":`+fmt.Sprint(10+i)+`},"for":"1h","grace":"300ms","no_data":"ok","annotations":{"summary":"<img src=x onerror=document.title='owned'>"}}`)
	}
	p.attended()
	p.desk()
	p.do("open", chromedp.Navigate(base+"/board?p=rule:load-0&p=rule:load-1&p=rule:load-2&p=rule:load-3&range=4s&off=off"))
	const panels = `[...document.querySelectorAll(".board-panel")]`
	p.until("four live", panels+`.filter((e) => e.dataset.live === "true" && e.dataset.points === e.dataset.most && e.dataset.most === "40").length === 4`)
	const kept = `JSON.stringify({ nodes: document.querySelectorAll("*").length, canvases: document.querySelectorAll("canvas").length, points: ` + panels + `.reduce((n, e) => n + Number(e.dataset.points), 0) })`
	p.until("all that a panel has", panels+`.every((e) => e.querySelector(".mark") && e.dataset.bounded > 20)`)
	before := eval[string](p, kept)
	t.Log(before)
	eval[bool](p, `((window.began = { t: Number(`+ofPanel+`.t), draws: `+panels+`.reduce((n, e) => n + Number(e.dataset.draws), 0), at: performance.now(), canvas: document.querySelector("canvas") }), true)`)
	p.until("60 steps more", ofPanel+`.t > began.t + 6000`)
	after := eval[string](p, kept)
	var was, is struct{ Nodes, Canvases, Points int }
	if err := errors.Join(json.Unmarshal([]byte(before), &was), json.Unmarshal([]byte(after), &is)); err != nil {
		t.Fatal(err)
	}
	if is.Points != was.Points || is.Canvases != was.Canvases || is.Nodes > was.Nodes+100 { // marks come and go, at most four of a panel
		t.Errorf("after 60 steps it keeps %s, before %s", after, before)
	}
	if rate := eval[float64](p, `(`+panels+`.reduce((n, e) => n + Number(e.dataset.draws), 0) - began.draws) / ((performance.now() - began.at) / 1000)`); rate > 4.2 || rate < 0.2 {
		t.Errorf("%.1f drawings per second, want at most 4", rate)
	}
	if !eval[bool](p, `began.canvas === document.querySelector("canvas")`) {
		t.Error("the graph was made anew")
	}
	p.shoot("board-days")

	server.end(t)
	p.shows(".board-word", "Stale")
	p.shows(".board-who", "no answer for")
	p.until("each panel", panels+`.every((e) => e.dataset.state === "stale")`)
	p.shoot("board-stale")
	start(t, args...)
	p.until("goes on", `document.querySelector(".board-state").dataset.state !== "stale" && `+panels+`.every((e) => e.dataset.live === "true" && e.dataset.state !== "stale" && Number(e.dataset.t) > Date.now() - 5000)`)
	p.until("no more than before", `document.querySelectorAll("*").length <= %d && document.querySelectorAll("canvas").length === %d`, was.Nodes+100, was.Canvases)
	if title := eval[string](p, `document.title`); strings.Contains(title, "owned") {
		t.Errorf("title %q: an annotation ran", title)
	}
	p.allow("net::ERR_", "503 (Service Unavailable)") // while the server was away, and not yet ready
	p.quiet()
}

// TestPageBoardStretch: a stretch out of band that no alert came of is marked, with who carried it.
func TestPageBoardStretch(t *testing.T) {
	p := newTab(t)
	address := freeAddress(t)
	base := "http://" + address
	start(t, "serve", "--listen", address, "--data", t.TempDir(), "--step", "100ms", "--log-level", "error")
	awaitReady(t, base)
	var b atomic.Int64
	b.Store(100)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			now := time.Now()
			body := fmt.Sprintf(`{"tags":{"name":"dip","atlas.dstype":"gauge"},"metrics":[{"tags":{"part":"a"},"timestamp":%d,"value":10},{"tags":{"part":"b"},"timestamp":%[1]d,"value":%d}]}`, now.UnixMilli(), b.Load())
			if res, err := http.Post(base+"/api/v1/publish", "application/json", strings.NewReader(body)); err == nil {
				res.Body.Close()
			}
			_ = pause(ctx, now.Add(50*time.Millisecond))
		}
	}()
	putRule(t, base, "dip", `{"expr":"name,dip,:eq,:sum","detector":{"kind":"static","below":50},"for":"1h"}`)
	p.attended()
	p.desk()
	p.do("open", chromedp.Navigate(base+"/board?p=rule:dip&range=2m"))
	p.until("some history", `(%s.bounded || 0) > 40`, ofPanel)
	p.shows(".board-panel .value", "110")
	b.Store(10)
	p.until("out of band", ofPanel+`.out > 3`)
	b.Store(100)
	p.shows(".board-panel .say", "in band")
	p.until("its mark has the focus", `((e) => { e?.focus(); return document.activeElement === e && e !== null; })(document.querySelector(".mark.s-out"))`)
	p.shows(".carried", "part=b")
	p.shoot("board-stretch")
	p.quiet()
}

// TestBoardSlowLoad: steps that close while what was before is loaded are not missing then.
func TestBoardSlowLoad(t *testing.T) {
	p := newTab(t)
	base := editorServer(t)
	p.openQuery(base, "name,load,:eq,:max")
	eval[bool](p, `((ask) => { window.fetch = async (path, o) => {
		const answer = await ask(path, o);
		if (/^.api.v1.graph/.test(path)) await new Promise((f) => setTimeout(f, 2500));
		return answer;
	}; return true; })(window.fetch)`)
	whole := func(what string) {
		t.Helper()
		last := eval[float64](p, `panel.state.t`)
		p.until(what+": steps more", `panel.state.t >= %v`, last+2000)
		if got := eval[string](p, `JSON.stringify(panel.state.window.value)`); strings.Contains(strings.TrimLeft(got, "[nul,"), "null") {
			t.Errorf("%s: %s", what, got)
		}
	}
	eval[bool](p, `(import("/ui/pages/boardfeed.js").then((m) => { window.panel = m.feed({ q: "name,load,:eq,:sum", range: "1m", off: "off" }, () => {}); }), true)`)
	p.until("loaded", `window.panel?.state.loaded > 0`)
	whole("at first")
	was := eval[float64](p, `panel.state.loaded`)
	eval[bool](p, `(panel.state.lost = true, import("/ui/pages/boardstream.js").then((m) => m.follow("name,load,:eq,:min", 0, 0, () => {}, () => {}, () => {})), true)`)
	p.until("loaded anew", `panel.state.loaded > %v`, was)
	whole("anew")
	eval[bool](p, `(panel.stop(), true)`)
	p.quiet()
}
