package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// demoSecret signs the demo's notifications. It guards nothing.
const demoSecret = "whsec_cHVsc2UtZGVtby1yZWNlaXZlci1zZWNyZXQtMDE="

// newDemoReceiver listens on a free loopback port and prints to out.
func newDemoReceiver(out io.Writer) (*demoReceiver, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &demoReceiver{url: "http://" + ln.Addr().String() + "/hook", out: out}
	r.server = &http.Server{Handler: r, ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second}
	go func() { _ = r.server.Serve(ln) }() // ends with close
	return r, nil
}

func (r *demoReceiver) close() { _ = r.server.Close() }

// outage tells when the simulated applications report the first step of the
// outage and the first one after it.
func (r *demoReceiver) outage(begin, end time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin, r.end = begin, end
}

// tell prints the begin and the end of the outage when t reaches them.
func (r *demoReceiver) tell(t time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.told == 0 && !t.Before(r.begin):
		r.told = 1
		fmt.Fprintf(r.out, "%s  OUTAGE    the first step with fewer starts is reported\n", clockOf(t))
	case r.told == 1 && !t.Before(r.end):
		r.told = 2
		fmt.Fprintf(r.out, "%s  RECOVERY  starts are back\n", clockOf(t))
	}
}

// ServeHTTP checks the signature and prints one line per notification.
func (r *demoReceiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(io.LimitReader(req.Body, 1<<20))
	if err != nil || !signed(req.Header, body) {
		http.Error(w, "signature does not match", http.StatusUnauthorized)
		return
	}
	var n struct {
		Type        string            `json:"type"`
		Rule        string            `json:"rule"`
		Tags        map[string]string `json:"tags"`
		Annotations map[string]string `json:"annotations"`
		Link        string            `json:"link"`
	}
	if err := json.Unmarshal(body, &n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delay := func(since time.Time) string {
		if since.IsZero() || at.Before(since) {
			return ""
		}
		return fmt.Sprintf(", %.2f s after it", at.Sub(since).Seconds())
	}
	switch n.Type {
	case "alert.firing":
		fmt.Fprintf(r.out, "%s  PAGE      %s%s: %s\n", clockOf(at), n.Rule, delay(r.begin), printable(n.Annotations["summary"]))
		if why := n.Annotations["why"]; why != "" {
			fmt.Fprintf(r.out, "              %s\n", printable(why))
		}
		if n.Link != "" {
			fmt.Fprintf(r.out, "              %s\n", printable(n.Link))
		}
	case "alert.resolved":
		fmt.Fprintf(r.out, "%s  RESOLVED  %s%s\n", clockOf(at), n.Rule, delay(r.end))
	default:
		fmt.Fprintf(r.out, "%s  %s  %s\n", clockOf(at), strings.ToUpper(printable(n.Type)), n.Rule)
	}
	w.WriteHeader(http.StatusNoContent)
}

// signed verifies the Standard Webhooks signature of the demo's receiver.
func signed(h http.Header, body []byte) bool {
	want := demoSignature(h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
	for _, got := range strings.Fields(h.Get("webhook-signature")) {
		if hmac.Equal([]byte(got), []byte(want)) {
			return true
		}
	}
	return false
}

// demoSignature signs with the demo's secret.
func demoSignature(id, timestamp string, body []byte) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(demoSecret, "whsec_"))
	if err != nil {
		panic("BUG: the demo's secret: " + err.Error())
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
