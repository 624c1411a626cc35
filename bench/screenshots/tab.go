package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a page in headless Chromium.
type tab struct {
	ctx  context.Context
	base string // address of the server
}

// browser starts Chromium with one tab; done ends it.
func browser(ctx context.Context) (t *tab, done func(), err error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if path, err = exec.LookPath("google-chrome"); err != nil {
			return nil, nil, errors.New("no Chromium found")
		}
	}
	dir, err := os.MkdirTemp("", "pulse-screenshots-")
	if err != nil {
		return nil, nil, err
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(dir),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, stop := chromedp.NewExecAllocator(ctx, opts...)
	ctx, _ = chromedp.NewContext(ctx)
	done = func() {
		_ = chromedp.Cancel(ctx)
		stop()
		_ = os.RemoveAll(dir)
	}
	t = &tab{ctx: ctx}
	if err := t.do(chromedp.Navigate("about:blank")); err != nil {
		done()
		return nil, nil, err
	}
	_, err = chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return t, done, err
}

func (t *tab) do(steps ...chromedp.Action[chromedp.Void]) error { return chromedp.Do(t.ctx, steps...) }

// until waits until a JavaScript expression is true.
func (t *tab) until(script string) error {
	if _, err := chromedp.Run(t.ctx, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(40*time.Second))); err != nil {
		return fmt.Errorf("%s: %w", script, err)
	}
	return nil
}

// key presses a key. What it types comes with it going down, as from a keyboard: where that is
// prevented nothing is typed.
func (t *tab) key(r rune) error {
	events := kb.Encode(r)
	down, up := events[0], events[len(events)-1]
	if len(events) == 3 {
		down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
	}
	for _, event := range []*input.DispatchKeyEventParams{down, up} {
		if _, err := chromedp.Call(t.ctx, input.DispatchKeyEvent, *event); err != nil {
			return err
		}
	}
	return nil
}

// point moves the mouse to shares of the plot, and clicks there.
func (t *tab) point(x, y float64) error {
	box, err := chromedp.Run(t.ctx, chromedp.Evaluate[[]float64](`(() => { const b = document.querySelector(".chart .plot-over").getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()`))
	if err != nil {
		return err
	}
	px, py := box[0]+x*box[2], box[1]+y*box[3]
	return t.do(chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, px, py), chromedp.MouseClickXY(px, py))
}

// look is a screen and a theme.
type look struct {
	name          string
	width, height int64
	scale         float64
	theme         string
}

var looks = []look{
	{"light", 1440, 900, 1, "light"}, {"dark", 1440, 900, 1, "dark"},
	{"phone-light", 390, 844, 2, "light"}, {"phone-dark", 390, 844, 2, "dark"},
}

// as makes the tab such a screen, as a browser that has never been here.
func (t *tab) as(l look) error {
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.theme}}}
	if _, err := chromedp.Call(t.ctx, emulation.SetEmulatedMedia, media); err != nil {
		return err
	}
	return t.do(chromedp.EmulateViewport(l.width, l.height, chromedp.EmulateScale(l.scale)))
}

// still waits until nothing is on its way and two frames have been drawn.
func (t *tab) still() error {
	if err := t.until(`document.querySelector("[aria-busy=true]") === null`); err != nil {
		return err
	}
	time.Sleep(400 * time.Millisecond)
	_, err := chromedp.Run(t.ctx, chromedp.Evaluate[bool](`(window.drawnTwice = false, requestAnimationFrame(() => requestAnimationFrame(() => { window.drawnTwice = true; })), true)`))
	if err != nil {
		return err
	}
	return t.until(`window.drawnTwice`)
}

// picture returns the page as PNG, all of it or what the screen shows.
func (t *tab) picture(whole bool) ([]byte, error) {
	if whole {
		return chromedp.Run(t.ctx, chromedp.FullScreenshot(100))
	}
	return chromedp.Run(t.ctx, chromedp.CaptureScreenshot())
}
