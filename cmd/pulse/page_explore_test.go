package main

import (
	"encoding/csv"
	"fmt"
	"image/png"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// explored is a server with ten minutes of the series stock of four shops, which end
// a minute ago: 10, 20, 30 and 40 each, but that the second has nothing in the middle.
func explored(t *testing.T) (base string, start, end int64) {
	t.Helper()
	address := freeAddress(t)
	base = "http://" + address
	startServe(t, address)
	const step = 5000
	end = time.Now().Add(-time.Minute).UnixMilli() / step * step
	start = end - 120*step
	var body strings.Builder
	for shop := 1; shop <= 4; shop++ {
		var stamps, values []string
		for i := 1; i <= 120; i++ {
			stamps = append(stamps, strconv.FormatInt(start+int64(i)*step, 10))
			if shop == 2 && i > 40 && i <= 80 {
				values = append(values, "null")
			} else {
				values = append(values, strconv.Itoa(10*shop))
			}
		}
		fmt.Fprintf(&body, `{"tags":{"name":"stock","shop":"s%d","atlas.dstype":"gauge"},"step":"5s","timestamps":[%s],"values":[%s]}`+"\n", shop, strings.Join(stamps, ","), strings.Join(values, ","))
	}
	res, err := http.Post(base+"/api/v1/import", "application/json", strings.NewReader(body.String()))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode/100 != 2 {
		t.Fatalf("import: %s", res.Status)
	}
	return base, start, end
}

func startServe(t *testing.T, address string) {
	t.Helper()
	start(t, "serve", "--listen", address, "--data", t.TempDir(), "--step", "5s", "--log-level", "error")
	awaitReady(t, "http://"+address)
}

const stock = "name,stock,:eq,(,shop,),:by"

// in is where a share of the plot is on the screen.
func (p *tab) in(x, y float64) (float64, float64) {
	p.t.Helper()
	box := eval[[]float64](p, `(() => { const b = document.querySelector(".chart .plot-over").getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()`)
	return box[0] + x*box[2], box[1] + y*box[3]
}

// drag presses the mouse at one share of the width and releases it at another.
func (p *tab) drag(from, to float64) {
	p.t.Helper()
	x0, y := p.in(from, 0.5)
	x1, _ := p.in(to, 0.5)
	left := func(e *input.DispatchMouseEventParams) { e.Button, e.Buttons, e.ClickCount = "left", 1, 1 }
	p.do("drag", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x0, y), chromedp.MouseEvent(input.DispatchMouseEventTypeMousePressed, x0, y, left),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, (x0+x1)/2, y, left), chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x1, y, left), chromedp.MouseEvent(input.DispatchMouseEventTypeMouseReleased, x1, y, left))
}

// hit clicks on what may still move.
func (p *tab) hit(selector string) {
	p.t.Helper()
	eval[bool](p, `(document.querySelector(`+quoteJS(selector)+`).click(), true)`)
}

// awaited is what a promise of a text becomes.
func (p *tab) awaited(promise string) string {
	p.t.Helper()
	eval[bool](p, `(window.awaited = undefined, `+promise+`.then((v) => { window.awaited = v; }), true)`)
	p.until("a promise", `window.awaited !== undefined`)
	return eval[string](p, `window.awaited`)
}

// param is a parameter of the page's address.
func param(name string) string {
	return `new URLSearchParams(location.search).get("` + name + `")`
}

func (p *tab) explore(base string, more url.Values) {
	p.t.Helper()
	if more.Get("q") == "" {
		more.Set("q", stock)
	}
	p.do("open", chromedp.Navigate(base+"/?"+more.Encode()), chromedp.WaitVisible(".chart canvas"))
}

func stretch(start, end int64, more url.Values) url.Values {
	if more == nil {
		more = url.Values{}
	}
	more.Set("s", strconv.FormatInt(start, 10))
	more.Set("e", strconv.FormatInt(end, 10))
	return more
}

