package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"pulse/bench/server"
	"pulse/store/block"
)

// feed starts a server and publishes everything.
func (b *bench) feed() error {
	if _, err := b.start(); err != nil {
		return err
	}
	begin := time.Now()
	known := time.Duration(0) // CPU when all series are known
	counted := int64(0)
	profile := b.profile("feed-cpu", fmt.Sprintf("/debug/pprof/profile?seconds=%d", 20), b.steps()/2)
	for k := range b.steps() {
		n, err := b.push(k)
		if err != nil {
			return err
		}
		b.sent += n
		b.perStep = append(b.perStep, n)
		profile(k)
		if k == 0 {
			u, err := b.hand.Usage("usage")
			if err != nil {
				return err
			}
			known, counted = u.CPU, b.sent
			b.say("new        %d datapoints in %s, %.1f us of CPU each", n, time.Since(begin).Round(10*time.Millisecond), float64(u.CPU.Microseconds())/float64(n))
		}
	}
	u, err := b.hand.Usage("usage")
	if err != nil {
		return err
	}
	b.figures.cpu = (u.CPU - known).Seconds() / float64(b.sent-counted) * 1e6
	b.figures.feed = u
	b.say("known      %d datapoints in %s, %.3f s of CPU per 1M, snapshots, sealing, files and coarser tiers among it", b.sent-counted, time.Since(begin).Round(time.Second), b.figures.cpu)
	return nil
}

// at returns the stamp of a step.
func (b *bench) at(step int) int64 { return b.first + int64(step+1)*b.step.Milliseconds() }

// push publishes a step. The time passes from its stamp to that of the next one,
// node after node.
func (b *bench) push(step int) (int64, error) {
	at, ms := b.at(step), b.step.Milliseconds()
	if err := b.hand.Set(at); err != nil {
		return 0, err
	}
	client := &fasthttp.Client{MaxConnsPerHost: b.workers, ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	defer client.CloseIdleConnections()
	var next, sent atomic.Int64
	errs := make([]error, b.workers)
	var wg sync.WaitGroup
	for w := range b.workers {
		wg.Go(func() {
			var body []byte
			for b.ctx.Err() == nil && errs[w] == nil {
				node := int(next.Add(1)) - 1
				if node >= b.fleet.Nodes() {
					return
				}
				var n int
				body, n = b.fleet.AppendBody(body[:0], node, at)
				sent.Add(int64(n))
				_, err := server.PostOK(client, b.s.URL+"/api/v1/publish", body)
				errs[w] = errors.Join(err, b.hand.Set(at+ms*int64(node)/int64(b.fleet.Nodes())))
			}
		})
	}
	wg.Wait()
	return sent.Load(), errors.Join(errs...)
}

// profile fetches a profile once a step is reached, without being waited for.
func (b *bench) profile(name, path string, step int) func(k int) {
	return func(k int) {
		if b.profiles == "" || k != step {
			return
		}
		url := b.s.URL + path
		go func() {
			client := &fasthttp.Client{ReadTimeout: 2 * time.Minute}
			_, body, err := client.Get(nil, url)
			if err == nil {
				err = os.WriteFile(filepath.Join(b.profiles, name+".pprof"), body, 0o600)
			}
			if err != nil {
				fmt.Fprintf(os.Stderr, "profile %s: %v\n", name, err)
			}
		}()
	}
}

// rest lets the time pass until everything is sealed and in files.
func (b *bench) rest() error {
	if _, err := b.start(); err != nil {
		return err
	}
	defer b.s.Kill()
	want := (b.steps() + block.Size - 1) / block.Size
	end := b.at(b.steps())
	for k := range 1000 {
		if err := b.hand.Set(end + int64(k)*b.step.Milliseconds()); err != nil {
			return err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-b.ctx.Done():
			return b.ctx.Err()
		}
		var st status
		if err := server.Status(b.s.URL, &st); err != nil {
			return err
		}
		if st.Disk.ArchiveFiles >= want && st.Disk.Waiting == 0 {
			return nil
		}
	}
	return errors.New("not all blocks are in files")
}
