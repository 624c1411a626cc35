package main

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestExploreKeys: the graph is read, zoomed and moved by keys; what was asked before comes
// back by arrow keys; and from any page silences are looked at, and a query is begun.
func TestExploreKeys(t *testing.T) {
	p := newTab(t)
	base, start, end := explored(t)
	p.do("size", chromedp.EmulateViewport(1440, 900))
	p.explore(base, stretch(start, end, nil))
	p.shows(".legend tbody", "shop=s4")

	pinned := func(i int) {
		t.Helper()
		p.until("pinned", `document.querySelector(".pinned")?.getAttribute("aria-label").includes(new Date(%d).toISOString().slice(11, 19)) === true`, start+int64(i)*5000)
	}
	p.keys(kb.ArrowLeft)
	pinned(120)
	p.shows(".pinned li", "shop=s4")
	p.keys(kb.ArrowLeft + kb.ArrowLeft + kb.ArrowRight)
	pinned(119)
	p.keys("i")
	middle := end - (end-start)/4 // as near to what is pinned as the range goes
	p.until("zoomed", `Math.abs(%s - %d) < 10000 && Math.abs(%s - %d) < 10000`, param("s"), middle-(end-start)/4, param("e"), end)
	p.keys("[")
	p.until("earlier", `Math.abs(%s - %d) < 10000`, param("e"), middle)
	p.keys("]]]]]]]]]]]]")
	p.until("up to now", `%s === null && %s !== null`, param("s"), param("range"))

	p.do("one click", chromedp.Click(`[aria-label^="Compare"] button:last-child`))
	p.until("a week before", `%s === "1w"`, param("overlay"))
	p.do("another", chromedp.Click(`[aria-label^="Compare"] button:last-child`))
	p.until("not any more", `%s === null`, param("overlay"))

	p.keys("gi")
	p.until("at the silences", `location.pathname === "/silences" && document.querySelector(".tabs [aria-current]")?.textContent.startsWith("Silences") === true`)

	const first, second = "name,stock,:eq,:sum", "name,stock,:eq,:max"
	p.do("board", chromedp.Navigate(base+"/board?"+url.Values{"q": {second}}.Encode()), chromedp.WaitVisible(".board-grid"))
	p.keys("/")
	p.until("in Explore", `location.pathname === "/" && document.activeElement.id === "query" && %s?.activeElement?.classList.contains("cm-content") === true`, inEditor)
	for _, q := range []string{first, second} {
		p.keys("a", chromedp.ModifierCtrl)
		p.keys(q) // over what is selected
		p.holds(q)
		p.keys(kb.Escape + kb.Escape) // the list, then the box
		p.until("left", `document.activeElement.id !== "query"`)
		p.keys("/\r")
		p.until("remembered", `JSON.parse(localStorage.getItem("queries"))[0].q === %q`, q)
	}
	p.keys("a", chromedp.ModifierCtrl)
	p.keys("draft")
	p.keys(kb.Escape + kb.Escape)
	p.until("left", `document.activeElement.id !== "query"`)
	p.keys("/" + kb.ArrowUp)
	p.holds(second)
	p.keys(kb.ArrowUp)
	p.holds(first)
	p.keys(kb.ArrowDown + kb.ArrowDown)
	p.holds("draft")
	p.quiet()
}
