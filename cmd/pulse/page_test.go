package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// tab is a page in headless Chromium.
type tab struct {
	t    *testing.T
	ctx  context.Context
	mu   sync.Mutex
	said []string // what the console and the content policy complained about
}

// newTab starts the browser; where none is found the test is skipped, or fails
// when CI is true.
func newTab(t *testing.T) *tab {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if path, err = exec.LookPath("google-chrome"); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("no Chromium found: install Debian's package chromium")
			}
			t.Skip("no Chromium found: the page is not tested")
		}
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(func() { _ = chromedp.Cancel(ctx); cancel() })
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx}
	p.do("start", chromedp.Navigate("about:blank"))
	go func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			if text := m.String(); !strings.Contains(text, "400 (Bad Request)") { // the test asks something wrong on purpose
				p.mu.Lock()
				p.said = append(p.said, text)
				p.mu.Unlock()
			}
		}
	}()
	return p
}

// allPages skips a test unless PULSE_PAGES is set: together they take longer than a change
// should have to wait.
func allPages(t *testing.T) {
	t.Helper()
	if testing.Short() || os.Getenv("PULSE_PAGES") == "" {
		t.Skip("needs a browser, and PULSE_PAGES=1")
	}
}

// do runs steps one after the other.
func (p *tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, steps...); err != nil {
		p.shoot("failed")
		p.t.Fatalf("%s: %v", what, err)
	}
}

// until waits until a JavaScript expression is true.
func (p *tab) until(what, expression string, args ...any) {
	p.t.Helper()
	script := fmt.Sprintf(expression, args...)
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(60*time.Second))); err != nil {
		p.shoot("failed")
		p.quiet()
		p.t.Fatalf("%s: %s: %v", what, script, err)
	}
}

// shows waits until the element's text holds want.
func (p *tab) shows(selector, want string) {
	p.t.Helper()
	p.until("shows", `(document.querySelector(%q)?.textContent || "").includes(%q)`, selector, want)
}

// eval returns the value of a JavaScript expression.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// shoot keeps a picture of the page in the folder named by PULSE_SCREENSHOTS.
func (p *tab) shoot(name string) {
	p.t.Helper()
	dir := os.Getenv("PULSE_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(p.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		p.t.Logf("picture %s: %v", name, err)
		return
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// quiet fails when the browser complained about anything.
func (p *tab) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, text := range p.said {
		p.t.Errorf("the browser complained: %s", text)
	}
}

func TestPage(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser")
	}
	demo := startDemo(t, "--outage-after", "6s", "--outage-for", "10m", "--outage-depth", "0.9")
	p := newTab(t)
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
	p.quiet()
}