// TestExploreZoom: a drag zooms; a double click, Escape and the browser lead back; a
// click pins the values of a time, ranked; the tip has those of before, too; the chart is
// as wide as the window lets it.
func TestExploreZoom(t *testing.T) {
	p := newTab(t)
	base, start, end := explored(t)
	p.do("size", chromedp.EmulateViewport(1440, 900))
	p.explore(base, url.Values{"range": {"15m"}})
	p.shows(".legend tbody", "shop=s4")

	p.drag(0.25, 0.5)
	p.until("zoomed", "%s", param("s")+` !== null && `+param("range")+` === null`)
	if got := eval[float64](p, `(new URLSearchParams(location.search).get("e") - new URLSearchParams(location.search).get("s")) / 1000`); got < 200 || got > 250 {
		t.Errorf("a quarter of 15 minutes is %v s", got)
	}
	p.until("drawn", `document.querySelector("[aria-expanded][title^=range]").textContent.includes("5 s steps")`)
	p.shoot("explore-zoomed")
	p.drag(0.4, 0.6)
	p.until("zoomed again", `(new URLSearchParams(location.search).get("e") - new URLSearchParams(location.search).get("s")) < 60000`)
	p.keys("\x1b")
	p.until("Escape leads back", `(new URLSearchParams(location.search).get("e") - new URLSearchParams(location.search).get("s")) > 200000`)
	eval[bool](p, `(history.back(), true)`)
	p.until("Back leads into the zoom", `(new URLSearchParams(location.search).get("e") - new URLSearchParams(location.search).get("s")) < 60000`)
	eval[bool](p, `(history.back(), history.back(), true)`)
	p.until("and out of it", "%s", param("range")+` === "15m"`)
	p.until("live again", `document.querySelector(".live").ariaPressed === "true"`)
	p.drag(0.25, 0.5)
	p.until("zoomed", "%s", param("s")+` !== null`)
	x, y := p.in(0.5, 0.5)
	p.do("double click", chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
	p.until("a double click leads back", "%s", param("range")+` === "15m"`)
	p.do("double click", chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
	p.until("and then to more", "%s", param("range")+` === "30m"`)

	p.explore(base, stretch(start, end, nil))
	p.shows(".legend tbody", "shop=s4")
	x, y = p.in(0.2, 0.3)
	p.do("pin", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), chromedp.MouseClickXY(x, y))
	p.until("pinned, ranked", `[...document.querySelectorAll(".pinned li button")].map((b) => b.textContent.replace(/.*shop=(..).*/, "$1")).join() === "s4,s3,s2,s1"`)
	if got := eval[string](p, `document.querySelectorAll(".pinned .near").length + document.querySelector(".pinned .near").textContent`); !strings.HasPrefix(got, "1") || !strings.Contains(got, "shop=s3") && !strings.Contains(got, "shop=s4") {
		t.Errorf("the nearest line is %q", got)
	}
	p.shoot("explore-pinned")
	p.do("move on", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x+200, y))
	p.until("it stays", `document.querySelector(".pinned") !== null && document.querySelector(".tip:not(.pinned)").hidden`)
	p.keys("\x1b")
	p.until("Escape unpins", `document.querySelector(".pinned") === null`)
	x, y = p.in(0.5, 0.3) // where the second shop has nothing
	p.do("pin", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), chromedp.MouseClickXY(x, y))
	p.shows(".pinned", "1 line has no value")
	if n := eval[int](p, `document.querySelectorAll(".pinned li").length`); n != 3 {
		t.Errorf("%d lines are ranked", n)
	}

	// The values of before are those of each line, wherever it is drawn.
	p.explore(base, stretch(start+60e3, end, url.Values{"style": {"stack"}, "overlay": {"1m"}}))
	p.until("stacked over a minute before", `document.querySelector(".chart").dataset.style === "stack" && document.querySelector(".of-past") !== null`)
	x, y = p.in(0.1, 0.3)
	p.do("point", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
	p.shows(".tip:not(.pinned)", "40  (then 40)")

	for _, width := range []int64{1440, 800, 390, 1200} {
		p.do("size", chromedp.EmulateViewport(width, 900))
		p.until("as wide as there is room", `Math.abs(document.querySelector(".chart .plotted").getBoundingClientRect().width - document.querySelector(".chart").clientWidth) < 2 && document.querySelector(".chart").clientWidth > innerWidth - 80 && document.documentElement.scrollWidth <= innerWidth`)
	}
	p.quiet()
}

