package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestPageServer: how the server is, and a query that runs is seen, cancelled after one
// question, and its client told.
func TestPageServer(t *testing.T) {
	p := newTab(t)
	base := serveFor(t, "--memory", "512MiB")
	feed(t, base)
	p.do("open", chromedp.EmulateViewport(1440, 900), chromedp.Navigate(base+"/server"), chromedp.WaitVisible("#state"))
	p.shows("#state", "Ready")
	p.shows(`[aria-label="State"]`, "up for")
	p.shows(`[aria-label="Memory"]`, "of 307.2 MiB")
	p.shows("#tiers", "now")
	p.until("own metrics are drawn", `[...document.querySelectorAll("#own .spark path")].length >= 4`)

	phoneAndDark(t, p, "server")

	// A client that asks for much and does not read: its query waits for it.
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	program := "name,load,:eq,(,region,),:by" + strings.Repeat(",:dup", 60)
	fmt.Fprintf(conn, "GET /api/v2/fetch?s=e-90000s&q=%s HTTP/1.1\r\nHost: %s\r\n\r\n", program, strings.TrimPrefix(base, "http://"))
	p.shows("#running", "name,load,:eq")
	p.shows("#running", "127.0.0.1")
	p.do("cancel", chromedp.Click("#running td:last-child button"))
	p.shows("#running .sure", "Its client gets an error")
	p.shoot("server-running")
	p.do("yes", chromedp.Click("#running .danger"))
	p.shows(`[aria-label="Queries"] .done`, "is cancelled; its client is told")
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil || !strings.Contains(string(body), "cancelled by an operator") {
		t.Errorf("the client was sent %d bytes that end with %q, %v", len(body), string(body[max(0, len(body)-200):]), err)
	}
	p.shows("#slowest", "name,load,:eq")
	p.until("it is gone", `!document.querySelector("#running")?.textContent.includes("/api/v2/fetch")`)
	p.quiet()
}
