package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// freeAddress returns a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// feed pushes two regions' gauge once per 100 ms until the test ends.
func feed(t *testing.T, base string) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() { cancel(); <-done })
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			for i, region := range []string{"ap", "eu"} {
				if res, err := http.Post(fmt.Sprintf("%s/g/load?region=%s", base, region), "text/plain", strings.NewReader(fmt.Sprint(10*(i+1)))); err == nil {
					res.Body.Close()
				}
			}
			_ = pause(ctx, time.Now().Add(100*time.Millisecond))
		}
	}()
}

func putRule(t *testing.T, base, id, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, base+"/api/v1/rules/"+id, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("put rule %s: %s", id, res.Status)
	}
}

// TestPageLife: what people write is text and no markup, the band is that of the
// line it is drawn over, and the page lives through a restart of the server.
func TestPageLife(t *testing.T) {
	p := newTab(t)
	address := freeAddress(t)
	base := "http://" + address
	args := []string{"serve", "--listen", address, "--data", t.TempDir(), "--step", "1s", "--log-level", "error"}
	server := start(t, args...)
	awaitReady(t, base)
	feed(t, base)
	putRule(t, base, "hot", `{"expr":"name,load,:eq,:max,(,region,),:by","detector":{"kind":"static","above":15,"below":1},"for":"1s",
		"annotations":{"summary":"<img src=x onerror=document.title='owned'> {{.Tags.region}}","runbook":"javascript:document.title='owned'"}}`)
	putRule(t, base, "slow", `{"expr":"name,load,:eq,:max,(,region,),:by","step":"5s","detector":{"kind":"static","above":15},
		"annotations":{"runbook":"https://wiki.example/load"}}`)
	open := func(q url.Values) {
		p.do("open "+q.Encode(), chromedp.Navigate(base+"/?"+q.Encode()), chromedp.WaitVisible(".chart canvas"))
	}
	p.do("size", chromedp.EmulateViewport(1440, 900))
	open(url.Values{"q": {"name,load,:eq,:max,(,region,),:by"}, "range": {"5m"}, "band": {"hot"}})
	p.shows("#alerts", "<img src=x")
	p.shows("#alerts", "runbook")
	if hrefs := eval[string](p, `[...document.querySelectorAll("#alerts a")].map((a) => a.href).join(" ")`); strings.Trim(strings.ReplaceAll(hrefs, "https://wiki.example/load", ""), " ") != "" {
		t.Errorf("links of alerts: %s", hrefs)
	}
	p.do("graph of the alert", chromedp.Click(".alerts button"))
	p.until("only the alert's line", `document.querySelectorAll(".legend tr.off").length === 1`)
	p.until("a band", `document.querySelector(".chart").dataset.bounded > 0`)
	p.shoot("alert")
	open(url.Values{"q": {"name,load,:eq,:max,(,region,),:by"}, "range": {"5m"}, "band": {"slow"}})
	p.do("hide a line", chromedp.Click(".legend tbody tr button"), chromedp.WaitVisible(".legend tr.off"))
	p.until("a band of 5 s over steps of 1 s", `document.querySelector(".chart").dataset.bounded >= 10`)
	p.shoot("slow-band")
	open(url.Values{"q": {"name,load,:eq,:sum"}, "range": {"5m"}, "band": {"hot"}})
	p.shows(".legend tbody", "sum(name=load)")
	if n := eval[string](p, `document.querySelector(".chart").dataset.bounded`); n != "0" {
		t.Error("the band of a region is drawn over the sum of all")
	}
	open(url.Values{"q": {"name,load,:eq,:max,:dup,2,:mul,both,:legend,:swap,both,:legend"}, "range": {"5m"}})
	const lasts = `[...document.querySelectorAll(".legend tbody tr")].map((tr) => tr.children[2].textContent).join(" ")`
	p.until("two lines of one name", `["40 20", "20 40"].includes(%s)`, lasts)
	p.until("steps are appended", `(window.seen = window.seen || document.querySelector(".chart").dataset.to) !== document.querySelector(".chart").dataset.to`)
	if got := eval[string](p, lasts); got != "40 20" && got != "20 40" {
		t.Errorf("last values of two lines of one name: %s", got)
	}

	server.end(t)
	p.shows("header", "does not answer")
	p.click("nav a", "Sources")
	p.shows("main .error", "could not be loaded")
	start(t, args...)
	p.until("answers again", `!document.querySelector("header").textContent.includes("does not answer")`)
	p.do("try again", chromedp.Click("main .error button"), chromedp.WaitVisible("#sources"))
	p.shows("#sources", "Pulse itself")
	eval[bool](p, `(history.back(), true)`)
	p.until("follows again", `document.querySelector(".live")?.title.startsWith("following") === true`)
	if title := eval[string](p, `document.title`); strings.Contains(title, "owned") {
		t.Errorf("title %q: an annotation ran", title)
	}
	p.allow("net::ERR_", "503 (Service Unavailable)") // while the server was away, and not yet ready
	p.quiet()
}

// awaitReady waits until a server is ready.
func awaitReady(t *testing.T, base string) {
	t.Helper()
	for range 400 {
		if res, err := http.Get(base + "/ready"); err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("the server did not answer within 10 s")
}
