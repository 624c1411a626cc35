package main

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

func TestPage(t *testing.T) {
	p := newTab(t)
	demo := startDemo(t, "--outage-after", "6s", "--outage-for", "10m", "--outage-depth", "0.9")
	link := demo.waitFor(t, `Pulse is live: (http\S+)`)[1]
	base, _, _ := strings.Cut(link, "/?")

	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(link), chromedp.WaitVisible(".chart canvas"))
	p.shows(".legend tbody", "play.starts")
	p.until("follows every step", `document.querySelector(".live").title.startsWith("following")`)
	first := eval[string](p, `document.querySelector(".legend tbody td.num").textContent`)
	p.until("the last value changes", `document.querySelector(".legend tbody td.num").textContent !== %q`, first)
	p.shows("#alerts", "firing")
	p.shows("#alerts", "starts per second are")
	p.shows("header", "1 firing")
	p.shoot("page")

	before := eval[string](p, `document.documentElement.dataset.theme`)
	p.do("switch theme", chromedp.Click("header button"))
	p.until("theme", `document.documentElement.dataset.theme !== %q`, before)
	p.shoot("page-dark")
	p.do("graph of the alert", chromedp.Click(".alerts button"), chromedp.WaitVisible(".chart canvas"))
	p.until("band", `new URLSearchParams(location.search).get("band") === "starts-drop"`)
	p.shows("#why .words", "below what was expected")
	p.shows("#why .words", "completeness 4/4")
	p.shows("#why .decisions", "firing")
	p.shows("#why .decisions", "drop")
	eval[bool](p, `(document.querySelectorAll("#why details").forEach((d) => { d.open = true; }), true)`)
	p.shows("#why .steps", "4/4")
	p.shoot("why-dark")
	p.do("switch theme", chromedp.Click("header button"))
	p.until("theme", `document.documentElement.dataset.theme === %q`, before)
	p.shoot("why")

	p.write("name,sps,:eqq")
	p.keys("\r")
	p.shows(".error", ":eqq")
	p.shoot("error")

	p.do("grouped", chromedp.Navigate(base+"/?"+url.Values{"q": {demoQuery + ",(,nf.region,),:by"}, "range": {"5m"}}.Encode()))
	p.shows(".legend tbody", "nf.region=eu-west")
	p.do("hide a line", chromedp.Click(".legend tbody tr"), chromedp.WaitVisible(".legend tr.off"))
	p.shoot("grouped")
	p.do("nothing there", chromedp.Navigate(base+"/?q=name,nosuch,:eq"))
	p.shows(".empty", "curl")

	p.do("phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2)), chromedp.Navigate(link), chromedp.WaitVisible(".chart canvas"))
	p.shows("#alerts", "firing")
	if eval[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page is wider than a phone")
	}
	p.shoot("phone")
	p.do("why on a phone", chromedp.Click(".alerts button"))
	p.shows("#why .decisions", "firing")
	if eval[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		t.Error("the page is wider than a phone")
	}
	p.shoot("why-phone")

	dark := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, dark); err != nil {
		t.Fatal(err)
	}
	eval[bool](p, `(localStorage.clear(), true)`)
	p.do("dark by system", chromedp.Navigate(link))
	p.until("dark by system", `document.documentElement.dataset.theme === "dark"`)
	p.until("band and past drawn", `document.querySelector(".plot-over") !== null`)
	p.shoot("phone-dark")
	p.do("why", chromedp.Click(".alerts button"), chromedp.WaitVisible("#why .decisions"))
	p.shoot("why-phone-dark")
	p.allow("/api/v1/graph?q=name%2Csps%2C%3Aeqq", "/api/v1/stream?q=name%2Csps%2C%3Aeqq") // which is wrong
	p.quiet()
}
