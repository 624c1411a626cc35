package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// phone and desk are the screens that pages are looked at on.
func (p *tab) phone() {
	p.do("phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2)))
}
func (p *tab) desk() { p.do("desk", chromedp.EmulateViewport(1440, 900)) }

// narrow fails when the page is wider than its screen.
func (p *tab) narrow(what string) {
	p.t.Helper()
	if eval[bool](p, `document.documentElement.scrollWidth > innerWidth`) {
		p.t.Errorf("%s is wider than the screen", what)
	}
}

// press presses a key on the page itself.
func (p *tab) press(key string) {
	p.t.Helper()
	p.do("press "+key, chromedp.KeyEvent(key))
}

// click clicks the first element of a selector whose text holds want.
func (p *tab) click(selector, want string) {
	p.t.Helper()
	p.until("click "+want, `((e) => { e?.click(); return Boolean(e); })([...document.querySelectorAll(%q)].find((e) => e.textContent.includes(%q)))`, selector, want)
}

// fill types a value into a field, in the place of what it holds.
func (p *tab) fill(selector, value string) {
	p.t.Helper()
	p.until("field", `((e) => { e?.focus(); e?.select(); return Boolean(e); })(document.querySelector(%q))`, selector)
	p.do("fill "+selector, chromedp.KeyEvent(value))
	p.until("filled", `document.querySelector(%q).value === %q`, selector, value)
}

// TestPageAlerts: an outage is on the page of alerts, its alert says what happened and who
// was told, and it is silenced from there, with a preview; the phone can do it, too.
func TestPageAlerts(t *testing.T) {
	p := newTab(t)
	demo := startDemo(t, "--outage-after", "4s", "--outage-for", "10m", "--outage-depth", "0.9")
	base, _, _ := strings.Cut(demo.waitFor(t, `Pulse is live: (http\S+)`)[1], "/?")
	p.desk()
	p.do("open", chromedp.Navigate(base+"/"))
	p.shows("header", "1 firing")
	p.click("header .badge", "1 firing")
	p.until("on the page", `location.pathname === "/alerts"`)
	p.shows(".alert-row.firing", "starts per second are")
	p.shows(".alert-row.firing .values", "% below")
	p.shows(".alert-row.firing .told", "told demo")
	p.shows(".alert-row.firing .parts-line", " %")
	p.until("the little graph", `document.querySelector(".alert-row .spark-line")?.getAttribute("d").length > 100 && document.querySelector(".alert-row .spark-out").getAttribute("d") !== ""`)
	p.shoot("alerts")
	p.press("j")
	p.until("selected", `document.querySelector(".alert-row[aria-current=true]") !== null && location.search.includes("sel=")`)
	p.press("\r")
	p.until("its page", `location.pathname.startsWith("/alerts/")`)
	p.shows(".alert-head .words", "below what was expected")
	p.shows(".timeline .firing", "of 4 sources had reported")
	p.shows(".timeline .attempt", "firing → demo")
	p.shows(".deliveries", "status 204")
	p.until("the graph", `document.querySelector(".chart canvas") !== null && Number(document.querySelector(".chart").dataset.steps) > 30`)
	p.shoot("alert")

	p.press("s")
	p.shows("dialog .hits", "It hits 1 alert now")
	p.shows("dialog .hits", "starts-drop")
	p.fill(".matcher .value", "nosuch")
	p.shows("dialog .hits", "It hits no alert now")
	p.fill(".matcher .value", "starts-drop")
	p.shows("dialog .hits", "It hits 1 alert now")
	p.click("dialog button[type=submit]", "Silence 1 alert")
	p.shows("dialog .error", "who you are")
	p.fill("dialog [name=author]", "ann")
	p.fill("dialog [name=comment]", "rolling back the eu release")
	p.shoot("silence")
	p.click("dialog button[type=submit]", "Silence 1 alert")
	p.shows(".said", "Silenced until")
	p.shows(".alert-head", "silenced by ann")
	p.shows(".timeline", "silenced")
	p.shoot("alert-silenced")
	p.click(".tabs a", "Now")
	p.shows(".alert-row .told", "silenced by ann")
	p.shoot("alerts-silenced")
	p.click(".alert-row .told a", "by ann")
	p.until("silences", `location.pathname === "/silences"`)
	p.shows(".silence.active", "rule=starts-drop")
	p.shows(".silence.active", "holds back 1 alert")
	p.shoot("silences")
	p.click(".silence button", "Change")
	p.fill("dialog [name=comment]", "rolled back, waiting")
	p.click("dialog button[type=submit]", "Change it")
	p.shows(".silence.active", "rolled back, waiting")
	p.click(".silence button", "End now")
	p.click(".silence button", "End it")
	p.shows(".silence.expired", "rolled back, waiting")

	p.phone()
	p.do("phone", chromedp.Navigate(base+"/alerts"), chromedp.WaitVisible(".alert-row.firing"))
	p.until("the little graph", `document.querySelector(".alert-row .spark-out")?.getAttribute("d").length > 0`)
	p.narrow("the list")
	p.shoot("alerts-phone")
	if n := eval[int](p, `[...document.querySelectorAll("main button, main select, main input, .tabs a")].filter((e) => e.offsetHeight > 0 && e.offsetHeight < 40 && e.type !== "checkbox" && !e.classList.contains("plain")).length`); n > 0 {
		t.Errorf("%d targets are too small for a thumb", n)
	}
	p.click(".alert-row button", "Silence")
	p.shows("dialog .hits", "It hits 1 alert now")
	p.narrow("the form")
	p.shoot("silence-phone")
	p.fill("dialog [name=comment]", "on it")
	p.click("dialog button[type=submit]", "Silence 1 alert")
	p.shows(".alert-row .told", "silenced by ann")
	p.click(".alert-row .name", "")
	p.shows(".alert-head", "silenced by ann")
	p.until("the graph", `document.querySelector(".chart canvas") !== null`)
	p.narrow("the alert")
	p.shoot("alert-phone")
	p.do("theme", chromedp.Click("header .spacer"))
	p.shoot("alert-phone-dark")
	p.desk()
	p.shoot("alert-dark")
	p.click(".tabs a", "Now")
	p.shows(".alert-row .told", "silenced by ann")
	p.shoot("alerts-dark")
	p.quiet()
}

// TestPageHistory: what was is found by filters and pages, and is whole although its rule is
// gone; what is on is grouped as somebody likes, with who was not told; and why nobody was
// paged is said in words.
func TestPageHistory(t *testing.T) {
	p := newTab(t)
	address := freeAddress(t)
	base := "http://" + address
	start(t, "serve", "--listen", address, "--data", t.TempDir(), "--step", "1s", "--log-level", "error", "--egress-allow", "127.0.0.1/32")
	awaitReady(t, base)
	feed(t, base)
	server, err := newClient(base)
	if err != nil {
		t.Fatal(err)
	}
	do := func(method, path, body string) {
		t.Helper()
		if err := server.send(t.Context(), method, path, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	do("PUT", "/api/v1/receivers/chat", `{"kind":"webhook","url":"http://127.0.0.1:1/"}`)
	const high = `"expr":"name,load,:eq,:max,(,region,),:by","detector":{"kind":"static","above":15}`
	for i := range 60 {
		putRule(t, base, fmt.Sprintf("old-%02d", i), `{`+high+`,"severity":"warn"}`)
	}
	p.desk()
	p.do("open", chromedp.Navigate(base+"/alerts"), chromedp.WaitVisible(".tabs"))
	p.shows("header", "60 firing")
	p.until("groups are folded", `document.querySelectorAll(".alert-row").length === 20`)
	p.until("little graphs", `document.querySelectorAll(".alert-row .spark-line").length > 5`)
	p.shoot("alerts-storm")
	p.click(".further", "40 more groups")
	p.until("all", `document.querySelectorAll(".alert-row").length === 60`)
	for i := range 60 {
		do("DELETE", fmt.Sprintf("/api/v1/rules/old-%02d", i), "")
	}
	do("POST", "/api/v1/silences", `{"matchers":["rule=quiet"],"endsAt":"now+2h","author":"<b>eve</b>","comment":"<img src=x onerror=document.title='owned'>","endWhenNormalFor":"15m"}`)
	putRule(t, base, "hot", `{`+high+`,"severity":"page","owner":"playback","labels":{"team":"eu-core"},"annotations":{"summary":"<img src=x onerror=document.title='owned'> load of {{.Tags.region}} is {{.Value}}","runbook":"https://wiki.example/load"}}`)
	putRule(t, base, "quiet", `{`+high+`,"severity":"page","owner":"search"}`)
	putRule(t, base, "slow", `{`+high+`,"for":"1h","severity":"warn","owner":"search"}`)

	p.do("history", chromedp.Navigate(base+"/alerts?view=history&state=resolved"), chromedp.WaitVisible(".history"))
	const rows = `document.querySelectorAll(".history tbody tr").length`
	p.until("a page", rows+` === 50`)
	p.shoot("history")
	p.click(".older", "Older")
	p.until("the rest", rows+` === 10 && location.search.includes("after=")`)
	p.do("back", chromedp.NavigateBack())
	p.until("the first page", rows+` === 50 && !location.search.includes("after=")`)
	p.press("j")
	p.until("one is chosen", `document.querySelector(".history [aria-current]") !== null`)
	if eval[bool](p, `document.querySelector(".history [aria-current]").textContent.includes("old-07")`) {
		p.press("j")
	}
	p.press("/")
	p.until("the filter has the focus", `document.activeElement.id === "alert-text"`)
	p.fill("#alert-text", "OLD-07")
	p.until("found", rows+` === 1 && location.search.includes("text=OLD-07")`)
	p.press("\x1b")
	p.press("\r")
	if at := eval[string](p, `location.pathname`); at != "/alerts" {
		t.Errorf("Enter opens %s, which is not in the list", at)
	}
	p.do("the same by its link", chromedp.Reload(), chromedp.WaitVisible(".history"))
	p.until("found", rows+` === 1`)
	p.shows(".history", "old-07")
	p.do("by label", chromedp.Navigate(base+"/alerts?view=history&match=owner%3D~%22play.*%22,region%3Deu"))
	p.until("by label", rows+` === 1 && document.querySelector(".history").textContent.includes("hot")`)
	p.do("wrong", chromedp.Navigate(base+"/alerts?view=history&match=owner"))
	p.shows("main .error", "matcher")
	p.phone()
	p.do("phone", chromedp.Navigate(base+"/alerts?view=history&text=old-0"))
	p.until("history on a phone", rows+` === 10`)
	p.narrow("the history")
	p.shoot("history-phone")
	p.desk()
	p.do("gone", chromedp.Navigate(base+"/alerts?view=history&text=old-07"))
	p.until("found", rows+` === 1`)
	p.press("j")
	p.until("selected", `document.querySelector(".history tr[aria-current=true]") !== null`)
	p.press("\r")
	p.shows(".alert-head", "resolved")
	p.shows(".timeline", "over")
	p.until("its steps", `Number(document.querySelector(".chart")?.dataset.steps) > 1`)
	p.shows(".deliveries", "chat")
	p.shoot("alert-over")

	p.do("now", chromedp.Navigate(base+"/alerts?by=region&state=firing,pending"), chromedp.WaitVisible(".alert-group h3"))
	p.shows(".alert-group h3", "region=eu")
	p.until("who was not told", `[...document.querySelectorAll(".alert-section.firing .stuck")].some((e) => /chat (trying again|its host is down)/.test(e.textContent))`)
	p.shows(".alert-section.firing", "silenced by <b>eve</b>")
	p.shows(".alert-section.firing", "<img src=x")
	p.shows(".alert-section.pending", "nobody yet")
	if hrefs := eval[string](p, `[...document.querySelectorAll(".runbook")].map((a) => a.href).join(" ")`); hrefs != "https://wiki.example/load" {
		t.Errorf("runbooks %q", hrefs)
	}
	p.shoot("alerts-many")
	p.phone()
	p.narrow("the list")
	p.shoot("alerts-many-phone")
	p.desk()
	p.do("held back", chromedp.Navigate(base+"/alerts?held=only"))
	p.until("only what is held back", `[...document.querySelectorAll(".alert-row .name")].map((e) => e.textContent).join() === "quiet"`)
	p.do("silences", chromedp.Navigate(base+"/silences"), chromedp.WaitVisible(".silence"))
	p.shows(".silence", "ends when calm for 15m")
	p.shows(".silence", "1 notification held back")
	p.shoot("silences-held")
	p.phone()
	p.narrow("silences")
	p.shoot("silences-phone")
	p.desk()

	p.do("why", chromedp.Navigate(base+"/alerts?view=why"), chromedp.WaitVisible(".whynot"))
	p.until("rules", `[...document.querySelectorAll(".whynot option")].some((o) => o.value === "quiet")`)
	ask := func(rule, group, reason, text string) {
		t.Helper()
		p.do(rule, chromedp.SetValue(".whynot select", rule))
		eval[bool](p, `document.querySelector(".whynot select").dispatchEvent(new Event("change", {bubbles: true}))`)
		p.fill(".whynot input", group)
		p.click(".whynot button", "Ask")
		p.until(reason, `document.querySelector(".answer h2 code")?.textContent === %q && document.querySelector(".answer").textContent.includes(%q) ||
			document.querySelector(".answer")?.getAttribute("aria-busy") === "false" && (document.querySelector(".whynot button").click(), false)`, reason, text) // of the last step, which may be too young
	}
	ask("hot", "region=ap", "in-band", "band")
	ask("slow", "region=eu", "pending", "for was still running")
	ask("quiet", "region=eu", "silenced", "<b>eve</b>")
	p.shows(".answer .plain-list a", "alert")
	p.shoot("whynot")
	p.phone()
	p.narrow("the answer")
	p.shoot("whynot-phone")
	p.fill(".whynot input", "region=x,region")
	p.click(".whynot button", "Ask")
	p.shows("main .error", "must be key=value")
	if title := eval[string](p, `document.title`); strings.Contains(title, "owned") {
		t.Errorf("title %q: what somebody wrote ran", title)
	}
	p.allow("/api/v1/alerts?match=owner", "/api/v1/rules/quiet/why?tags=region%3Dx%2Cregion") // which are wrong
	p.quiet()
}
