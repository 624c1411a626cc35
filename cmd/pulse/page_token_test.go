package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"pulse/detect/secret"
)

// newToken adds a token to a list and returns its secret.
func newToken(t *testing.T, list, name string, scopes ...string) string {
	t.Helper()
	p := start(t, append([]string{"token", "new", name, "--add", list, "--scope"}, strings.Join(scopes, ","))...)
	if code := <-p.done; code != 0 {
		text, _ := p.errors.read()
		t.Fatalf("token new: %d %s", code, text)
	}
	p.done <- 0
	text, _ := p.out.read()
	return strings.TrimSpace(text)
}

// TestPageToken: the page asks for a token, works with one, live too, keeps it
// in its tab alone, and asks again when it is revoked.
func TestPageToken(t *testing.T) {
	p := newTab(t)
	list := filepath.Join(t.TempDir(), "tokens")
	admin := newToken(t, list, "ops", "admin", "query", "ingest")
	reader := newToken(t, list, "reader", "query")
	pusher := newToken(t, list, "pusher", "ingest")
	address := freeAddress(t)
	base := "http://" + address
	start(t, "serve", "--listen", address, "--data", t.TempDir(), "--step", "1s", "--log-level", "error", "--tokens", list)
	awaitReady(t, base)

	link := base + "/?" + url.Values{"q": {"name,pulse.ingest.requests,:eq,:sum"}, "range": {"5m"}}.Encode()
	enter := func(secret string) {
		t.Helper()
		p.do("token", chromedp.WaitVisible("#token"), chromedp.SendKeys("#token", secret+"\r"))
	}
	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(link), chromedp.WaitVisible("#token"))
	if text := eval[string](p, `document.querySelector(".lock").textContent`); strings.Contains(text, "not known") {
		t.Errorf("before any token was sent: %s", text)
	}
	p.shoot("token")
	enter("pulse_wrong")
	p.shows(".lock", "not known")
	enter(pusher)
	p.shows(".error", "lacks the scope query")
	p.do("alerts", chromedp.Navigate(base+"/alerts"), chromedp.WaitVisible(".tabs"))
	p.shows("main .error", "lacks the scope query")
	p.do("back", chromedp.Navigate(link), chromedp.WaitVisible("header .forget"))
	p.do("forget", chromedp.Click("header .forget"))
	enter(reader)
	p.do("graph", chromedp.WaitVisible(".chart canvas"))
	p.shows(".legend tbody", "pulse.ingest.requests")
	p.until("follows every step", `document.querySelector(".live").title.startsWith("following")`)
	p.until("steps are appended", `(window.seen = window.seen || document.querySelector(".chart").dataset.to) !== document.querySelector(".chart").dataset.to`)
	if text := eval[string](p, `document.querySelector("header").textContent`); strings.Contains(text, "does not answer") || strings.Contains(text, "connecting") {
		t.Errorf("a reader sees %q", text)
	}
	p.do("alerts", chromedp.Navigate(base+"/alerts"), chromedp.WaitVisible(".calm"))
	p.shows("main", "Nothing fires")
	p.shoot("alerts-calm")
	p.do("a silence", chromedp.Navigate(base+"/silences?new=1"), chromedp.WaitVisible("dialog"))
	p.fill(".matcher .value", "x")
	p.shows("dialog .hits", "It hits no alert now")
	p.fill("dialog [name=author]", "ann")
	p.fill("dialog [name=comment]", "not ours to silence")
	p.click("dialog button[type=submit]", "Silence")
	p.shows("dialog .error", "lacks the scope admin")
	p.do("again", chromedp.Navigate(link), chromedp.WaitVisible(".chart canvas"))
	if kept := eval[string](p, `JSON.stringify(localStorage).includes("pulse_") + " " + document.cookie + " " + location.href.includes("pulse_")`); kept != "false  false" {
		t.Errorf("the token is kept elsewhere: %q", kept)
	}
	p.do("forget", chromedp.Click("header .forget"))
	enter(admin)
	p.shows("header", "series")

	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n") // without the first line, which is admin's
	if err := os.WriteFile(list, []byte(rest), 0o600); err != nil {
		t.Fatal(err)
	}
	server := &client{base, http.DefaultClient, secret.New(admin)}
	if err := server.send(t.Context(), "POST", "/-/reload", []byte("{}")); err != nil {
		t.Fatal(err)
	}
	p.do("asks again", chromedp.WaitVisible("#token"))
	p.shows(".lock", "not any more")
	p.allow("401 (Unauthorized)", "403 (Forbidden)")
	p.quiet()
}
