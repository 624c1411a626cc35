package main

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestStreamInNameOnly: a stream over which nothing comes any more is opened anew.
func TestStreamInNameOnly(t *testing.T) {
	p := newTab(t)
	base := editorServer(t)
	p.openQuery(base, "name,load,:eq,:max")
	p.until("following", `document.querySelector(".live").title.startsWith("following")`)
	eval[bool](p, `((ask, wait) => {
		window.tried = 0;
		window.fetch = (path, o) => {
			if (!/^.api.v1.stream/.test(path) || ++tried > 1) return ask(path, o);
			return Promise.resolve(new Response(new ReadableStream({ start(c) { o.signal.addEventListener("abort", () => c.error(new Error("aborted"))); } })));
		};
		window.setTimeout = (f, ms, ...more) => wait(f, ms > 30e3 && ms < 40e3 ? 200 : ms, ...more); // what is waited for a word
		return true;
	})(window.fetch, window.setTimeout)`)
	eval[bool](p, `(document.querySelector(".live").click(), true)`)
	p.until("it stands", `document.querySelector(".live").getAttribute("aria-pressed") === "false"`)
	eval[bool](p, `(document.querySelector(".live").click(), true)`)
	p.until("opened anew", `tried > 1`)
	was := eval[float64](p, `Number(document.querySelector(".chart").dataset.to)`)
	p.until("steps come", `Number(document.querySelector(".chart").dataset.to) > %v`, was)
	p.quiet()
}

// TestRepeat: what is asked again and again is asked in one turn, also after somebody came
// back to the tab, or gave another token, while it was being asked.
func TestRepeat(t *testing.T) {
	p := newTab(t)
	base := serveFor(t)
	p.do("open", chromedp.Navigate(base+"/sources"), chromedp.WaitVisible("#sources"))
	got := p.awaited(`import("/ui/shared.js").then(async ({ repeat, opened }) => {
		const answers = [], stop = repeat(1, () => new Promise((answer) => answers.push(answer)));
		const soon = () => new Promise((f) => setTimeout(f, 50)), answer = () => answers.splice(0).map((f) => f()).length;
		await soon();
		opened.value++;
		await soon();
		const first = answer();
		await soon();
		const then = answers.length;
		stop();
		answer();
		await soon();
		return [first, then, answers.length].join();
	})`)
	if got != "2,1,0" {
		t.Errorf("asked %s times: at first with one that goes on, then, and when it has ended", got)
	}
	p.quiet()
}

// TestPastTooLate: what was before is not drawn when it comes after somebody has turned it off.
func TestPastTooLate(t *testing.T) {
	p := newTab(t)
	base := editorServer(t)
	p.explore(base, url.Values{"q": {"name,load,:eq,:max"}, "range": {"5m"}, "overlay": {"1m"}})
	const drawn = `document.querySelector(".of-past") !== null`
	p.until("the minute before is drawn", drawn)
	eval[bool](p, `((ask) => {
		window.held = 0;
		const gate = new Promise((open) => { window.release = open; });
		window.fetch = async (path, o) => {
			const p = new URL(path, location).searchParams;
			if (!/^.api.v1.graph/.test(path) || Date.now() - p.get("e") < 30e3) return ask(path, o);
			held++;
			const answer = await ask(path);
			await gate;
			return answer;
		};
		return true;
	})(window.fetch)`)
	p.until("it is asked for again", `held > 0`)
	p.hit(`[aria-label^="Compare"] [aria-pressed="true"]`)
	p.until("turned off", `!(`+drawn+`)`)
	if lines := p.awaited(`import("/ui/pages/explorebeside.js").then(({ past }) => new Promise((done) => { release(); setTimeout(() => done(String(past.value.length)), 100); }))`); lines != "0" {
		t.Errorf("%s lines of before are drawn though nobody wants them", lines)
	}
	p.quiet()
}
