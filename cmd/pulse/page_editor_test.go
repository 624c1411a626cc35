package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// inEditor is the shadow root of the query box's editor, once it is there.
const inEditor = `document.getElementById("query").shadowRoot`

// keys presses keys, with modifiers, wherever the focus is. What a key types comes
// with it going down, as from a keyboard: where that is prevented nothing is typed.
func (p *tab) keys(text string, with ...chromedp.Modifier) {
	p.t.Helper()
	held := int64(0)
	for _, m := range with {
		held |= int64(m)
	}
	for _, r := range text {
		events := kb.Encode(r)
		down, up := events[0], events[len(events)-1]
		if typed := events[1]; len(events) == 3 && held&^int64(chromedp.ModifierShift) == 0 {
			down.Text, down.UnmodifiedText = typed.Text, typed.UnmodifiedText
		}
		for _, event := range []*input.DispatchKeyEventParams{down, up} {
			event.Modifiers |= held
			if _, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, *event); err != nil {
				p.t.Fatalf("keys %q: %v", text, err)
			}
		}
	}
}

// write puts text into the editor in place of what it holds, as typed.
func (p *tab) write(text string) {
	p.t.Helper()
	p.do("into the query", chromedp.Click("#query"))
	p.until("the editor has the focus", `%s?.activeElement?.classList.contains("cm-content") === true`, inEditor)
	p.keys("a", chromedp.ModifierCtrl)
	p.keys(kb.Backspace)
	p.keys(text)
	p.holds(text)
}

// holds waits until the editor has the text.
func (p *tab) holds(text string) {
	p.t.Helper()
	p.until("text", `[...%s.querySelectorAll(".cm-line")].map((l) => l.textContent).join("\n") === %q`, inEditor, text)
}

// offers waits until completion lists an option first.
func (p *tab) offers(section, label string) {
	p.t.Helper()
	p.until("offers "+label, `%s.querySelector(".cm-tooltip-autocomplete completion-section")?.textContent === %q &&
		%[1]s.querySelector(".cm-tooltip-autocomplete li .cm-completionLabel")?.textContent === %[3]q`, inEditor, section, label)
}

// inShadow waits until an element of the editor has a text.
func (p *tab) inShadow(selector, text string) {
	p.t.Helper()
	p.until(selector, `(%s.querySelector(%q)?.textContent || "").includes(%q)`, inEditor, selector, text)
}

// point moves the mouse onto the first element of the editor that has the class and the text.
func (p *tab) point(class, text string) {
	p.t.Helper()
	at := eval[[]float64](p, fmt.Sprintf(`(() => { const b = [...%s.querySelectorAll(%q)].find((e) => e.textContent === %q).getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()`, inEditor, "."+class, text))
	p.do("point at "+text, chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, 700, 700), chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]), chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0]+1, at[1]))
}

// editorServer is a server whose series load has two regions.
func editorServer(t *testing.T) (base string) {
	t.Helper()
	address := freeAddress(t)
	start(t, "serve", "--listen", address, "--data", t.TempDir(), "--step", "1s", "--log-level", "error")
	awaitReady(t, "http://"+address)
	feed(t, "http://"+address)
	return "http://" + address
}

func (p *tab) openQuery(base, q string) {
	p.t.Helper()
	p.do("open", chromedp.Navigate(base+"/?"+url.Values{"q": {q}, "range": {"5m"}}.Encode()), chromedp.WaitVisible(".chart canvas"))
}