// TestExploreShare: a link opens the same graph, and pictures and values are of it.
func TestExploreShare(t *testing.T) {
	p := newTab(t)
	base, start, end := explored(t)
	p.do("size", chromedp.EmulateViewport(1440, 900))
	p.explore(base, stretch(start, end, nil))
	p.shows(".legend tbody", "shop=s4")

	// Lines, by mouse and by keys.
	off := `[...document.querySelectorAll(".legend tr.off")].map((r) => r.querySelector("button").textContent.replace(/.*shop=(..).*/, "$1")).join()`
	p.do("hide", chromedp.Click(".legend tbody tr:nth-child(1) button"))
	p.until("hidden", "%s", off+` === "s1"`)
	p.until("in the address", "%s", param("hide")+`?.includes("shop=s1") === true`)
	p.keys("jo")
	p.until("only the second", "%s", off+` === "s1,s3,s4"`)
	p.keys("jx")
	p.until("and the third", "%s", off+` === "s1,s4"`)

	p.do("stacked", chromedp.Click(`[aria-label="Style"] button:nth-child(3)`))
	p.until("stacked", `document.querySelector(".chart").dataset.style === "stack"`)
	p.do("sort", chromedp.Click(".legend th:nth-child(4) button"))
	p.until("sorted", `document.querySelector(".legend tbody button").textContent.includes("shop=s4")`)
	p.shoot("explore-stacked-two")
	link := eval[string](p, `location.href`)
	p.do("away", chromedp.Navigate("about:blank"))
	p.do("the link", chromedp.Navigate(link), chromedp.WaitVisible(".chart canvas"))
	p.until("the same lines", `[...document.querySelectorAll(".legend tr.off")].length === 2`)
	p.until("stacked", `document.querySelector(".chart").dataset.style === "stack"`)
	p.until("sorted", `document.querySelector(".legend tbody button").textContent.includes("shop=s4")`)
	if got := eval[string](p, `location.href`); got != link {
		t.Errorf("the address became %s, was %s", got, link)
	}

	// What can be taken along.
	p.keys("e")
	p.do("share", chromedp.WaitVisible("#share"))
	p.shows("#share", "without the 2 lines that are hidden")
	p.shoot("explore-share")
	get := func(format string) *http.Response {
		t.Helper()
		href := eval[string](p, `[...document.querySelectorAll("#share a")].find((a) => a.textContent === "`+format+`").href`)
		res, err := http.Get(href)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", href, res.Status)
		}
		return res
	}
	rows, err := csv.NewReader(get("CSV").Body).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 121 || len(rows[0]) != 3 || !strings.Contains(rows[0][1], "shop=s2") || !strings.Contains(rows[0][2], "shop=s3") || rows[1][1] != "20.000000" && rows[1][1] != "20" && rows[1][1] != "20.0" {
		t.Errorf("%d rows, the first %q", len(rows), rows[:2])
	}
	if at, err := time.Parse(time.RFC3339, rows[120][0]); err != nil || at.UnixMilli() != end {
		t.Errorf("the last row is of %s, want %d: %v", rows[120][0], end, err)
	}
	picture := get("PNG")
	if picture.Header.Get("Content-Type") != "image/png" {
		t.Error(picture.Header)
	}
	if _, err := png.Decode(picture.Body); err != nil {
		t.Error(err)
	}
	for _, style := range []string{"area", "line"} {
		p.do(style, chromedp.Click(map[string]string{"area": `[aria-label="Style"] button:nth-child(2)`, "line": `[aria-label="Style"] button:nth-child(1)`}[style]))
		p.until(style, `document.querySelector(".chart").dataset.style === %q`, style)
		get("PNG")
		get("SVG")
		get("JSON")
	}

	// The top of the stack is the sum of what is there.
	sums := p.awaited(`import("/ui/pages/explorefill.js").then(({ stacked }) => { const s = stacked([{ values: [1, null, 3, -1] }, { values: [9, 9, 9, 9], hidden: true }, { values: [10, 20, null, -5] }]); return [...s[0].tops, ...s[2].tops, ...s[2].bases].map(String).join(" "); })`)
	if got, want := sums, "1 null 3 -1 11 20 null -6 1 0 null -1"; got != want {
		t.Errorf("stacked: %s, want %s", got, want)
	}
	p.quiet()
}

