package main

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// serveFor starts a server for a test of a page and returns its address.
func serveFor(t *testing.T, args ...string) (base string) {
	t.Helper()
	address := freeAddress(t)
	base = "http://" + address
	start(t, append([]string{"serve", "--listen", address, "--data", t.TempDir(), "--step", "1s", "--log-level", "error"}, args...)...)
	awaitReady(t, base)
	return base
}

// narrow fails when the page is wider than the screen.
func narrow(t *testing.T, p *tab, what string) {
	t.Helper()
	if eval[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		t.Errorf("%s is wider than a phone: %s", what, eval[string](p, `[...document.querySelectorAll("main *")].filter((x) => x.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map((x) => x.tagName + "." + x.className + " " + x.textContent.slice(0, 30)).join("; ")`))
	}
}

// phoneAndDark takes pictures of a page on a phone and in the other theme.
func phoneAndDark(t *testing.T, p *tab, name string) {
	t.Helper()
	p.shoot(name)
	p.do("dark", chromedp.Click("header .spacer"))
	p.shoot(name + "-dark")
	p.do("phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2)), chromedp.Reload())
	p.until("laid out", `innerWidth === 390 && document.querySelector("main table") !== null`)
	narrow(t, p, name)
	p.shoot(name + "-phone-dark")
	p.do("light", chromedp.Click("header .spacer"))
	p.shoot(name + "-phone")
	p.do("wide", chromedp.EmulateViewport(1440, 900))
}

// TestPageFirstRun: an empty server says what to do, the line that it shows works as it
// stands, and it is silent about it once there are data.
func TestPageFirstRun(t *testing.T) {
	p := newTab(t)
	base := serveFor(t)
	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/"), chromedp.WaitVisible("#firstrun"))
	p.until("its own metrics are drawn", `/pulse.ingest.points.*[0-9]copy/.test(document.querySelector(".legend tbody")?.textContent)`)
	line := eval[string](p, `document.querySelector("#firstrun code").textContent`)
	if !strings.HasPrefix(line, "curl -X POST '"+base+"/c/starts?") || strings.Contains(line, "Authorization") {
		t.Fatalf("the line is %s", line)
	}
	phoneAndDark(t, p, "firstrun")
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil { // as somebody pastes it
		if _, lost := exec.LookPath("curl"); lost == nil {
			t.Fatalf("%v: %s", err, out)
		}
		res, err := http.Post(base+"/c/starts?region=eu", "text/plain", strings.NewReader("1"))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	p.until("the way is gone", `document.getElementById("firstrun") === null`)
	p.do("data", chromedp.Navigate(base+"/data?find=start"), chromedp.WaitVisible("#values"))
	p.shows("#values", "starts")
	p.do("with data", chromedp.Navigate(base+"/"), chromedp.WaitVisible(".chart canvas"))
	p.until("nothing of it is shown", `document.getElementById("firstrun") === null`)
	p.quiet()
}

// TestPageFirstRunToken: where tokens are asked for, the line sends one.
func TestPageFirstRunToken(t *testing.T) {
	p := newTab(t)
	list := filepath.Join(t.TempDir(), "tokens")
	reader := newToken(t, list, "reader", "query")
	base := serveFor(t, "--tokens", list)
	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/"), chromedp.WaitVisible("#token"), chromedp.SendKeys("#token", reader+"\r"), chromedp.WaitVisible("#firstrun"))
	p.shows("#firstrun code", `-H "Authorization: Bearer $PULSE_TOKEN"`)
	p.shows("#firstrun", "scope ingest")
	for path, scope := range map[string]string{"/server": "admin", "/receivers": "admin"} {
		p.do(path, chromedp.Navigate(base+path), chromedp.WaitVisible("main .notice"))
		p.shows("main .notice", "lacks the scope "+scope)
		p.shoot("no-scope" + strings.ReplaceAll(path, "/", "-"))
	}
	p.allow("401 (Unauthorized)", "403 (Forbidden)")
	p.quiet()
}
