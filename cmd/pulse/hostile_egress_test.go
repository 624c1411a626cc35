package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestClosedAddresses: neither the API nor a rule file nor a command makes a receiver at
// an address that is closed; each names the option that opens a range, and what was in
// force stays.
func TestClosedAddresses(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "detect", "notify", "testdata", "egress", "refused.txt"))
	must(t, err)
	const filed = "receivers: [{name: filed, url: 'https://93.184.216.34/hook'}]\n"
	r := newRuled(t, filed)
	tried := 0
	for host := range strings.Lines(string(text)) {
		host = strings.TrimSpace(host)
		if host == "" || strings.HasPrefix(host, "#") {
			continue
		}
		tried++
		for path, body := range map[string]string{
			"/api/v1/receivers/a": fmt.Sprintf(`{"kind":"webhook","url":"http://%s/latest/meta-data?q=canary"}`, host),
			"/api/v1/receivers/b": fmt.Sprintf(`{"kind":"alertmanager","url":"https://%s:9093"}`, host),
		} {
			if status, answer := r.do(http.MethodPut, path, body); status != 400 || !strings.Contains(answer, "--egress-allow") || strings.Contains(answer, "canary") {
				t.Errorf("PUT %s: %d %s", body, status, answer)
			}
		}
		r.write(fmt.Sprintf("%s\nrules: []\n", strings.Replace(filed, "93.184.216.34", host, 1)))
		if status, answer := r.do(http.MethodPost, "/-/reload", "{}"); status != 400 || !strings.Contains(answer, "--egress-allow") || !strings.Contains(answer, r.file+":1:") {
			t.Errorf("reload with %s: %d %s", host, status, answer)
		}
	}
	if tried < 150 {
		t.Errorf("%d hosts", tried)
	}
	for _, name := range []string{"a", "b"} {
		if status, answer := r.do(http.MethodPost, "/api/v1/receivers/"+name+"/test", "{}"); status != 404 {
			t.Errorf("test of %s: %d %s", name, status, answer)
		}
	}
	if _, answer := r.do(http.MethodGet, "/api/v1/receivers", ""); strings.Count(answer, `"kind"`) != 1 || !strings.Contains(answer, "https://93.184.216.34/hook") {
		t.Errorf("receivers %s", answer)
	}
}

// TestEgressAllowFlag: the option takes ranges and addresses and nothing else.
func TestEgressAllowFlag(t *testing.T) {
	for text, good := range map[string]bool{
		"10.0.0.0/8": true, "127.0.0.1": true, "::1": true, "fd00::/8": true, "::ffff:10.0.0.0/104": true,
		"10.0.0.0/33": false, "10/8": false, "10.0.0": false, "0x7f000001": false, "2130706433": false, "127.1": false, "localhost": false,
		"example.com": false, "http://10.0.0.1": false, "10.0.0.1:80": false, "[::1]": false, "": false, "*": false, "fe80::1%eth0/64": false,
	} {
		serve, err := defaultServe()
		must(t, err)
		serve.EgressAllow = []string{text}
		if err = serve.complete(); (err == nil) != good || err != nil && !strings.Contains(err.Error(), "--egress-allow") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
