package main

import (
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestPageRefused: who may only look is told what is missing, and so is who asks a server
// that is down; what was typed stays, and can be sent again.
func TestPageRefused(t *testing.T) {
	p := newTab(t)
	list := filepath.Join(t.TempDir(), "tokens")
	reader := newToken(t, list, "reader", "query")
	address := freeAddress(t)
	base := "http://" + address
	server := start(t, "serve", "--listen", address, "--data", t.TempDir(), "--step", "1s", "--log-level", "error", "--tokens", list)
	awaitReady(t, base)
	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/silences?new=1"), chromedp.WaitVisible("#token"), chromedp.SendKeys("#token", reader+"\r"))

	for path, want := range map[string]string{"/receivers": "scope admin", "/server": "scope admin"} {
		p.do(path, chromedp.Navigate(base+path), chromedp.WaitVisible("main .error, main .notice"))
		p.shows("main", want)
	}
	p.do("data", chromedp.Navigate(base+"/data"), chromedp.WaitVisible("main table"))

	p.do("a rule", chromedp.Navigate(base+"/rules/new?q=name,pulse.ingest.requests,:eq,:sum"), chromedp.WaitVisible(".rule-editor"))
	p.put("#f-id", "kept")
	p.until("it can be saved", `!document.querySelector("#save").disabled`)
	p.do("save", chromedp.Click("#save"))
	p.shows("main", "To save a rule a token needs the scope admin.")
	p.until("the rule stays", `document.querySelector("#f-id").value === "kept" && !document.querySelector("#save").disabled`)

	p.do("a silence", chromedp.Navigate(base+"/silences?new=1"), chromedp.WaitVisible("dialog [name=comment]"))
	p.fill(".matcher .key", "region")
	p.fill(".matcher .value", "eu")
	p.fill("dialog [name=author]", "ann")
	p.fill("dialog [name=comment]", "a release")
	p.do("create", chromedp.Click("dialog button[type=submit]"))
	p.shows("dialog .error", "lacks the scope admin")
	const kept = `document.querySelector("dialog [name=comment]").value === "a release" && document.querySelector(".matcher .value").value === "eu" && !document.querySelector("dialog button[type=submit]").disabled`
	p.until("the silence stays", kept)

	server.end(t)
	p.do("create", chromedp.Click("dialog button[type=submit]"))
	p.shows("dialog .error", "the server does not answer")
	p.shows("header", "the server does not answer")
	p.until("the silence stays still", kept)
	p.allow("401 (Unauthorized)", "403 (Forbidden)", "net::ERR_")
	p.quiet()
}
