package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// hostileTexts run where they are taken for markup, code, a link, a style or a template, or
// break a page that does not expect them. What runs sets xss.
var hostileTexts = []string{
	`<script>window.xss=1</script>`, `<img src=x onerror=window.xss=1>`, `"><svg onload=window.xss=1>`, `' onfocus='window.xss=1' autofocus='`,
	`</script></style></textarea></title></option><script>window.xss=1</script>`, `<iframe srcdoc="<script>parent.xss=1</script>"></iframe>`,
	`javascript:window.xss=1`, ` JaVaScRiPt:window.xss=1//`, `data:text/html,<script>window.xss=1</script>`, `//evil.example/x`, `<a href="javascript:window.xss=1">x</a>`,
	"`${window.xss=1}`", `<${window.xss=1} />`, `{{constructor.constructor("window.xss=1")()}}`, `expression(window.xss=1)`, `url(https://evil.example/x)`,
	`&lt;img src=x onerror=window.xss=1&gt;`, `<b onmouseover=window.xss=1>over</b>`, `__proto__`, `constructor`, `toString`, `%3Cscript%3E%E0%A4%A`, `\u003cscript\u003e`,
	"\u202eright to left\u202c \u200b\ufeff", "\U0001f4a3 e\u0301\u0301\u0301", strings.Repeat("<b>", 100),
}

