package testkit

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Alertmanager starts the Alertmanager of the system until the test ends, and returns
// its URL. It groups by alertname, waits for so long before it sends the first
// notification of a group ("0s", "1s"), and sends to a webhook. It may not listen yet.
// The test is skipped where there is none.
func Alertmanager(t *testing.T, wait, webhook string) string {
	t.Helper()
	program := ""
	for _, name := range []string{"prometheus-alertmanager", "alertmanager"} {
		if found, err := exec.LookPath(name); err == nil {
			program = found
		}
	}
	if program == "" || testing.Short() {
		t.Skip("no Alertmanager here, or short")
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "am.yml")
	text := fmt.Sprintf("route: {receiver: r, group_by: [alertname], group_wait: %s, group_interval: 1s, repeat_interval: 1h}\nreceivers: [{name: r, webhook_configs: [{url: '%s'}]}]\n", wait, webhook)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	listener.Close()
	var log strings.Builder
	cmd := exec.Command(program, "--config.file="+config, "--storage.path="+dir, "--web.listen-address="+address, "--cluster.listen-address=")
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return "http://" + address
}
