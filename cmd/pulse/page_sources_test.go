package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPageSources: who sends what, and for what was refused why and what to do.
func TestPageSources(t *testing.T) {
	p := newTab(t)
	base := serveFor(t)
	push := func(source, path, body string) {
		t.Helper()
		req, err := http.NewRequest("POST", base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Pulse-Source", source)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	push("good", "/c/starts?region=eu", "1")
	push("old-clock", "/api/v1/publish", `{"metrics":[{"tags":{"name":"load","atlas.dstype":"gauge"},"timestamp":1000,"value":1},{"tags":{"name":"bad name","atlas.dstype":"gauge"},"timestamp":1000,"value":1}]}`)
	push("cut-off", "/api/v1/publish", `{"metrics":[`)
	for _, text := range corpus {
		push(text, "/c/starts?"+url.Values{"region": {text}}.Encode(), "1")
	}
	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/sources"), chromedp.WaitVisible("#sources"))
	p.shows("#sources", "source=good")
	p.shows("#sources", "source=old-clock")
	p.shows("#sources", "too old.")
	p.shows("#sources", "Set the sender's clock")
	p.shows("#sources", "1 request refused: not readable.")
	p.shows("#sources", "one line")
	p.shows("#sources", "Pulse itself")
	phoneAndDark(t, p, "sources")
	p.until("those with refused points", `(() => { const b = [...document.querySelectorAll("[aria-label=Which] button")].find((x) => x.textContent.startsWith("with refusals")); b?.click(); return Boolean(b); })()`)
	p.until("the good one is not among them", `!document.querySelector("#sources").textContent.includes("source=good")`)
	p.do("find", chromedp.SendKeys("#find", "old-clock"))
	p.until("one is left", `document.querySelectorAll("#sources tbody tr:not(.detail)").length === 1`)
	p.do("open it", chromedp.Click("#sources button.plain"))
	p.shows("#sources .detail", "requests")
	link := eval[string](p, `location.href`)
	p.do("the link", chromedp.Navigate(link), chromedp.WaitVisible("#sources"))
	p.until("the same", `document.querySelectorAll("#sources tbody tr:not(.detail)").length === 1 && document.querySelector("#find").value === "old-clock"`)
	p.shows("#sources .detail", "superseded")
	p.do("sort", chromedp.Navigate(base+"/sources?sort=-rejected"), chromedp.WaitVisible("#sources"))
	p.until("sorted", `document.querySelector("#sources th[aria-sort=descending]").textContent.includes("refused")`)
	if title := eval[string](p, `document.title + document.querySelectorAll("main script, main img").length`); strings.Contains(title, "owned") || !strings.HasSuffix(title, "0") {
		t.Errorf("a source ran: %s", title)
	}
	p.quiet()
}
