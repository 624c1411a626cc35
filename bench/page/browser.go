package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	devtools "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/systeminfo"
	"github.com/chromedp/chromedp"
)

// browser starts Chromium with one tab; done ends it.
func browser(ctx context.Context) (tab context.Context, done func(), err error) {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if path, err = exec.LookPath("google-chrome"); err != nil {
			return nil, nil, errors.New("no Chromium found")
		}
	}
	dir, err := os.MkdirTemp("", "pulse-page-")
	if err != nil {
		return nil, nil, err
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(dir),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	ctx, stop := chromedp.NewExecAllocator(ctx, opts...)
	tab, _ = chromedp.NewContext(ctx)
	done = func() {
		_ = chromedp.Cancel(tab)
		stop()
		_ = os.RemoveAll(dir)
	}
	_, err = chromedp.Call(tab, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watch})
	if err != nil {
		done()
	}
	return tab, done, err
}

func version(tab context.Context) string {
	v, err := chromedp.CallBrowser(tab, devtools.GetVersion, cdp.Empty{})
	if err != nil {
		return err.Error()
	}
	return v.Product + ", headless, drawing without a graphics card"
}

// watch notes in window.bench when the answer of a graph has been read, and when what was
// drawn then has been painted: a message that is sent from the frame's callback comes after
// the frame. A page that does not follow asks for as many points as a line may have, however
// wide the screen is.
const watch = `(() => {
	const b = (window.bench = { at: 0, points: 0, lines: 0, took: [], first: 0, frames: 0 });
	const json = Response.prototype.json, stroke = CanvasRenderingContext2D.prototype.stroke;
	Response.prototype.json = async function () {
		const v = await json.call(this);
		if (new URL(this.url).pathname === "/api/v1/graph") { b.at = performance.now(); b.points = v.values.length; b.lines = v.legend.length; }
		return v;
	};
	const ask = window.fetch, most = location.search.includes("live=0");
	window.fetch = (path, ...more) => ask(most && typeof path === "string" ? path.replace(/^(\/api\/v1\/graph\?.*\bw=)\d+/, (_, head) => head + 1440) : path, ...more);
	let waits = false;
	CanvasRenderingContext2D.prototype.stroke = function (...path) {
		stroke.apply(this, path);
		if (waits) return;
		waits = true;
		requestAnimationFrame(() => {
			const painted = new MessageChannel();
			painted.port1.onmessage = () => {
				const now = performance.now();
				waits = false;
				b.frames++;
				b.first ||= now;
				if (b.at) b.took.push(now - b.at);
				b.at = 0;
			};
			painted.port2.postMessage(0);
		});
	};
})()`

func (b *bench) do(steps ...chromedp.Action[chromedp.Void]) error {
	return chromedp.Do(b.ctx, steps...)
}

// until waits until a JavaScript expression is true.
func (b *bench) until(expression string, args ...any) error {
	script := fmt.Sprintf(expression, args...)
	if _, err := chromedp.Run(b.ctx, chromedp.Poll[bool](script, chromedp.WithPollingTimeout(time.Minute))); err != nil {
		return fmt.Errorf("%s: %w", script, err)
	}
	return nil
}

func eval[T any](b *bench, expression string) (T, error) {
	return chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
}

// spent is CPU time of the browser so far.
type spent struct {
	main, renderer, all time.Duration
	threads             map[string]time.Duration // of the renderer, by name
}

func (s spent) since(before spent) spent {
	threads := map[string]time.Duration{}
	for name, d := range s.threads {
		threads[name] = d - before.threads[name]
	}
	return spent{s.main - before.main, s.renderer - before.renderer, s.all - before.all, threads}
}

// cpu reads what the kernel counted: of the page's main thread, its process, and all
// processes of the browser.
func (b *bench) cpu() (s spent, err error) {
	list, err := chromedp.CallBrowser(b.ctx, systeminfo.GetProcessInfo, cdp.Empty{})
	if err != nil {
		return s, err
	}
	s.threads = map[string]time.Duration{}
	for _, p := range list.ProcessInfo {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.ID))
		if err != nil {
			return s, err
		}
		for _, file := range threads {
			text, err := os.ReadFile(file)
			if err != nil {
				continue // the thread has ended
			}
			first, _, _ := strings.Cut(string(text), " ")
			n, err := strconv.ParseInt(first, 10, 64)
			if err != nil {
				return s, fmt.Errorf("%s: %w", file, err)
			}
			s.all += time.Duration(n)
			if p.Type == "renderer" {
				s.renderer += time.Duration(n)
				name, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "comm"))
				s.threads[strings.TrimRight(strings.TrimSpace(string(name)), "0123456789")] += time.Duration(n)
				if filepath.Base(filepath.Dir(file)) == strconv.FormatInt(p.ID, 10) {
					s.main += time.Duration(n)
				}
			}
		}
	}
	if s.main == 0 {
		return s, errors.New("the kernel does not say what the page's thread took: /proc/*/task/*/schedstat")
	}
	return s, nil
}