// TestEditor: an expression is written with what the server knows, and what is wrong
// with it is shown where it is.
func TestEditor(t *testing.T) {
	p := newTab(t)
	base := editorServer(t)
	p.do("size", chromedp.EmulateViewport(1440, 900))
	p.openQuery(base, "name,load,:eq,:max")
	if n := eval[int](p, `performance.getEntriesByType("resource").filter((r) => /codemirror|\/editor\//.test(r.name)).length`); n != 0 {
		t.Errorf("%d files of the editor are loaded before anybody writes", n)
	}

	// From nothing to a grouped graph, with Enter.
	p.write("lo")
	p.offers("names", "load")
	p.shoot("editor-names")
	p.keys("\r")
	p.holds("name,load,:eq")
	p.keys(",")
	p.offers("words", ":sum")
	p.keys(":by")
	p.offers("words", ":by")
	p.inShadow(".cm-completionInfo .signature", ":by Aggregate keys:List → TimeSeries")
	p.shoot("editor-word")
	p.keys("\r")
	p.holds("name,load,:eq,(,,),:by")
	p.keys("reg")
	p.offers("tag keys", "region")
	p.keys("\r")
	p.holds("name,load,:eq,(,region,),:by")
	p.keys("\r")
	p.shows(".legend tbody", "region=eu")
	p.until("the address has it", `new URLSearchParams(location.search).get("q") === "name,load,:eq,(,region,),:by"`)

	// Values of a key come with the condition that uses them.
	p.write("name,load,:eq,region,")
	p.offers("values of region", "ap")
	p.keys(kb.ArrowDown + kb.ArrowDown + "\r")
	p.holds("name,load,:eq,region,eu,:eq,:and")
	p.keys("\r")
	p.shows(".legend tbody", "region=eu")

	// Hover.
	p.point("code-word", ":and")
	p.inShadow(".cm-tooltip-hover", ":and Query Query → Query")
	p.shoot("editor-hover")
	p.point("code-key", "region")
	p.inShadow(".cm-tooltip-hover", "2 values on 2 series")
	p.point("code-text", "eu")
	p.inShadow(".cm-tooltip-hover", "1 series has region=eu")

	// An error while it is written, mended by what it proposes.
	p.write("name,lôad,:eq,:agv,1,:mul")
	p.inShadow(".said", "unknown word ':agv'")
	p.inShadow(".cm-lintRange-error", ":agv")
	if got := eval[string](p, inEditor+`.querySelector(".cm-content").getAttribute("aria-invalid")`); got != "true" {
		t.Errorf("aria-invalid is %q", got)
	}
	p.shoot("editor-live-error")
	eval[bool](p, `(`+inEditor+`.querySelector(".said button").click(), true)`)
	p.holds("name,lôad,:eq,:avg,1,:mul")
	p.until("no error", `%s.querySelector(".said, .cm-lintRange-error") === null`, inEditor)

	// One of the answer, which is about what was submitted: the stack lacks an item.
	p.write("name,lôad,:eq,region,:by")
	p.keys("\r")
	p.shows(".error", "no matches for word ':by'")
	p.until("underlined", `%s.querySelector(".cm-lintRange-error")?.textContent === ":by" && %[1]s.querySelector(".said") === null`, inEditor)
	p.shoot("editor-error")

	// What each token left, following the caret.
	p.keys("i", chromedp.ModifierCtrl)
	p.shows(".stack [aria-current]", "region")
	p.shows(".stack .refused", ":by needs keys, a list")
	p.keys(kb.Home)
	p.until("the row of the caret", `document.querySelector(".stack [aria-current] .token")?.textContent === "name"`)
	p.shoot("editor-stack")
	p.keys("i", chromedp.ModifierCtrl)
	p.until("the stack is hidden", `document.querySelector(".stack") === null`)
	p.allow("%2Cregion%2C%3Aby") // which is wrong
	p.quiet()
}

// TestEditorKeys: lines, undoing, leaving, and text that is no markup.
func TestEditorKeys(t *testing.T) {
	p := newTab(t)
	base := editorServer(t)
	p.do("size", chromedp.EmulateViewport(1440, 900))
	p.openQuery(base, "name,load,:eq,:max")
	p.write("name,load,:eq,")
	p.offers("words", ":sum")
	p.keys("\r", chromedp.ModifierShift)
	p.keys(":max")
	p.holds("name,load,:eq,\n:max")
	p.keys("\r")
	p.shows(".legend tbody", "max(name=load)")
	p.keys("z", chromedp.ModifierCtrl)
	p.until("undone", `%s.querySelectorAll(".cm-line").length === 1`, inEditor)

	// A list that opened by itself takes neither Enter nor Tab.
	p.write("name,load,:eq,")
	p.offers("words", ":sum")
	p.keys("\r")
	p.shows(".legend tbody", "sum(name=load)")
	p.write("name,load,:eq,")
	p.offers("words", ":sum")
	p.keys("\t")
	p.until("Tab leads on", `document.activeElement.textContent === "Graph"`)
	p.write("name,load,:eq,")
	p.offers("words", ":sum")
	p.keys(kb.Escape)
	p.until("Escape closes the list", `%s.querySelector(".cm-tooltip-autocomplete") === null && document.activeElement.id === "query"`, inEditor)
	p.keys(kb.Escape)
	p.until("and then leaves", `document.activeElement === document.body`)
	p.keys("/")
	p.until("the key leads back", `document.activeElement.id === "query"`)

	evil := `<img src=x onerror="document.title='owned'">`
	p.write("name,load,:eq," + evil + ",:legend")
	p.keys("i", chromedp.ModifierCtrl)
	p.shows(".stack", evil)
	p.keys("\r")
	p.shows(".legend tbody", evil)
	if n := eval[int](p, `document.querySelectorAll(".ask img").length + `+inEditor+`.querySelectorAll("img").length`); n != 0 || eval[string](p, `document.title`) == "owned" {
		t.Errorf("%d pictures out of an expression", n)
	}
	p.quiet()
}

