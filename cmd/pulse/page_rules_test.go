package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// put sets a field of the page as if it were typed, a select or a slider too.
func (p *tab) put(selector, value string) {
	p.t.Helper()
	p.do("find "+selector, chromedp.WaitReady(selector))
	if !eval[bool](p, `((el, v) => { Object.getOwnPropertyDescriptor(Object.getPrototypeOf(el), "value").set.call(el, v);
		el.dispatchEvent(new Event("input", { bubbles: true })); el.dispatchEvent(new Event("change", { bubbles: true })); return true; })(document.querySelector(`+quoteJS(selector)+`), `+quoteJS(value)+`)`) {
		p.t.Fatalf("%s was not filled", selector)
	}
}

func quoteJS(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

// looks takes pictures of what is shown: both themes, wide and as on a phone.
func (p *tab) looks(name string) {
	p.t.Helper()
	if os.Getenv("PULSE_SCREENSHOTS") == "" {
		return
	}
	for _, size := range []struct {
		name          string
		width, height int64
	}{{"", 1440, 900}, {"-phone", 390, 844}} {
		p.do("size", chromedp.EmulateViewport(size.width, size.height))
		for _, theme := range []string{"light", "dark"} {
			p.until("theme", `document.documentElement.dataset.theme === %q || (document.querySelector("header > button:last-of-type").click(), false)`, theme)
			eval[bool](p, `(window.drawnTwice = false, requestAnimationFrame(() => requestAnimationFrame(() => { window.drawnTwice = true; })), true)`)
			p.until("drawn", `window.drawnTwice`)
			p.shoot(name + size.name + "-" + theme)
		}
	}
	p.do("size", chromedp.EmulateViewport(1440, 900))
}

// TestPageRules: the list says how rules stand and finds, sorts and pages them by its
// address; the page of one shows its band and its groups; what people wrote is text.
func TestPageRules(t *testing.T) {
	p := newTab(t)
	address, dir := freeAddress(t), t.TempDir()
	base := "http://" + address
	file := filepath.Join(dir, "filed.yaml")
	if err := os.WriteFile(file, []byte("rules:\n  - id: filed\n    owner: infra\n    expr: name,load,:eq,:max\n    detector: {kind: static, above: 1000}\n    for: 1m\n    annotations: {summary: \"{{.Value}}\", runbook: https://wiki.example/load}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, "serve", "--listen", address, "--data", filepath.Join(dir, "data"), "--rules", file, "--step", "1s", "--log-level", "error")
	awaitReady(t, base)
	feed(t, base)
	putRule(t, base, "hot", `{"expr":"name,load,:eq,:max,(,region,),:by","detector":{"kind":"static","above":15,"below":1},"for":"1s","severity":"page",
		"labels":{"team":"web"},"annotations":{"summary":"<img src=x onerror=document.title='owned'>","runbook":"javascript:document.title='owned'"}}`)
	putRule(t, base, "new", `{"expr":"name,load,:eq,:max,(,region,),:by","detector":{"kind":"auto"},"owner":"default"}`)
	putRule(t, base, "waits", `{"expr":"name,none,:eq,:max,(,region,),:by","detector":{"kind":"static","above":15}}`)
	p.do("list", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/rules"), chromedp.WaitVisible(".cards tbody tr"))
	p.until("hot fires, first of all", `document.querySelector(".cards tbody tr").textContent.includes("1 firing") && document.querySelector(".cards tbody tr td.id a").textContent === "hot"`)
	p.shows(".cards", "filed.yaml")
	p.shows(".cards", "no group yet")
	p.shows(".cards", "runbook")
	p.looks("rules")

	p.put("#find", "team=web")
	p.until("found", `document.querySelectorAll(".cards tbody tr").length === 1 && location.search === "?find=team%%3Dweb"`)
	p.put("#find", "")
	p.until("all again", `document.querySelectorAll(".cards tbody tr").length === 4`)
	p.hit(`.cards th:nth-child(7) button`)
	p.until("sorted", `document.querySelector(".cards th[aria-sort=ascending]")?.textContent.includes("Owner") && [...document.querySelectorAll(".cards tbody tr")].at(-1).textContent.includes("filed")`)
	p.do("a link of the same", chromedp.Navigate(base+"/rules?state=firing&sort=id"), chromedp.WaitVisible(".cards tbody tr"))
	p.until("the same", `document.querySelectorAll(".cards tbody tr").length === 1 && document.querySelector('.chips [aria-pressed=true]').textContent.includes("firing")`)
	p.do("nothing is like that", chromedp.Navigate(base+"/rules?find=nothing"), chromedp.WaitVisible(".empty"))

	p.do("open by keys", chromedp.Navigate(base+"/rules"), chromedp.WaitVisible(".cards tbody tr"), chromedp.KeyEvent("j"), chromedp.KeyEvent("\r"))
	p.until("the page of hot", `location.pathname === "/rules/hot"`)
	p.until("the firing group and its band", `document.querySelector(".rule-trace .chart")?.dataset.upper === "15" && document.querySelector(".rule-trace .chart").dataset.out > 0`)
	p.shows("[aria-label=Groups]", "region=eu")
	p.shows("[aria-label=Groups]", "firing")
	p.shows("[aria-label=Rule]", "<img src=x")
	p.shows("[aria-label=Facts]", "above")
	if n := eval[int](p, `document.querySelectorAll("main img").length + [...document.querySelectorAll("main a")].filter((a) => a.protocol === "javascript:").length`); n != 0 {
		t.Error("what people wrote is markup")
	}
	p.looks("rule")
	p.do("the other group", chromedp.Click(`[aria-label=Groups] tbody tr:nth-child(2) button`))
	p.until("is in the address, in band", `new URLSearchParams(location.search).get("group") === "region=ap" && document.querySelector(".rule-trace .chart").dataset.out === "0"`)
	p.do("a rule called new", chromedp.Navigate(base+"/rules"), chromedp.WaitVisible(`a[href="/rules/%6Eew"]`), chromedp.Click(`a[href="/rules/%6Eew"]`))
	p.shows("[aria-label=Rule] h2", "new")
	p.do("delete", chromedp.WaitVisible("button.danger"), chromedp.Click("button.danger"), chromedp.WaitVisible(".confirm"))
	p.shows(".confirm", "not judged any more")
	p.do("yes", chromedp.Click(".confirm button.danger"))
	p.until("gone", `location.pathname === "/rules" && document.querySelectorAll(".cards tbody tr").length === 3`)

	p.do("a rule of a file", chromedp.Navigate(base+"/rules/filed?edit=1"), chromedp.WaitVisible(".rule-editor"))
	p.shows(".notice", file)
	p.until("is read only", `document.querySelector("#yaml").readOnly && document.querySelector("#f-expr").disabled && !document.querySelector("#save")`)
	p.do("copy", chromedp.Click(".button.primary"))
	p.until("a copy", `document.querySelector("#f-id")?.value === "filed-copy" && document.querySelector("#yaml").value.includes("above: 1000")`)
	p.do("no such rule", chromedp.Navigate(base+"/rules/nothing"), chromedp.WaitVisible(".error"))
	p.do("phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2)), chromedp.Navigate(base+"/rules"), chromedp.WaitVisible(".cards tbody tr"))
	p.narrow("the list")
	p.do("phone", chromedp.Navigate(base+"/rules/hot"), chromedp.WaitVisible("[aria-label=Groups] tbody tr"))
	p.narrow("the page of a rule")
	p.do("phone", chromedp.Navigate(base+"/rules/hot?edit=1"), chromedp.WaitVisible(".rule-editor"))
	p.until("checked", `document.querySelector("#yaml").value.includes("hot")`)
	p.narrow("the editor")
	if title := eval[string](p, `document.title`); strings.Contains(title, "owned") {
		t.Errorf("title %q: an annotation ran", title)
	}
	p.allow("404 (Not Found)") // asked for on purpose
	p.quiet()
}

// TestPageRuleEditor: a rule is made from an expression, dragged until its band is right,
// tried on history, saved, changed, and compared with what it was.
func TestPageRuleEditor(t *testing.T) {
	p := newTab(t)
	var tests atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { tests.Add(1) }))
	t.Cleanup(hook.Close)
	address := freeAddress(t)
	base := "http://" + address
	start(t, "serve", "--listen", address, "--data", t.TempDir(), "--egress-allow", "127.0.0.0/8", "--log-level", "error")
	awaitReady(t, base)
	now := time.Now().Truncate(time.Minute)
	values := make([]float64, 36*60)
	for i := range values {
		values[i] = 100 + float64(i*7919%40)
		if left := len(values) - i; left <= 300 && left > 270 || left <= 120 && left > 108 {
			values[i] = 45 - float64(left%5)
		}
	}
	past(t, base, "eu", now.UnixMilli(), values)
	for i := range values {
		values[i] = 80 + float64(i*31%20)
	}
	past(t, base, "us", now.UnixMilli(), values)
	req, err := http.NewRequest(http.MethodPut, base+"/api/v1/receivers/oncall", strings.NewReader(`{"url":"`+hook.URL+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if res, err := http.DefaultClient.Do(req); err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	const expr = "name,sps,:eq,:sum,(,region,),:by"
	p.do("explore", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/?q="+url.QueryEscape(expr)), chromedp.WaitVisible(`a[href^="/rules/new"]`))
	p.do("alert on this", chromedp.Click(`a[href^="/rules/new"]`), chromedp.WaitVisible(".rule-editor"))
	p.until("suggests", `document.querySelector("#f-detector").value === "auto" && document.querySelector("#f-id").value === "sps" && document.querySelector("#yaml").value.includes("kind: auto")`)
	p.until("draws", `document.querySelector(".rule-trace .chart").dataset.points > 100`)
	p.shows(`[data-field="annotations.runbook"]`, "runbook is missing")
	p.looks("rule-new")

	p.put("#f-detector", "static")
	p.shows(`[data-field="detector.above"] [role=alert]`, "above or below")
	p.until("no save with a fault", `document.querySelector("#save").disabled && document.querySelector("#trial").disabled`)
	p.put(`#f-detector\.below`, "60")
	p.until("the band", `document.querySelector(".rule-trace .chart").dataset.lower === "60" && document.querySelector("#yaml").value.includes("below: 60")`)
	p.until("the values are known", `Number(document.querySelector('[data-field="detector.below"] [type=range]').max) === 200`)
	p.put(`[data-field="detector.below"] [type=range]`, "60")
	p.until("the band follows the slider", `document.querySelector(".rule-trace .chart").dataset.lower === document.querySelector("#f-detector\\.below").value && document.querySelector(".rule-trace .chart").dataset.lower !== "60"`)
	p.put(`#f-detector\.below`, "60")
	p.put("#f-for", "5m")
	p.put("#f-no_data", "ok") // nobody sends any more
	p.put(`#f-annotations\.runbook`, "https://wiki.example/<b>sps</b>")
	p.until("nothing is wrong", `document.querySelector(".findings").children.length === 0 && document.querySelector("#yaml").value.includes("for: 5m")`)

	p.do("back-test", chromedp.Click("#trial"), chromedp.WaitVisible(".pages tbody tr"))
	p.until("both outages", `document.querySelectorAll(".pages tbody tr").length === 2 && document.querySelector("#trial-sum dd").textContent.trim() === "2"`)
	p.until("linked", `[...document.querySelectorAll(".pages a")].every((a) => new URL(a.href).pathname === "/" && new URL(a.href).searchParams.get("q") === %q && new URL(a.href).searchParams.get("s") > 0)`, expr)
	p.shows("#tell", "oncall")
	p.looks("rule-trial")

	yaml := eval[string](p, `document.querySelector("#yaml").value`)
	p.put("#yaml", strings.Replace(yaml, "for: 5m", "for: soon", 1))
	p.shows(`[data-field="for"] [role=alert]`, "soon")
	p.until("and at its line", `document.querySelector(".gutter .error")?.textContent === String(document.querySelector("#yaml").value.split("\n").findIndex((l) => l.includes("soon")) + 1)`)
	p.looks("rule-fault")
	p.put("#yaml", strings.Replace(strings.Replace(yaml, "for: 5m", "for: 10m", 1), "expr: ", "# as it was\n    expr: ", 1))
	p.until("the form follows, and the text stays as it was written", `document.querySelector("#f-for").value === "10m" && document.querySelector("#yaml").value.includes("# as it was") && !document.querySelector("#save").disabled`)
	p.put("#f-for", "5m")
	p.until("and back", `document.querySelector("#yaml").value.includes("for: 5m")`)
	p.do("save", chromedp.Click("#save"))
	p.until("it is in force", `location.pathname === "/rules/sps"`)
	p.shows("[aria-label=Rule]", "made over the API")

	p.do("edit", chromedp.WaitVisible("[aria-label=Rule] button.primary"), chromedp.Click("[aria-label=Rule] button.primary"), chromedp.WaitVisible(".rule-editor"))
	p.until("as saved", `document.querySelector("#f-for").value === "5m" && document.querySelector("#save").disabled`)
	p.put("#f-for", "20m")
	p.until("beside the band in force", `document.querySelector(".rule-trace .chart").dataset.force > 0`)
	p.do("back-test against it", chromedp.Click("#trial"))
	p.until("one is gone, one is later", `document.querySelectorAll(".mark-before").length === 1 && document.querySelectorAll(".mark-moved").length === 1`)
	p.shows("#trial-sum", "15m later")
	p.looks("rule-diff")
	p.do("test", chromedp.Click("#tell button"), chromedp.WaitVisible("#tell .confirm"))
	if tests.Load() != 0 {
		t.Error("a test was sent before it was agreed to")
	}
	p.do("send it", chromedp.Click("#tell .confirm .primary"))
	p.shows("#tell .findings", "taken")
	if tests.Load() != 1 {
		t.Errorf("%d tests were sent", tests.Load())
	}

	putRule(t, base, "sps", `{"expr":"`+expr+`","detector":{"kind":"static","below":61},"for":"5m","no_data":"ok"}`)
	p.do("save over another's", chromedp.Click("#save"))
	p.shows("main [role=status]", "Somebody else has changed this rule")
	p.do("look at theirs", chromedp.Click("main .error button"))
	p.until("theirs", `document.querySelector("#f-detector\\.below")?.value === "61" && document.querySelector("#f-for").value === "5m"`)
	p.put(`#f-detector\.below`, "62")
	p.until("may be saved", `!document.querySelector("#save").disabled`)
	p.do("save", chromedp.Click("#save"))
	p.until("saved", `document.querySelector("#save")?.disabled && document.querySelector("#f-detector\\.below").value === "62"`)
	p.allow("412 (Precondition Failed)", "/api/v1/backtest") // the latter with what is being written
	p.quiet()
}
