package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPageReceivers: a receiver is made and tested, refuses a page, which is in the log
// and given up, and takes it when it is sent again; secrets are not shown.
func TestPageReceivers(t *testing.T) {
	p := newTab(t)
	var status atomic.Int32
	status.Store(http.StatusOK)
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(int(status.Load()))
	}))
	t.Cleanup(target.Close)
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("receivers:\n  - {name: from-file, kind: webhook, url: \""+target.URL+"/file\", disabled: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	base := serveFor(t, "--egress-allow", "127.0.0.0/8", "--rules", rules)

	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/receivers"), chromedp.WaitVisible("#receivers"))
	p.shows("#receivers", "from-file")
	p.shows("#receivers", "rules.yaml")
	p.do("new", chromedp.Click(`a[href="/receivers?new=1"]`), chromedp.WaitVisible("#name"), chromedp.SendKeys("#name", "oncall"),
		chromedp.SendKeys("#url", "http://10.0.0.1/hook"), chromedp.SendKeys("#secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"), chromedp.Click(".receiver-form button.primary"))
	p.shows(".receiver-form .error", "--egress-allow")
	p.shoot("receiver-form")
	eval[bool](p, `(document.getElementById("url").select(), true)`)
	p.do("its address", chromedp.SendKeys("#url", target.URL+"/hook"), chromedp.Click(".receiver-form button.primary"), chromedp.WaitVisible("#test"))
	p.shows("main", "oncall")
	p.shows("main", "stored, not shown")
	p.do("test", chromedp.Click("#test"))
	p.shows("#said", "the test was taken: status 200")
	p.shows("#health", "It takes what it is sent")

	status.Store(http.StatusNotFound)
	feed(t, base)
	putRule(t, base, "hot", `{"expr":"name,load,:eq,:max,(,region,),:by","detector":{"kind":"static","above":15},"for":"1s"}`)
	p.shows("#log", "dead letter")
	p.shows("#log .wide a", "hot region=")
	p.shows("#log", "404")
	p.shows("#dead", "refused with status 404")
	p.shows("#health", "refused")
	phoneAndDark(t, p, "receiver")
	p.do("what failed", chromedp.Click(`[aria-label="Delivery log"] .segments button:last-child`))
	p.until("in the address", `new URLSearchParams(location.search).get("failed") === "1"`)
	p.do("all", chromedp.Click(`[aria-label="Delivery log"] .segments button:first-child`))

	status.Store(http.StatusOK)
	p.do("again", chromedp.Click("#dead .end button"))
	p.shows("#dead .sure", "under the keys they had")
	p.do("yes", chromedp.Click("#dead .danger"))
	p.shows("#said", "1 notification is sent again")
	p.shows("#log", "accepted")
	p.until("nothing is given up", `document.getElementById("dead") === null`)

	p.do("change", chromedp.Navigate(base+"/receivers/oncall?edit=1"), chromedp.WaitVisible("#timeout"))
	if text := eval[string](p, `document.getElementById("secret").value + document.body.textContent`); strings.Contains(text, "whsec_MDEy") {
		t.Error("the secret is in the page")
	}
	p.do("time-out", chromedp.SendKeys("#timeout", "5s"), chromedp.Click(".receiver-form button.primary"))
	p.shows("#said", "Saved")
	p.shows("main", "5s")
	p.shows("main", "stored, not shown")
	p.do("file", chromedp.Navigate(base+"/receivers/from-file"), chromedp.WaitVisible("#test"))
	p.shows("main", "is changed there")
	if n := eval[int](p, `[...document.querySelectorAll("main button")].filter((b) => /Change|Delete|Disable/.test(b.textContent)).length`); n != 0 {
		t.Error("a receiver of a file can be changed")
	}
	p.do("list", chromedp.Navigate(base+"/receivers"), chromedp.WaitVisible("#receivers"))
	p.shows("#receivers", "oncall")
	phoneAndDark(t, p, "receivers")
	p.do("keys", chromedp.KeyEvent("j"), chromedp.KeyEvent("j"), chromedp.KeyEvent("\r"), chromedp.WaitVisible("#test"))
	p.shows("main h2", "oncall")
	p.do("delete", chromedp.Navigate(base+"/receivers/oncall"), chromedp.WaitVisible("#test"))
	p.until("asks", `(() => { const b = [...document.querySelectorAll(".acts button")].find((x) => x.textContent === "Delete"); b?.click(); return Boolean(b); })()`)
	p.shows(".acts .sure", "is lost")
	p.do("yes", chromedp.Click(".acts .danger"), chromedp.WaitVisible("#receivers"))
	p.until("gone", `!document.querySelector("#receivers").textContent.includes("oncall")`)
	p.allow("/api/v1/receivers/oncall") // whose first address was wrong
	p.quiet()
}
