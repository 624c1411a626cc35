package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/million/warp"
	"pulse/bench/server"
)

// figures are what the table holds against targets.
type figures struct {
	cpu               float64 // seconds per 1M datapoints
	feed              warp.Usage
	now, most         int64 // resident bytes
	cycle             time.Duration
	recovery, cold    time.Duration // CPU and wall
	sealed, onDisk    float64       // bytes per sample
	log               float64       // bytes per datapoint
	uncached, covered [][2]time.Duration
}

// status is what the server says of itself.
type status struct {
	Series, Blocks        int
	BlockBytes, HeadBytes int64
	QueryCache            struct{ Used int64 }
	Memory                struct{ Series struct{ Used, Peak int64 } }
	Disk                  struct {
		ArchiveFiles, Waiting int
		ArchiveBytes          int64
	}
	Log      struct{ WrittenBytes int64 }
	Recovery json.RawMessage
	Snapshot json.RawMessage
}

const mib = 1 << 20

// memory prints what the server holds, by part.
func (b *bench) memory() error {
	var st status
	if err := server.Status(b.s.URL, &st); err != nil {
		return err
	}
	line := func(name string) int64 {
		n, err := server.Memory(b.s.PID(), name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return n
	}
	u, err := b.hand.Usage("usage")
	if err != nil {
		return err
	}
	b.figures.now, b.figures.most = line("VmRSS"), line("VmHWM")
	anon := line("RssAnon")
	b.say("resident   %d MiB now, %d MiB at most; %d MiB anonymous, %d MiB of files (program and archives); the store counts %d MiB",
		b.figures.now/mib, b.figures.most/mib, anon/mib, line("RssFile")/mib, st.Memory.Series.Used/mib)
	other := anon - st.HeadBytes - u.Objects - u.Unused - u.Free - u.Stacks - u.Runtime
	for _, p := range []struct {
		name  string
		bytes int64
	}{
		{"columns and mini-blocks of the head", st.HeadBytes},
		{"objects of the heap", u.Objects}, {"  of which live at the last collection", u.Live}, {"heap between objects", u.Unused}, {"heap to give back", u.Free},
		{"stacks", u.Stacks}, {"runtime", u.Runtime}, {"other anonymous memory: blocks in no file yet, fastcache", other},
		{"blocks, in memory and files", st.BlockBytes}, {"  of which in files", st.Disk.ArchiveBytes},
	} {
		b.say("  %-58s %5d MiB %6.1f B a series", p.name, p.bytes/mib, float64(p.bytes)/float64(b.series))
	}
	b.say("  goroutines %d; the collector scans %d MiB a cycle", u.Threads, u.Roots/mib)
	b.figures.log = float64(st.Log.WrittenBytes) / float64(b.sent)
	b.say("log        %d MiB written, %.2f B a datapoint; snapshots %s", st.Log.WrittenBytes/mib, b.figures.log, st.Snapshot)
	return b.heap()
}

// heap prints what lives on the heap, by where it was allocated.
func (b *bench) heap() error {
	_, body, err := fasthttp.Get(nil, b.s.URL+"/debug/pprof/heap?gc=1")
	if err != nil {
		return err
	}
	name := filepath.Join(filepath.Dir(b.s.Data), "heap.pprof")
	if b.profiles != "" {
		name = filepath.Join(b.profiles, "heap.pprof")
	}
	if err := os.WriteFile(name, body, 0o600); err != nil {
		return err
	}
	text, err := exec.Command("go", "tool", "pprof", "-sample_index=inuse_space", "-top", "-nodecount=14", name).Output()
	if err != nil {
		return fmt.Errorf("read the heap's profile: %w", err)
	}
	b.say("heap       by what allocated it")
	_, rest, _ := bytes.Cut(text, []byte("flat%"))
	for i, l := range strings.Split(string(rest), "\n") {
		if f := strings.Fields(l); i > 0 && len(f) > 5 {
			b.say("  %9s  %s", f[0], f[5])
		}
	}
	return nil
}

// collector prints what a cycle of the collector costs.
func (b *bench) collector() error {
	before, err := b.hand.Usage("collect?n=2")
	if err != nil {
		return err
	}
	after, err := b.hand.Usage("collect?n=10")
	if err != nil {
		return err
	}
	cycles := time.Duration(after.Cycles - before.Cycles)
	b.figures.cycle = (after.CPU - before.CPU) / cycles
	f := b.figures.feed
	b.say("collector  %.1f ms of CPU a cycle (%d cycles in a row); while data came %d cycles of %.1f ms by its own account, idle cores included, longest pause at most %.2f ms",
		ms(b.figures.cycle), cycles, f.Cycles, ms(f.GC/time.Duration(max(1, f.Cycles))), ms(f.Pause))
	return nil
}

// recover kills the server, starts it again, and compares the answers.
func (b *bench) recover() error {
	seed := maphash.MakeSeed()
	want, err := b.answers(seed)
	if err != nil {
		return err
	}
	for i, c := range []struct {
		what  string
		flags []string
		took  *[][2]time.Duration
	}{{"cache off", []string{"--query-cache", "0"}, &b.figures.uncached}, {"cache on", nil, &b.figures.covered}} {
		b.s.Kill()
		b.say("killed     log %d MiB, snapshots %d MiB, archive files %d MiB", b.s.Bytes("wal")/mib, b.s.Bytes("snapshot")/mib, b.s.Bytes("archive")/mib)
		took, err := b.start(c.flags...)
		if err != nil {
			return err
		}
		u, err := b.hand.Usage("usage")
		if err != nil {
			return err
		}
		var st status
		if err := server.Status(b.s.URL, &st); err != nil {
			return err
		}
		most, err := server.Memory(b.s.PID(), "VmHWM")
		if err != nil {
			return err
		}
		if i == 0 {
			b.figures.recovery, b.figures.cold = u.CPU, took
		}
		b.say("recovered  ready after %.2f s, %.2f s of CPU, resident at most %d MiB\n           %s", took.Seconds(), u.CPU.Seconds(), most/mib, st.Recovery)
		got, err := b.answers(seed)
		if err != nil {
			return err
		}
		if !slices.Equal(want, got) {
			return fmt.Errorf("answers differ after a recovery: %x before, %x after", want, got)
		}
		b.say("           the %d answers of before, bit for bit", len(got))
		if err := b.queries(c.what, c.took); err != nil {
			return err
		}
	}
	b.s.Kill()
	return nil
}

// disk prints the bytes of sealed blocks and of the data folder.
func (b *bench) disk() error {
	samples := int64(0)
	for _, n := range b.perStep {
		samples += n
	}
	primary := b.s.Bytes(filepath.Join("archive", fmt.Sprint(b.step.Milliseconds())))
	all := b.s.Bytes("archive")
	b.figures.sealed, b.figures.onDisk = float64(primary)/float64(samples), float64(used(b.s.Data))/float64(samples)
	b.say("sealed     %d samples in %.1f MiB of archive files, %.3f B a sample, directory, masks, checksums and slack among it; coarser tiers %.1f MiB, %.3f B a sample",
		samples, float64(primary)/mib, b.figures.sealed, float64(all-primary)/mib, float64(all-primary)/float64(samples))
	b.say("folder     %.1f MiB as du counts, %.3f B a sample; log %.1f MiB, snapshots %.1f MiB",
		float64(used(b.s.Data))/mib, b.figures.onDisk, float64(b.s.Bytes("wal"))/mib, float64(b.s.Bytes("snapshot"))/mib)
	return nil
}

// table prints the figures beside the targets, which are those of a million series
// of six hours.
func (b *bench) table() error {
	f := &b.figures
	b.say("\n%-52s %9s %9s %9s", "", "ours", "target", "stretch")
	row := func(what, unit string, ours, target, stretch float64) {
		cell := func(v float64) string {
			if v == 0 {
				return ""
			}
			return fmt.Sprintf("%.3g %s", v, unit)
		}
		b.say("%-52s %9s %9s %9s", what, cell(ours), cell(target), cell(stretch))
	}
	row("resident memory in the end", "GB", float64(f.now)/1e9, 0.8, 0.65)
	row("resident memory at most", "GB", float64(f.most)/1e9, 0.8, 0.65)
	row("CPU of a cycle of the collector", "ms", ms(f.cycle), 15, 5)
	row("recovery, until ready", "s", f.cold.Seconds(), 5, 2)
	row("recovery, CPU", "s", f.recovery.Seconds(), 0, 0)
	row("sealed blocks, a sample", "B", f.sealed, 1.10, 1.03)
	row("log, a datapoint", "B", f.log, 3, 0)
	row("data folder, a sample", "B", f.onDisk, 0, 0)
	row("CPU per 1M datapoints, all that a server does", "s", f.cpu, 0.45, 0.25)
	return nil
}

// used is the whole folder in blocks of the disk.
func used(data string) int64 {
	text, err := exec.Command("du", "-sk", data).Output()
	var kib int64
	if err == nil {
		_, err = fmt.Sscan(string(text), &kib)
	}
	if err != nil {
		return 0
	}
	return kib << 10
}
