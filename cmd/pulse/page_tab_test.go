package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// mostTabs is how many pages are open at once. Their tests mostly wait for the next step
// of a server, so there are more than a small machine has cores.
const mostTabs = 4

var tabs = make(chan struct{}, mostTabs)

// chromium is the browser that all tests share, started when the first needs it: each has
// a window, cookies, storage and a cache of its own in it.
var chromium struct {
	sync.Mutex
	ctx  context.Context
	stop func()
}

var errNoBrowser = errors.New("no Chromium found: install Debian's package chromium")

// browser returns the context of the running browser.
func browser() (context.Context, error) {
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.ctx != nil {
		return chromium.ctx, nil
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		if path, err = exec.LookPath("google-chrome"); err != nil {
			return nil, errNoBrowser
		}
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, free := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		cancel()
		free()
		return nil, fmt.Errorf("start the browser: %w", err)
	}
	chromium.ctx, chromium.stop = ctx, func() { _ = chromedp.Cancel(ctx); cancel(); free() }
	return ctx, nil
}

// suite runs the tests with as many at once as there may be tabs, and ends the browser.
type suite struct{ *testing.M }

func (s suite) Run() int {
	flag.Parse()
	if p := flag.Lookup("test.parallel"); p.Value.String() == p.DefValue {
		if n, err := strconv.Atoi(p.DefValue); err != nil || n < mostTabs {
			if err := p.Value.Set(strconv.Itoa(mostTabs)); err != nil {
				panic(err)
			}
		}
	}
	code := s.M.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	return code
}

// tab is a page in headless Chromium.
type tab struct {
	t    *testing.T
	ctx  context.Context
	mu   sync.Mutex
	said []string      // what the console and the content policy complained about
	mark string        // the last mark that was read from the console
	read chan struct{} // closed when the next mark has been read
	fine []string      // what complaints may be about
	done bool          // quiet was asked
}

// newTab opens a page for a test, which runs beside others of its kind. It is called first in
// a test, which ends with quiet. Where no browser is found the test is skipped, or fails when
// CI is true.
func newTab(t *testing.T) *tab {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a browser")
	}
	t.Parallel()
	tabs <- struct{}{}
	t.Cleanup(func() { <-tabs })
	shared, err := browser()
	if errors.Is(err, errNoBrowser) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(shared, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	p := &tab{t: t, ctx: ctx, read: make(chan struct{})}
	p.do("start", chromedp.Navigate("about:blank"))
	messages := chromedp.Console(ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			p.hear(m)
		}
	}()
	t.Cleanup(func() {
		if !p.done && !t.Failed() {
			t.Error("BUG: the test does not ask whether the page was quiet")
		}
	})
	return p
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

const markOf = "everything up to here: " // begins a line of the console that the tests write

func (p *tab) hear(m chromedp.ConsoleMessage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mark, ok := strings.CutPrefix(m.Text, markOf); ok {
		p.mark = mark
		close(p.read)
		p.read = make(chan struct{})
		return
	}
	p.said = append(p.said, m.String()+" "+m.URL)
}

// complaints returns what the browser has complained about so far, but for what allow names.
func (p *tab) complaints() []string {
	p.t.Helper()
	mark := strconv.FormatInt(time.Now().UnixNano(), 10)
	eval[bool](p, `(console.debug(`+quoteJS(markOf+mark)+`), true)`)
	for {
		p.mu.Lock()
		done, read, said := p.mark == mark, p.read, slices.Clone(p.said)
		p.mu.Unlock()
		if done {
			return slices.DeleteFunc(said, func(text string) bool {
				return slices.ContainsFunc(p.fine, func(part string) bool { return strings.Contains(text, part) })
			})
		}
		select {
		case <-read:
		case <-p.ctx.Done():
			p.t.Fatal("the console is not read to its end: ", p.ctx.Err())
		}
	}
}

// allow names parts of complaints that a test causes on purpose.
func (p *tab) allow(parts ...string) { p.fine = append(p.fine, parts...) }

// quiet fails when the browser complained about anything: an error, a warning, an exception,
// the content policy. It is asked while the servers still run.
func (p *tab) quiet() {
	p.t.Helper()
	p.done = true
	for _, text := range p.complaints() {
		p.t.Errorf("the browser complained: %s", text)
	}
}