// TestEditorBlocked: without the editor the text area works; what was written in it
// and the caret are kept when the editor comes.
func TestEditorBlocked(t *testing.T) {
	p := newTab(t)
	base := editorServer(t)
	block := func(patterns ...*network.BlockPattern) {
		t.Helper()
		if _, err := chromedp.Call(p.ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: patterns}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := chromedp.Call(p.ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	block(&network.BlockPattern{URLPattern: "*://*:*/ui/vendor/codemirror.js", Block: true})
	p.do("size", chromedp.EmulateViewport(1440, 900))
	p.openQuery(base, "name,load,:eq,:max")
	p.do("into the query", chromedp.Click("#query"))
	p.until("the editor was tried", `performance.getEntriesByName(location.origin + "/ui/vendor/codemirror.js").length > 0`)
	eval[bool](p, `(document.getElementById("query").select(), true)`)
	p.keys("name,load,:eq,:min\r")
	p.shows(".legend tbody", "min(name=load)")
	p.until("a text area", `document.getElementById("query").matches("textarea")`)

	block()
	p.keys("x" + kb.ArrowLeft + kb.ArrowLeft)
	eval[bool](p, `(document.activeElement.blur(), document.getElementById("query").focus(), true)`)
	p.until("the editor is there", `%s?.activeElement?.classList.contains("cm-content") === true`, inEditor)
	p.holds("name,load,:eq,:minx")
	p.keys("z")
	p.holds("name,load,:eq,:mizn" + "x")
	p.allow("ERR_BLOCKED_BY_CLIENT")
	p.quiet()
}

// TestFirstLoad: all that the browser fetches until the page is idle is small, also for one
// that takes gzip only, as over HTTP from another machine.
func TestFirstLoad(t *testing.T) {
	p := newTab(t)
	base := editorServer(t)
	p.openQuery(base, "name,load,:eq,:max")
	p.shows(".legend tbody", "load")
	const files = `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource").filter((r) => r.name.includes("/ui/"))]`
	p.until("idle", `performance.now() - Math.max(...`+files+`.map((r) => r.responseEnd)) > 2500`)
	type file struct {
		Name  string
		Bytes int
	}
	const most = 60 << 10
	sum, zipped := 0, 0
	for _, f := range eval[[]file](p, files+`.map((r) => ({name: r.name, bytes: r.encodedBodySize}))`) {
		req, err := http.NewRequest(http.MethodGet, f.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "gzip")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || len(body) == 0 {
			t.Fatalf("%s: %d, %d bytes, %v", f.Name, res.StatusCode, len(body), err)
		}
		sum, zipped = sum+f.Bytes, zipped+len(body)
		t.Logf("%6d, gzip %6d %s", f.Bytes, len(body), f.Name)
	}
	if sum == 0 || sum > most || zipped > most {
		t.Errorf("%d bytes, by gzip %d, at most %d", sum, zipped, most)
	}
	p.quiet()
}

// TestEditorLooks makes pictures of the editor on small screens and in the dark.
func TestEditorLooks(t *testing.T) {
	p := newTab(t)
	base := editorServer(t)
	for _, scheme := range []string{"light", "dark"} {
		if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
			t.Fatal(err)
		}
		for name, width := range map[string]int64{"wide": 1440, "phone": 390} {
			p.do("size", chromedp.EmulateViewport(width, 844))
			p.openQuery(base, "name,load,:eq,:max")
			p.write("name,load,:eq,:roll")
			p.offers("words", ":rolling-mean")
			p.inShadow(".cm-completionInfo", "Mean")
			p.shoot("editor-" + scheme + "-" + name)
			for _, selector := range []string{".cm-tooltip-autocomplete", ".cm-completionInfo"} {
				right := eval[float64](p, fmt.Sprintf(`%s.querySelector(%q).getBoundingClientRect().right`, inEditor, selector))
				if right > float64(width) {
					t.Errorf("%s, %s: %s ends at %v", scheme, name, selector, right)
				}
			}
			for _, low := range eval[[]string](p, contrasts) {
				t.Errorf("%s, %s: contrast below 4.5: %s", scheme, name, low)
			}
		}
	}
	p.quiet()
}

// contrasts lists the texts of the editor and its list that are hard to read.
const contrasts = `(() => {
	const rgb = (text) => text.match(/[\d.]+/g).map(Number);
	const light = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c.slice(0, 3); } };
	const low = [];
	for (const e of ` + inEditor + `.querySelectorAll("[class^=code-], .cm-completionLabel, .cm-completionMatchedText, .cm-completionDetail, completion-section, .doc *")) {
		const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))], ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (e.textContent && ratio < 4.5) low.push(e.className + " " + e.textContent + " " + ratio.toFixed(2));
	}
	return low;
})()`