// TestExploreTools: the builder writes expressions and reads them back, the history
// finds what was asked, range and step are shown as what became of them.
func TestExploreTools(t *testing.T) {
	p := newTab(t)
	base, start, end := explored(t)
	p.do("size", chromedp.EmulateViewport(1440, 900))
	p.explore(base, stretch(start, end, url.Values{"q": {"name,stock,:eq,:max"}}))
	p.shows(".legend tbody", "max(name=stock)")

	p.keys("b")
	p.do("builder", chromedp.WaitVisible("#build"))
	p.until("read from what is written", `document.querySelector("#build-name").value === "stock" && document.querySelector("#build-func").value === "max"`)
	p.until("names of the index", `[...document.querySelectorAll("#build-name-list option")].some((o) => o.value === "stock")`)
	p.do("a condition", chromedp.Click("#build-filter"))
	p.until("keys of the index", `[...document.querySelectorAll("#build-key-0-list option")].some((o) => o.value === "shop")`)
	p.put("#build-key-0", "shop")
	p.put(`[aria-label="Condition"]`, "in")
	p.put("#build-value-0", "s1, s3")
	p.put("#build-by", "shop")
	p.put("#build-func", "avg")
	p.put("#build-top", "topk,max")
	p.until("how many", `document.querySelector("#build-n") !== null`)
	p.put("#build-n", "2")
	const want = "name,stock,:eq,shop,(,s1,s3,),:in,:and,:avg,(,shop,),:by,max,2,:topk"
	p.until("written", `(document.querySelector("#query").value ?? "") === %q`, want)
	p.looks("explore-builder")
	p.hit("#build .primary")
	p.until("asked", "%s === %q", param("q"), want)
	p.until("two lines", `[...document.querySelectorAll(".legend tbody tr")].length === 2`)
	p.put("#build-offset", "1w")
	p.do("a count", chromedp.Click("#build-step"))
	p.until("written", `document.querySelector("#query").value === "name,stock,:eq,shop,(,s1,s3,),:in,:and,:avg,(,shop,),:by,1w,:offset,:per-step,max,2,:topk"`)
	p.hit("#build .primary")
	p.until("asked", "%s.includes(':per-step')", param("q"))
	p.until("runs", `document.querySelector(".ask .error") === null`)
	for text, reads := range map[string]bool{
		"name,a\\u002cb,:eq,k,v,:eq,:not,:and,:sum":             true,
		"name,a,:eq,k,:has,:and,x,y,:re,:and,:count":            true,
		"name,a,:eq,:avg,(,x,y,),:by,1d,:offset,avg,3,:bottomk": true,
		"name,a,:eq,:sum,name,b,:eq,:sum,:div":                  false,
		"name,a,:eq,:sum,2,:mul":                                false,
	} {
		got := p.awaited(`import("/ui/pages/exploreshape.js").then(({ read, build }) => { const shape = read(` + quoteJS(text) + `); return shape ? build(shape) : ""; })`)
		if reads && got != text || !reads && got != "" {
			t.Errorf("%s is read as %q", text, got)
		}
	}

	// History: what was asked is found, asked again, forgotten.
	p.do("out of the builder", chromedp.Click(`#build [aria-label="Close"]`))
	p.keys("h")
	p.do("history", chromedp.WaitVisible(`[aria-label="History"] li`))
	p.keys(":max stock")
	p.until("found", `[...document.querySelectorAll(".ask-again")].map((b) => b.textContent).join() === "name,stock,:eq,:max"`)
	p.looks("explore-history")
	p.do("ask again", chromedp.Click(".ask-again"))
	p.until("asked", "%s === %q", param("q"), "name,stock,:eq,:max")
	p.keys("h")
	p.do("forget", chromedp.Click(`[aria-label="Forget name,stock,:eq,:max"]`))
	p.until("forgotten", `!localStorage.getItem("queries").includes('"name,stock,:eq,:max"')`)
	eval[bool](p, `(history.back(), true)`)
	p.until("Back leads to the expression before", "%s.includes(':per-step')", param("q"))

	// Range and step.
	p.explore(base, url.Values{"q": {stock}, "range": {"15m"}})
	p.keys("r")
	p.do("range", chromedp.WaitVisible("#step"))
	p.put("#step", "1m")
	p.until("steps of a minute", "%s", param("step")+` === "1m" && document.querySelector(".tool [role=status]").textContent.includes("steps of 1m")`)
	p.looks("explore-time")
	p.put("#range-last", "45x")
	p.do("wrong", chromedp.Click(".tool form button"))
	p.shows(".tool .wrong", "45m")
	utc := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05") }
	p.put("#range-from", utc(start))
	p.put("#range-to", utc(end))
	p.do("show", chromedp.Click(".tool form:nth-of-type(2) button"))
	p.until("these moments", `%s === "%d" && %s === "%d"`, param("s"), start, param("e"), end)
	p.quiet()
}

// TestExploreMany: a hundred lines and more are found, sorted, shown in parts.
func TestExploreMany(t *testing.T) {
	p := newTab(t)
	base, start, end := explored(t)
	p.do("size", chromedp.EmulateViewport(1440, 900))
	var q []string
	for i := range 110 {
		q = append(q, fmt.Sprintf("%d,line%03d,:legend", i, i))
	}
	p.explore(base, stretch(start, end, url.Values{"q": {strings.Join(q, ",")}, "sort": {"-max"}}))
	p.shows(".many", "110 of 110 lines")
	p.shows(".legend tbody tr", "line109")
	p.do("more", chromedp.Click(".scroll p button"))
	p.until("all", `document.querySelectorAll(".legend tbody tr").length === 110`)
	p.put(".many input", "line07")
	p.until("found", `document.querySelectorAll(".legend tbody tr").length === 10`)
	x, y := p.in(0.5, 0.5)
	p.do("pin", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y), chromedp.MouseClickXY(x, y))
	p.until("it scrolls", `document.querySelectorAll(".pinned li").length === 110 && document.querySelector(".pinned ol").scrollHeight > document.querySelector(".pinned ol").clientHeight`)
	p.until("within the chart", `document.querySelector(".pinned").getBoundingClientRect().bottom <= document.querySelector(".chart").getBoundingClientRect().bottom`)
	p.looks("explore-many")
	p.quiet()
}
