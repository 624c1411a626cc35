package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// corpus is text that runs where it is taken for markup, code or a link.
var corpus = []string{
	`<script>document.title='owned'</script>`, `<img src=x onerror=document.title='owned'>`, `"><svg onload=document.title='owned'>`,
	`javascript:document.title='owned'`, `{{7*7}}${document.title='owned'}`, `' onmouseover='document.title="owned"`, "a,b,:eq,(,x,),:by", `&lt;b&gt;`,
}

// publishTags pushes a gauge for each set of tags.
func publishTags(t *testing.T, base string, want int, sets ...map[string]string) {
	t.Helper()
	var metrics []map[string]any
	for _, tags := range sets {
		tags["atlas.dstype"] = "gauge"
		metrics = append(metrics, map[string]any{"tags": tags, "timestamp": time.Now().UnixMilli(), "value": 1})
	}
	body, err := json.Marshal(map[string]any{"metrics": metrics})
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(base+"/api/v1/publish", "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != want {
		t.Fatalf("publish: %s, want %d", res.Status, want)
	}
}

// TestPageData: from all series to those of one tag by clicks, and Back; values are found,
// paged, and opened in Explore; what was refused is named; and all of it is text.
func TestPageData(t *testing.T) {
	p := newTab(t)
	base := serveFor(t, "--max-values-per-key", "300")
	var sets []map[string]string
	for i := range 240 {
		sets = append(sets, map[string]string{"name": "requests", "node": fmt.Sprintf("node-%03d", i), "region": []string{"eu", "us", "ap"}[i%3]})
	}
	for i := range 40 {
		sets = append(sets, map[string]string{"name": "errors", "node": fmt.Sprintf("node-%03d", i), "region": "eu"})
	}
	publishTags(t, base, 200, sets...)
	sets = nil
	for i := range 200 {
		sets = append(sets, map[string]string{"name": "exploding", "node": fmt.Sprint("session-", i)})
	}
	publishTags(t, base, 202, sets...)

	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/data"), chromedp.WaitVisible("#values"))
	p.shows("#keys", "node")
	p.shows("#values", "requests")
	p.shows("#churn", "new")
	p.shows("#refused", "by the limit on values per tag key")
	p.shows(`[aria-label="Limits"]`, "exploding")
	p.shows(`[aria-label="Limits"]`, "What to do")
	p.until("the limit is full", `[...document.querySelectorAll(".bar.full")].some((b) => b.textContent.includes("values of one key"))`)
	phoneAndDark(t, p, "data")

	click := func(what, selector, text string) {
		t.Helper()
		p.until(what, `(() => { const b = [...document.querySelectorAll(%q)].find((x) => x.textContent.trim() === %q); if (b) b.click(); return Boolean(b); })()`, selector, text)
	}
	click("a name", "#values button.plain", "requests")
	p.until("its query", `new URLSearchParams(location.search).get("q") === "name,requests,:eq"`)
	p.shows(`[aria-label="Filter"] h2`, "240 series")
	p.shows(`[aria-label="Values"] h2`, "node")
	p.shows("#values", "node-000")
	p.shoot("data-name")
	click("the next page", `[aria-label="Values"] button`, "Next")
	p.shows("#values", "node-025")
	p.do("find", chromedp.SendKeys("#find", "-23"))
	p.until("found", `document.querySelectorAll("#values tbody tr").length === 10`)
	p.until("in the address", `new URLSearchParams(location.search).get("find") === "-23"`)
	click("a key", "#keys button.plain", "region")
	p.shows("#values", "eu")
	click("a value", "#values button.plain", "eu")
	p.shows(`[aria-label="Filter"] h2`, "80 series")
	link := eval[string](p, `location.href`)
	p.do("back", chromedp.NavigateBack())
	p.shows(`[aria-label="Filter"] h2`, "240 series")
	p.do("the link", chromedp.Navigate(link), chromedp.WaitVisible("#values"))
	p.shows(`[aria-label="Filter"] h2`, "80 series")
	p.do("without the name", chromedp.Click(".chip button"))
	p.until("the query", `new URLSearchParams(location.search).get("q") === "region,eu,:eq"`)
	p.shows(`[aria-label="Filter"] h2`, "120 series")
	p.do("explore", chromedp.Click(`[aria-label="Filter"] a.button`), chromedp.WaitVisible(".chart canvas"))
	p.shows(".legend tbody", "name=")
	p.allow("/api/v1/stream") // the largest of a range are not followed
	p.quiet()
}

// hostile makes the server answer a path with what no server would take in.
const hostile = `(() => {
	const corpus = %s, real = window.fetch;
	const answer = (x) => new Response(JSON.stringify(x), { status: 200, headers: { "Content-Type": "application/json" } });
	window.fetch = (path, ...more) => {
		const at = new URL(path, location.origin);
		if (at.pathname === "/api/v1/cardinality") return Promise.resolve(answer({ series: 9, keyCount: corpus.length, keys: corpus.map((key) => ({ key, values: 2, series: 3 })),
			churn: { windowMs: 3600000, silentMs: 300000, new: 4, gone: 5, names: corpus.map((name) => ({ name, new: 1, gone: 1 })), keys: corpus.map((key) => ({ key, values: 2 })) }, limits: {},
			refused: { total: 9, byLimit: { [corpus[0]]: 9 }, names: corpus.map((text) => ({ text, count: 2, atLeast: 1 })), keys: corpus.map((text) => ({ text, count: 2, atLeast: 2 })) } }));
		if (at.pathname.startsWith("/api/v1/cardinality/")) return Promise.resolve(answer({ key: "name", values: corpus.length, series: 9, found: corpus.length, items: corpus.map((value) => ({ value, series: 1 })) }));
		return real(path, ...more);
	};
})()`

// TestPageDataHostile: names, keys and values are text, whatever they are, and the
// query that a click makes of them means them.
func TestPageDataHostile(t *testing.T) {
	p := newTab(t)
	base := serveFor(t)
	texts, err := json.Marshal(corpus)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(p.ctx, devtools.AddScriptToEvaluateOnNewDocument, devtools.AddScriptToEvaluateOnNewDocumentParams{Source: fmt.Sprintf(hostile, texts)}); err != nil {
		t.Fatal(err)
	}
	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/data"), chromedp.WaitVisible("#values"))
	for _, text := range corpus {
		p.do("all", chromedp.Navigate(base+"/data"), chromedp.WaitVisible("#values"))
		p.until("a click on "+text, `(() => { const b = [...document.querySelectorAll("#values button.plain")].find((x) => x.textContent === %q); if (b) b.click(); return Boolean(b); })()`, text)
		p.until("shown as text", `[...document.querySelectorAll(".chip .mono")].some((x) => x.textContent === "name=" + %q)`, text)
		q := eval[string](p, `new URLSearchParams(location.search).get("q")`)
		res, err := http.Get(base + "/api/v1/expr/queries?" + url.Values{"q": {q}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s becomes %s, which is no query", text, q)
		}
	}
	p.shoot("data-hostile")
	if title := eval[string](p, `document.title + document.querySelectorAll("main script, main img, main svg[onload]").length`); strings.Contains(title, "owned") || !strings.HasSuffix(title, "0") {
		t.Errorf("a tag ran: %s", title)
	}
	p.quiet()
}
