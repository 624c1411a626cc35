package main

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"image/png"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestExploreTake: with a band and the past in the graph, PNG and CSV have them, too.
func TestExploreTake(t *testing.T) {
	p := newTab(t)
	base, _, _ := explored(t)
	putRule(t, base, "low", `{"expr":"name,pulse.ingest.points,:eq,:sum","detector":{"kind":"static","below":0.5}}`)
	p.do("size", chromedp.EmulateViewport(1440, 900))
	p.explore(base, url.Values{"range": {"5m"}, "band": {"low"}, "overlay": {"1m"}, "q": {"name,pulse.ingest.points,:eq,:sum,=1,:legend"}})
	p.until("the band is drawn", `document.querySelector(".chart").dataset.bounded > 0`)
	p.keys("e")
	p.do("share", chromedp.WaitVisible("#share"))
	p.shows("#share", "with the band and what was before in PNG and CSV")
	eval[bool](p, `(URL.createObjectURL = (blob) => { window.taken = blob; return "data:,"; }, HTMLAnchorElement.prototype.click = () => {}, true)`)
	take := func(format string) []byte {
		t.Helper()
		eval[bool](p, `(window.taken = null, [...document.querySelectorAll("#share a")].find((a) => a.textContent === "`+format+`").dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true })), true)`)
		p.until("made", `window.taken !== null`)
		text := p.awaited(`new Promise((done) => { const r = new FileReader(); r.onload = () => done(r.result.split(",")[1]); r.readAsDataURL(window.taken); })`)
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	rows, err := csv.NewReader(bytes.NewReader(take("CSV"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const want = "timestamp|'=1|'=1, 1m before|expected by rule low|lower by rule low|upper by rule low"
	if got := strings.Join(rows[0], "|"); got != want {
		t.Errorf("columns %s, want %s", got, want)
	}
	if last := rows[len(rows)-1]; len(rows) < 50 || !(last[1] > "0") || last[5] != "NaN" {
		t.Errorf("%d rows, the last %q", len(rows), last)
	}
	if !slices.ContainsFunc(rows, func(row []string) bool { return row[4] == "0.500000" }) {
		t.Error("no row has the bound of the rule")
	}
	picture, err := png.Decode(bytes.NewReader(take("PNG")))
	if err != nil {
		t.Fatal(err)
	}
	plot := eval[[]int](p, `((c) => [c.width, c.height])(document.querySelector(".chart canvas"))`)
	if b := picture.Bounds(); b.Dx() <= plot[0] || b.Dy() < plot[1]+5*20 {
		t.Errorf("the picture has %v, the plot %v", b, plot)
	}
	p.quiet()
}
