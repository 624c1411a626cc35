package main

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/chromedp/chromedp"
)

// shot is a picture: where the page is, when it is ready, and what is done there first.
type shot struct {
	name   string
	path   string       // with its query
	ready  string       // JavaScript that is true when it is there
	first  func() error // before the page is opened
	then   func(t *tab) error
	kept   []string // looks that are committed
	screen bool     // what the screen shows, not all of the page
}

const (
	desk    = "light dark"
	editor  = `document.getElementById("query").shadowRoot?`
	byShare = starts + ",(,nf.region,),:by"
)

func at(path string, query ...string) string {
	v := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		v.Add(query[i], query[i+1])
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

func has(selector string) string {
	return `document.querySelector(` + "`" + selector + "`" + `) !== null`
}

// press presses a key, and does the rest then.
func press(key rune, then ...func(*tab) error) func(*tab) error {
	return func(t *tab) error {
		if err := t.key(key); err != nil {
			return err
		}
		for _, f := range then {
			if err := f(t); err != nil {
				return err
			}
		}
		return nil
	}
}

// wait waits until a JavaScript expression is true.
func wait(script string) func(*tab) error {
	return func(t *tab) error { return t.until(script) }
}

// of lists the pictures of the scene.
func (c *scene) shots() ([]shot, error) {
	page, err := c.of("starts-by-region", "firing")
	if err != nil {
		return nil, err
	}
	gone, err := c.of("encoder-backlog", "nodata")
	if err != nil {
		return nil, err
	}
	over, err := c.of("queue-length", "resolved")
	if err != nil {
		return nil, err
	}
	both, phone := strings.Fields(desk), []string{"phone-light", "phone-dark"}
	all := append(append([]string{}, both...), phone...)
	drawn := has(".chart canvas") + ` && document.querySelectorAll(".legend tbody tr").length > 0`
	group := url.Values{}
	for k, v := range page.Tags {
		group.Set(k, v)
	}
	return []shot{
		{name: "explore", path: at("/", "q", "name,play.starts,:eq,nf.region,eu-west,:eq,:and,:sum", "range", "15m", "band", "starts-by-region", "overlay", "1w"), ready: drawn, kept: both, screen: true},
		{name: "board", path: at("/board", "range", "15m", "p", "rule:starts", "p", "rule:starts-by-region", "p", "rule:error-ratio", "p", "rule:edge-5xx"), ready: `[...document.querySelectorAll(".board-panel")].filter((e) => e.dataset.live === "true" && e.dataset.draws > 0).length === 4`, kept: both, screen: true},
		{name: "alerts", path: "/alerts", ready: has(".alert-row.firing .spark-line"), kept: all, screen: true},
		{name: "alert", path: "/alerts/" + page.Incident, ready: has(".chart canvas") + " && " + has(".timeline"), kept: both},
		{name: "explore-regions", path: at("/", "q", byShare, "range", "30m"), ready: drawn},
		{name: "explore-day", path: at("/", "q", starts, "range", "1d", "overlay", "1w"), ready: drawn},
		{name: "explore-two-weeks", path: at("/", "q", starts, "range", "2w"), ready: drawn},
		{name: "explore-why", path: at("/", "q", byShare, "range", "15m", "band", "starts-by-region", "alert", page.Incident), ready: has("#why .decisions")},
		{name: "explore-pinned", path: at("/", "q", byShare, "range", "30m", "live", "0"), ready: drawn, then: func(t *tab) error {
			if err := t.point(0.45, 0.4); err != nil {
				return err
			}
			return t.until(has(".pinned"))
		}, screen: true}, // another size would unpin
		{name: "explore-stacked", path: at("/", "q", starts+",(,device,),:by", "range", "30m", "style", "stack"), ready: drawn},
		{name: "explore-builder", path: at("/", "q", byShare, "range", "30m"), ready: drawn, then: press('b', wait(has("#build")))},
		{name: "explore-words", path: at("/", "q", "name,play.errors,:eq,:sum,name,play.starts,:eq,:sum,:div,100,:mul", "range", "30m"), ready: drawn, then: press('s', wait(has(".stack tr")))},
		{name: "explore-history", path: at("/", "q", byShare, "range", "30m"), ready: drawn, then: func(t *tab) error {
			for _, q := range []string{"name,http.requests,:eq,status,5xx,:eq,:and,:sum,(,nf.node,),:by", "name,play.latency,:eq,:dist-avg,(,device,),:by", starts} {
				if _, err := chromedp.Run(t.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`(localStorage.setItem("queries", JSON.stringify([{ q: %q, t: Date.now() - 400e3 }, ...JSON.parse(localStorage.getItem("queries") || "[]")])), true)`, q))); err != nil {
					return err
				}
			}
			return press('h', wait(has(`[aria-label="History"] li`)))(t)
		}},
		{name: "explore-time", path: at("/", "q", byShare, "range", "30m"), ready: drawn, then: press('r', wait(has("#step")))},
		{name: "explore-share", path: at("/", "q", byShare, "range", "30m"), ready: drawn, then: press('e', wait(has("#share")))},
		{name: "explore-error", path: at("/", "q", "name,play.starts,:eq,:summ", "range", "30m"), ready: has(".error")},
		{name: "explore-nothing", path: at("/", "q", "name,nosuch,:eq", "range", "30m"), ready: has(".empty")},
		{name: "explore-completion", path: at("/", "q", starts, "range", "30m"), ready: drawn, then: press('/', wait(editor+`.activeElement?.classList.contains("cm-content") === true`),
			press(','), wait(editor+`.textContent.includes(":sum,")`), press(':'), press('t'), press('o'), wait(editor+`.querySelector(".cm-tooltip-autocomplete li") !== null`)), screen: true},
		{name: "keys", path: at("/", "q", starts, "range", "30m"), ready: drawn, then: press('?', wait(has("dialog[open]"))), screen: true},
		{name: "board-chosen", path: at("/board", "range", "15m"), ready: `[...document.querySelectorAll(".board-panel")].filter((e) => e.dataset.live === "true" && e.dataset.draws > 0).length === 4`, screen: true},
		{name: "board-one", path: at("/board", "p", "rule:starts-by-region@"+group.Encode(), "range", "15m"), ready: `document.querySelector(".board-panel")?.dataset.live === "true" && document.querySelector(".board-panel").dataset.draws > 0`, screen: true},
		{name: "board-choice", path: at("/board", "range", "15m"), ready: has(".board-panel canvas"), then: press('c', wait(has(".board-choice")))},
		{name: "alert-nodata", path: "/alerts/" + gone.Incident, ready: has(".timeline")},
		{name: "alert-over", path: "/alerts/" + over.Incident, ready: has(".timeline")},
		{name: "silence", path: at("/alerts", "silence", page.Incident), ready: `document.querySelector("dialog .hits")?.textContent.includes("It hits")`, kept: phone, screen: true},
		{name: "silences", path: "/silences", ready: has(".silence"), kept: phone},
		{name: "history", path: at("/alerts", "view", "history"), ready: has(".history tbody tr")},
		{name: "why-not", path: at("/alerts", "view", "why", "rule", "starts-by-region", "tags", "nf.region=us-east"), ready: has(".answer")},
		{name: "rules", path: "/rules", ready: has(".cards tbody tr"), kept: both},
		{name: "rule", path: "/rules/starts-by-region", ready: has("[aria-label=Groups] tbody tr") + " && " + has(".rule-trace canvas")},
		{name: "rule-edit", path: "/rules/starts?edit=1", ready: has(".rule-trace canvas"), then: func(t *tab) error {
			if err := t.until(`document.querySelector("#yaml").value !== "" && !document.querySelector("#trial").disabled`); err != nil {
				return err
			}
			if err := t.do(chromedp.Click("#trial")); err != nil {
				return err
			}
			return t.until(has("#trial-sum dd"))
		}, kept: both},
		{name: "rule-new", path: at("/rules/new", "q", byShare), ready: has(".rule-editor")},
		{name: "rule-broken", path: at("/rules/new", "q", starts+",:integral"), ready: has(".rule-editor [role=alert]")},
		{name: "data", path: "/data", ready: has("#values tbody tr"), kept: both, screen: true},
		{name: "data-key", path: at("/data", "q", "name,http.requests,:eq", "key", "nf.node"), ready: has("#values tbody tr")},
		{name: "sources", path: "/sources", ready: has("#sources tbody tr"), kept: both, screen: true},
		{name: "receivers", path: "/receivers", ready: has("#receivers tbody tr")},
		{name: "receiver", path: "/receivers/legacy", ready: has("#log tbody tr")},
		{name: "receiver-edit", path: "/receivers/oncall?edit=1", ready: has("#timeout")},
		{name: "receiver-new", path: "/receivers?new=1", ready: has("#name")},
		{name: "server", path: "/server", first: c.queries, ready: has("#running") + ` && document.querySelectorAll("#own .spark path").length > 3`, kept: both},
		{name: "no-rule", path: "/rules/nosuch", ready: has("main .error")},
		{name: "no-alert", path: "/alerts/nosuch", ready: has("main .error, main .empty")},
	}, nil
}

