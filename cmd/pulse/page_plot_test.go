package main

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// plotted draws a plot of its own, 400 × 200 px, over the page.
func plotted(t *testing.T) *tab {
	t.Helper()
	p := newTab(t)
	base := editorServer(t)
	p.do("size", chromedp.EmulateViewport(1200, 800))
	p.openQuery(base, "name,load,:eq,:max")
	eval[bool](p, `(import("/ui/plot.js").then((m) => {
		const el = document.body.appendChild(document.createElement("div"));
		Object.assign(el.style, { position: "fixed", left: "100px", top: "50px", width: "400px", height: "200px", zIndex: 9, background: "white" });
		const look = { lines: [{ stroke: "#ff0000", width: 2, single: true }], font: 10, left: 50, bottom: 30, top: 10, right: 10, spaceX: 60, spaceY: 30, gap: 4, ticks: true, dot: 6 };
		Object.assign(window, { look, told: [] });
		window.plot = m.plot(el, { look: () => look, time: (ticks) => ticks.map(String), values: (list) => list.map(String), tall: () => window.tall,
			onSelect: (s, e) => told.push("from " + s.toFixed(1) + " to " + e.toFixed(1)), onClick: (p) => told.push("click " + p.cursor.i), onCursor: (p) => told.push("at " + p.cursor.i) });
		const copy = Object.assign(document.createElement("canvas"), { width: 5, height: 5 }).getContext("2d", { willReadFrequently: true });
		window.red = (t, v) => { copy.clearRect(0, 0, 5, 5); copy.drawImage(plot.ctx.canvas, 2 - plot.x(t), 2 - plot.y(v)); const d = copy.getImageData(0, 0, 5, 5).data; for (let i = 0; i < d.length; i += 4) if (d[i] > 200 && d[i + 1] < 90 && d[i + 3] > 100) return true; return false; };
	}), true)`)
	p.until("a plot", `window.plot !== undefined`)
	return p
}

// TestPlot: lines are drawn where their values are, and nothing where there is none; the
// ranges are those of the data, or what is asked for.
func TestPlot(t *testing.T) {
	p := plotted(t)
	eval[bool](p, `(plot.set([[100, 110, 120, 130, 140, 150, 160], [10, 20, null, 30, null, 40, 40]]), true)`)
	for what, drawn := range map[string]bool{`red(105, 15)`: true, `red(115, 20)`: false, `red(125, 30)`: false, `red(130, 30)`: true, `red(135, 30)`: false, `red(155, 40)`: true} {
		if got := eval[bool](p, what); got != drawn {
			t.Errorf("%s is %t", what, got)
		}
	}
	const box = `[plot.x(100) - plot.box.left, plot.box.left + plot.box.width - plot.x(160), plot.y(40) - plot.box.top > 0, plot.box.top + plot.box.height - plot.y(10) > 0].join()`
	if got := eval[string](p, box); got != "0,0,true,true" {
		t.Errorf("the data is in the box as %s", got)
	}
	eval[bool](p, `(window.tall = [0, 25], plot.draw(), true)`)
	if got := eval[string](p, `[red(105, 15), red(155, 25), plot.y(25) === plot.box.top, plot.y(0) === plot.box.top + plot.box.height].join()`); got != "true,false,true,true" {
		t.Errorf("with a range that cuts: %s", got)
	}
	for _, data := range []string{`[[], []]`, `[[5], [0]]`, `[[5, 6], [null, null]]`, `[[5, 6], [1e300, -1e300]]`, `[[5, 6], [9007199254740993, 9007199254740995]]`, `[[0, 1e9], [1, 1]]`} {
		eval[bool](p, `(window.tall = undefined, plot.set(`+data+`), true)`)
	}
	const strokes = `((n) => { const { ctx } = plot, stroke = ctx.stroke; ctx.stroke = () => { n++; stroke.call(ctx); }; plot.draw(); delete ctx.stroke; return n; })(0)`
	eval[bool](p, `(plot.set([[...Array(250).keys()], Array(250).fill(5)]), true)`)
	if parts := eval[int](p, strokes); parts < 2 {
		t.Errorf("a long line is stroked in %d parts", parts)
	}
	eval[bool](p, `(look.lines[0].stroke = "rgba(255, 0, 0, .5)", true)`)
	if parts := eval[int](p, strokes); parts != 1 {
		t.Errorf("a long line that lets through what is behind it is stroked in %d parts, which is seen where they meet", parts)
	}
	eval[bool](p, `(look.lines[0].stroke = "#ff0000", plot.set([[1, 2], [3, 4]]), Object.assign(plot.over.parentElement.parentElement.style, { width: "500px", height: "300px" }), true)`)
	p.until("as large as its place", `plot.width === 500 && plot.height === 300 && plot.ctx.canvas.width === 500 && red(1.5, 3.5)`)
	p.do("another screen", chromedp.EmulateViewport(1200, 800, chromedp.EmulateScale(2)))
	p.until("as sharp as the screen", `plot.ctx.canvas.width === 1000 && red(1.5, 3.5)`)
	p.do("and back", chromedp.EmulateViewport(1200, 800, chromedp.EmulateScale(1)))
	p.until("as sharp as that", `plot.ctx.canvas.width === 500 && red(1.5, 3.5)`)
	p.quiet()
}

