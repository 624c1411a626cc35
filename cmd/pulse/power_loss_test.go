//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestPowerLoss cuts a whole file system off in the middle of the load: what was
// synced by then is there afterwards, and nothing else. With interval the load
// ends as long before as the mode may lose.
func TestPowerLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	rounds, seed := fromEnv(t, "PULSE_POWER_ROUNDS", 2), fromEnv(t, "PULSE_SEED", uint64(time.Now().UnixNano()%1_000_000))
	for _, mode := range []string{"sync", "interval"} {
		t.Run(mode, func(t *testing.T) {
			t.Logf("PULSE_SEED=%d", seed)
			disk := newImageDisk(t, 256<<20)
			k := newKeeper(t, mode, filepath.Join(disk.dir, "data"), seed)
			k.snapshots = "1h" // every other time nothing but the mode makes anything durable
			k.start()
			lost := 0
			for round := range rounds {
				stop := k.load()
				time.Sleep(time.Duration(300+k.random.IntN(1200)) * time.Millisecond)
				if mode == "interval" {
					stop()
					time.Sleep(2 * time.Second) // the interval and a sync
				}
				probe := filepath.Join(disk.dir, "probe")
				must(t, os.WriteFile(probe, []byte("unsynced"), 0o600))
				k.victim.pause(t)
				disk.cut()
				must(t, k.victim.cmd.Process.Signal(syscall.SIGCONT))
				time.Sleep(time.Duration(k.random.IntN(50)) * time.Millisecond) // nothing may be acknowledged now
				k.kill()
				disk.again()
				if b, err := os.ReadFile(probe); err != nil || !bytes.Equal(b, []byte("unsynced")) {
					lost++
				}
				k.snapshots = []string{"200ms", "1h"}[round%2]
				k.start()
				if mode == "sync" {
					stop()
				}
				k.check(max(k.since, time.Now().UnixMilli()-20_000) / killStep * killStep)
				if t.Failed() {
					t.Fatalf("in round %d:\n%s", round+1, k.victim.said())
				}
			}
			t.Logf("%d rounds, %d requests acknowledged, %d values compared", rounds, k.acked(), k.check(k.since))
			if lost == 0 {
				t.Error("the file system lost nothing: its power was not cut")
			}
			k.kill()
			k.sound()
		})
	}
}