// empty lists the pictures of a server on which nobody has done anything.
func empty() []shot {
	return []shot{
		{name: "first-run", path: "/", ready: has("#firstrun") + " && " + has(".chart canvas"), kept: strings.Fields("light")},
		{name: "empty-board", path: "/board", ready: has(".board-panel canvas")},
		{name: "empty-alerts", path: "/alerts", ready: has(".calm")},
		{name: "empty-history", path: at("/alerts", "view", "history"), ready: has(".tabs")},
		{name: "empty-silences", path: "/silences", ready: has(".tabs")},
		{name: "empty-why-not", path: at("/alerts", "view", "why"), ready: has(".whynot")},
		{name: "empty-rules", path: "/rules", ready: has(".empty")},
		{name: "empty-data", path: "/data", ready: has("main table")},
		{name: "empty-sources", path: "/sources", ready: has("main table")},
		{name: "empty-receivers", path: "/receivers", ready: has("main .panel")},
		{name: "empty-server", path: "/server", ready: has("#state")},
	}
}

// closed lists those of a server that wants tokens; reader has the scope query only.
func closed(reader string) []shot {
	enter := func(t *tab) error {
		if err := t.do(chromedp.WaitVisible("#token"), chromedp.SendKeys("#token", reader+"\r")); err != nil {
			return err
		}
		return t.until(has("main .notice"))
	}
	return []shot{
		{name: "token", path: "/", ready: has("#token")},
		{name: "no-scope-server", path: "/server", ready: has("#token"), then: enter},
		{name: "no-scope-receivers", path: "/receivers", ready: has("#token"), then: enter},
	}
}

// down lists those for which the server is stopped once they are ready.
func down() []shot {
	return []shot{
		{name: "down-explore", path: "/", ready: has(".chart canvas")},
		{name: "down-board", path: "/board", ready: has(".board-panel canvas")},
		{name: "down-alerts", path: "/alerts", ready: has(".calm")},
		{name: "down-server", path: "/server", ready: has("#state")},
	}
}