// TestPlotPointer: the pointer is told of, also as data comes under it; a drag chooses a
// time and is no click; nothing is left of a plot that is gone.
func TestPlotPointer(t *testing.T) {
	p := plotted(t)
	const mouse = `window.mouse = (type, share, target = plot.over) => { const r = plot.over.getBoundingClientRect(); target.dispatchEvent(new MouseEvent(type, { clientX: r.left + share * r.width, clientY: r.top + 9, bubbles: true })); }; const said = () => told.splice(0).join("; ");`
	for _, c := range []struct{ what, do, say string }{
		{"a move", `plot.set([[0, 10, 20], [1, 2, 3]]); mouse("mousemove", 0.45)`, "at 1"},
		{"steps come", `plot.set([[10, 20, 30], [2, 3, 1]])`, "at 1"},
		{"a click", `mouse("mousedown", 0.9); mouse("mouseup", 0.9); mouse("mousemove", 0.9); mouse("click", 0.9)`, "at 2; click 2"},
		{"a drag, past the edge", `mouse("mousedown", 0.25); mouse("mousemove", 0.8); mouse("mousemove", 1.5, document); mouse("mouseup", 1.5, document); mouse("click", 1)`, "at 2; from 15.0 to 30.0"},
		{"a drag to the left", `mouse("mousedown", 0.75); mouse("mousemove", 0.25, document); mouse("mouseup", 0.25, document)`, "from 15.0 to 25.0"},
		{"a drag that comes back", `mouse("mousedown", 0.5); mouse("mousemove", 0.9, document); mouse("mousemove", 0.5, document); mouse("mouseup", 0.5, document); mouse("click", 0.5)`, ""},
		{"it leaves", `plot.over.dispatchEvent(new MouseEvent("mouseleave"))`, "at -1"},
		{"steps come when it has left", `plot.set([[10, 20], [1, 2]])`, ""},
		{"gone", `mouse("mousedown", 0.2); const el = plot.over.parentElement.parentElement; plot.destroy(); mouse("mousemove", 0.9, document); mouse("mouseup", 0.9, document); told.push(el.childNodes.length)`, "0"},
	} {
		if got := eval[string](p, `(() => { `+mouse+c.do+`; return said(); })()`); got != c.say {
			t.Errorf("%s: %q, want %q", c.what, got, c.say)
		}
	}
	p.quiet()
}

// TestNumberText: numbers are shown with four digits, and with a prefix where they have more; the
// labels of an axis with as many as tell them apart.
func TestNumberText(t *testing.T) {
	p := newTab(t)
	base := serveFor(t)
	p.do("open", chromedp.Navigate(base+"/sources"), chromedp.WaitVisible("#sources"))
	const want = "0 0.0125 12.35 9999 10k -10k 10k 1.235M 2G –"
	if got := p.awaited(`import("/ui/format.js").then((m) => [0, 0.0125, 12.3456, 9999.4, 9999.6, -9999.9, 10000, 1234567, 2e9, null].map(m.number).join(" "))`); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	const apart = "100k 100.002k 100.004k, 1 1.00002, -1.0002e-5 -1.0001e-5, 7"
	if got := p.awaited(`import("/ui/format.js").then((m) => [[100000, 100002, 100004], [1, 1.00002], [-1.0002e-5, -1.0001e-5], [7]].map((list) => m.numbers(list).join(" ")).join(", "))`); got != apart {
		t.Errorf("%s, want %s", got, apart)
	}
	p.quiet()
}
