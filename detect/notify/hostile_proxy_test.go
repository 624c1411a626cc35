package notify_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"pulse/detect/notify"
)

// TestNoProxyOfTheEnvironment: proxies of the environment get nothing, since what they
// connect to is judged by nobody. The environment is read once by a process, so another
// one tries.
func TestNoProxyOfTheEnvironment(t *testing.T) {
	if target := os.Getenv("HOSTILE_PROXY_TARGET"); target != "" {
		tellByName(t, target)
		return
	}
	var proxied atomic.Int64
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	go func() {
		for {
			c, err := proxy.Accept()
			if err != nil {
				return
			}
			proxied.Add(1)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			c.Close()
		}
	}()
	var reached atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer target.Close()
	env := append(os.Environ(), "HOSTILE_PROXY_TARGET="+target.Listener.Addr().String(), "NO_PROXY=", "no_proxy=")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"} {
		env = append(env, name+"=http://"+proxy.Addr().String(), strings.ToLower(name)+"=http://"+proxy.Addr().String())
	}
	child := exec.Command(os.Args[0], "-test.run=^TestNoProxyOfTheEnvironment$")
	child.Env = env
	if out, err := child.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if proxied.Load() != 0 || reached.Load() != 1 {
		t.Errorf("the proxy was asked %d times, the receiver reached %d times", proxied.Load(), reached.Load())
	}
}

// tellByName tests receivers over HTTP and HTTPS at target, by a name for which a proxy of
// the environment would count.
func tellByName(t *testing.T, target string) {
	req, err := http.NewRequest(http.MethodPost, "http://receiver.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := http.ProxyFromEnvironment(req); u == nil || err != nil {
		t.Fatalf("the environment has no proxy: %v, %v", u, err)
	}
	_, port, _ := net.SplitHostPort(target)
	here := lookup(func(string) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
	svc := guarded(t, openDB(t), here, newLog(t), "127.0.0.0/8")
	for text, ok := range map[string]bool{
		receiversAt(fmt.Sprintf("http://receiver.test:%s/", port))["webhook"]:  true,
		receiversAt(fmt.Sprintf("https://receiver.test:%s/", port))["webhook"]: false, // it speaks no TLS
	} {
		r, err := notify.ParseReceiver([]byte(text))
		if err == nil {
			err = svc.PutReceiver(r)
		}
		if err != nil {
			t.Fatal(err)
		}
		if got, err := svc.Test(t.Context(), "a"); err != nil || got.OK != ok {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}
