package main

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestWhyCommand: the command prints what the page on rules shows, but for times and ids.
func TestWhyCommand(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server")
	}
	page, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```\n\\$ pulse (rules why .*?)\n(.*?)```").FindStringSubmatch(string(page))
	if example == nil {
		t.Fatal("no example")
	}
	p := start(t, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--step", "1s", "--log-level", "info")
	url := waitIn(t, &p.errors, p, `url=(http://[^/\s]+)`)[1]
	send := func(method, path, body string) {
		t.Helper()
		req, err := http.NewRequest(method, url+path, strings.NewReader(body))
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
			t.Fatalf("%s %s: %s", method, path, res.Status)
		}
	}
	send("PUT", "/api/v1/rules/starts-low", `{"expr":"name,starts,:eq,:sum,(,region,),:by","detector":{"kind":"static","below":50},"for":"1m"}`)
	plain := func(text string) string {
		for _, x := range []string{`\d{4}-\d\d-\d\dT[\d:.]+Z`, `[0-9a-f]{32}`, `\d+(\.\d+)? m?s after`, `had run [\d.]+ m?s`} {
			text = regexp.MustCompile(x).ReplaceAllString(text, "…")
		}
		return text
	}
	got := ""
	for range 60 {
		send("POST", "/api/v1/publish", fmt.Sprintf(`{"metrics":[{"tags":{"name":"starts","region":"eu","atlas.dstype":"gauge"},"timestamp":%d,"value":27}]}`, time.Now().UnixMilli()))
		time.Sleep(250 * time.Millisecond)
		code, out := command(append(strings.Fields(example[1]), "--target", url)...)
		if code != 0 {
			t.Fatalf("code %d: %s", code, out)
		}
		if got = plain(out); got == plain(example[2]) {
			break
		}
	}
	if want := plain(example[2]); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for args, want := range map[string]string{
		"rules why nosuch":                         `nosuch`,
		"rules why starts-low --at foo":            `--at: invalid date foo, want a time such as now-10m`,
		"rules why starts-low --at tomorow-1h":     `--at: invalid date tomorow-1h`,
		"rules why starts-low --at yesterday-ish":  `--at`,
		"rules why starts-low --tag region":        `must be key=value`,
		"rules why starts-low --tag region=eu,a=b": `must be key=value`,
	} {
		if code, out := command(append(strings.Fields(args), "--target", url)...); code == 0 || !strings.Contains(out, want) {
			t.Errorf("%s: code %d, %s", args, code, out)
		}
	}
	if code, out := command("rules", "why", "starts-low", "--tag", "region=ap", "--target", url, "--json"); code != 0 || !strings.Contains(out, `"reason":"no-such-group"`) {
		t.Errorf("json: code %d, %s", code, out)
	}
}