// word writes any text as one text of an expression.
func word(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x10000 {
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// TestPageHostile: whatever somebody sends, writes into rules, silences and receivers, or
// puts into a link is shown as text, on every page: none of it runs, is asked for elsewhere,
// or keeps a page from being shown.
func TestPageHostile(t *testing.T) {
	p := newTab(t)
	base := serveFor(t, "--egress-allow", "127.0.0.1/32")
	feed(t, base)
	p.allow("the server responded with a status of 4") // to what is wrong on purpose
	elsewhere := p.watchRequests(base)
	all := strings.Join(hostileTexts, " ")
	taken := 0 // of what was put, by the server
	put := func(method, path string, body any) {
		t.Helper()
		raw, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(method, base+path, strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode < 300 {
			taken++
		} else if res.StatusCode >= 500 {
			t.Errorf("%s %s: %s", method, path, res.Status)
		}
	}
	annotations := map[string]string{"summary": strings.ReplaceAll(all[:700], "{{", "{ {") + " {{.Tags.region}}", "runbook": "javascript:window.xss=1"}
	for i, text := range hostileTexts {
		annotations[fmt.Sprint("note", i)] = strings.ReplaceAll(text, "{{", "{ {") // which begins what the server fills in
		put("POST", "/api/v1/publish", map[string]any{"metrics": []any{map[string]any{"tags": map[string]string{"name": "odd", "part": text, "atlas.dstype": "gauge"}, "timestamp": time.Now().UnixMilli(), "value": 1}}})
		put("POST", "/api/v1/publish", map[string]any{"metrics": []any{map[string]any{"tags": map[string]string{"name": "odd", text: "x", "atlas.dstype": "gauge"}, "timestamp": time.Now().UnixMilli(), "value": 1}}})
		put("PUT", "/api/v1/receivers/"+url.PathEscape(text), map[string]any{"kind": "webhook", "url": "http://127.0.0.1:1/"})
		put("PUT", "/api/v1/rules/"+url.PathEscape(text), map[string]any{"expr": "name,load,:eq,:max", "detector": map[string]any{"kind": "static", "above": 15}})
		for field, value := range map[string]any{"owner": text, "severity": text, "labels": map[string]string{"l": text}} {
			put("PUT", fmt.Sprint("/api/v1/rules/", field, "-", i), map[string]any{"expr": "name,load,:eq,:max," + word(text) + ",:legend", field: value, "detector": map[string]any{"kind": "static", "above": 15}})
		}
		put("POST", "/api/v1/silences", map[string]any{"matchers": []string{"rule=quiet"}, "endsAt": "now+2h", "author": text, "comment": text})
	}
	if taken < len(hostileTexts) {
		t.Fatalf("the server took %d of what is hostile", taken)
	}
	const rule = `"expr":"name,load,:eq,:max,(,region,),:by","detector":{"kind":"static","above":15}`
	notes, err := json.Marshal(annotations)
	if err != nil {
		t.Fatal(err)
	}
	putRule(t, base, "hot", `{`+rule+`,"annotations":`+string(notes)+`}`)
	putRule(t, base, "quiet", `{`+rule+`,"annotations":`+string(notes)+`}`)
	putRule(t, base, "legends", `{"expr":"name,load,:eq,:max,`+strings.ReplaceAll(word(all), `\`, `\\`)+`,:legend","detector":{"kind":"static","above":15}}`)

	if _, err := chromedp.Call(p.ctx, devtools.AddScriptToEvaluateOnNewDocument, devtools.AddScriptToEvaluateOnNewDocumentParams{Source: `for (const name of ["alert", "confirm", "prompt", "print", "open"]) window[name] = () => { window.xss = name; };`}); err != nil {
		t.Fatal(err)
	}
	p.desk()
	visit := func(path string, texts ...string) {
		t.Helper()
		short := path[:min(len(path), 80)]
		p.do(short, chromedp.Navigate(base+path))
		p.until(short+" is shown", `document.contentType === "application/json" || document.querySelector("main")?.textContent.length > 0 && document.querySelector("main[aria-busy=true], main [aria-busy=true]") === null`)
		for _, text := range texts {
			p.shows("main", text)
		}
		p.unhurt(short)
	}
	image := hostileTexts[1]

	// What somebody has sent and written.
	var legends []string
	for _, text := range hostileTexts {
		legends = append(legends, "name,load,:eq,:max,"+word(text)+",:legend")
	}
	visit("/?"+url.Values{"q": {strings.Join(legends, ",")}, "range": {"5m"}, "band": {"hot"}}.Encode(), "<script>window.xss=1</script>", image)
	x, y := p.in(0.5, 0.5)
	p.do("tip", chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, x, y))
	p.keys(kb.ArrowLeft)
	p.shows(".pinned", image)
	for _, key := range []string{"s", "b", "h", "e", "r"} { // the stack, the builder, history, share, range
		p.press(key)
		p.until("shown", `document.querySelector(".tool, .stack") !== null`)
		p.unhurt("tool " + key)
	}
	visit("/alerts", image)
	p.until("alerts", `document.querySelectorAll(".alert-row").length > 1`)
	p.hit(`.alert-row .name`)
	p.until("the alert", `document.querySelector(".alert-head") !== null && location.pathname.startsWith("/alerts/")`)
	p.unhurt("an alert")
	visit("/alerts?view=history")
	visit("/alerts?view=why&rule=quiet&tags=region%3Deu", "silenced")
	visit("/silences", image)
	visit("/silences?new=1")
	visit("/rules", "hot")
	visit("/rules/hot", image)
	visit("/rules/hot?edit=1")
	p.until("its YAML", `document.querySelector("#yaml")?.value.includes("onerror=window.xss=1") === true`)
	p.unhurt("the editor of a rule")
	visit("/board?p=rule:hot&p=rule:legends&range=5m")
	visit("/data")
	visit("/data?q=name,odd,:eq&key=part")
	visit("/sources")
	visit("/receivers")
	visit("/server")

	// What a link says.
	for _, path := range []string{"/?q=%s&band=%s&overlay=%s&only=%s&hide=%s&sort=%s&alert=%s&range=%s&step=%s", "/alerts?text=%s&by=%s&sel=%s&silence=%s&state=%s", "/alerts?view=history&text=%s&after=%s&match=%s",
		"/alerts?view=why&rule=%s&tags=%s&t=%s", "/alerts/%s", "/silences?text=%s&id=%s&edit=%s", "/rules?find=%s&owner=%s&state=%s&sort=%s&offset=%s", "/rules/%s", "/rules/%s?edit=1", "/rules/new?q=%s&from=%s",
		"/board?p=rule:%s&p=q:%s&range=%s&off=%s", "/data?q=%s&find=%s&key=%s&window=%s", "/sources?find=%s&sort=%s", "/receivers/%s", "/receivers?new=%s", "/server?x=%s", "/nowhere/%s"} {
		visit(strings.ReplaceAll(path, "%s", url.PathEscape(image+hostileTexts[4]+hostileTexts[12])))
	}
	visit("/rules/%E0%A4%A")
	visit("/alerts?view=why&rule=hot&t=-1e300") // no time is that early
	visit("/?q=name,load,:eq&s=1&e=1e300")
	visit("/?s=NaN&e=-5")
	visit("/?q=" + url.QueryEscape(strings.Repeat("<b>,", 2000))) // 14 KB, as much as is taken
	p.do("longer than is taken", chromedp.Navigate(base+"/?q="+strings.Repeat("x", 20000)))
	p.until("said", `document.body.textContent.includes("larger than")`)
	if got := elsewhere(); len(got) > 0 {
		t.Errorf("asked elsewhere: %q", got)
	}
	p.quiet()
}

// unhurt fails when something ran, or is there to be run.
func (p *tab) unhurt(what string) {
	p.t.Helper()
	const found = `[window.xss === undefined ? "" : "xss " + window.xss, document.title.includes("xss") ? "title" : "",
		...[...document.querySelectorAll("body script, iframe, object, embed, base, meta[http-equiv], main img, main svg[onload], main style, main link")].map((e) => e.outerHTML),
		...[...document.querySelectorAll("*")].flatMap((e) => [...e.attributes].filter((a) => a.name.startsWith("on") || /^\s*(javascript|data|vbscript):/i.test(a.value) && ["href", "src", "action", "formaction", "xlink:href"].includes(a.name) && !a.value.startsWith("data:image/")).map((a) => a.name + "=" + a.value)),
		...[...document.querySelectorAll("a[href]")].filter((a) => !["http:", "https:", "blob:"].includes(a.protocol) || a.host === "evil.example").map((a) => a.href)].filter(Boolean)`
	if got := eval[[]string](p, found); len(got) > 0 {
		p.t.Errorf("%s: %q", what, got)
	}
}

// watchRequests returns a function that lists the requests so far to other servers.
func (p *tab) watchRequests(base string) func() []string {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, network.Enable, network.EnableParams{}); err != nil {
		p.t.Fatal(err)
	}
	var mu sync.Mutex
	var list []string
	events := chromedp.Events(p.ctx, network.RequestWillBeSent)
	go func() {
		for e, err := range events {
			if err != nil {
				return
			}
			if u := e.Request.URL; !strings.HasPrefix(u, base+"/") && !strings.HasPrefix(u, "data:image/") && !strings.HasPrefix(u, "blob:"+base) {
				mu.Lock()
				list = append(list, u)
				mu.Unlock()
			}
		}
	}()
	return func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(list) }
}
