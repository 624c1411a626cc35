// Command screenshots takes the pictures of the pages that README.md and docs/pages.md show, in
// both themes, on a screen of 1440 pixels and on a phone of 390. It starts a server, imports two
// weeks of a simulated streaming service, breaks it, and opens every page in headless Chromium.
//
//	go run ./bench/screenshots                            # those that are committed, into docs/screenshots
//	go run ./bench/screenshots -all /tmp/pages            # every page in every look, to look at
//	go run ./bench/screenshots -hold                      # the scene alone, to walk about in
//	go run ./bench/screenshots -at URL -all DIR -only '^alert'   # of a server that another run holds
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/chromedp/chromedp"

	"pulse/bench/server"
	"pulse/web/token"
)

type options struct {
	kept, all, only, at string
	hold, bare          bool
}

func main() {
	var o options
	flag.StringVar(&o.kept, "o", "docs/screenshots", "folder for the pictures that are committed")
	flag.StringVar(&o.all, "all", "", "folder for every page in every look, instead")
	flag.StringVar(&o.only, "only", "", "pattern of the names of pages; default all")
	flag.StringVar(&o.at, "at", "", "address of a server that shows the scene already; empty servers are left out then")
	flag.BoolVar(&o.hold, "hold", false, "show the scene until interrupted, and take no pictures")
	flag.BoolVar(&o.bare, "bare", false, "take only servers that are empty, behind tokens, or gone")
	flag.Parse()
	only, err := regexp.Compile(o.only)
	server.Main("screenshots", "", err, func(ctx context.Context, out io.Writer) error {
		return (&run{options: o, ctx: ctx, out: out, pattern: only}).run()
	})
}

type run struct {
	options
	ctx     context.Context
	out     io.Writer
	pattern *regexp.Regexp
	tab     *tab
}

func (r *run) run() error {
	if err := os.MkdirAll(r.folder(), 0o755); err != nil {
		return err
	}
	if r.at != "" {
		return r.browse(func() error { return r.scene(&scene{url: r.at}) })
	}
	s, err := server.Build()
	if err != nil {
		return err
	}
	defer s.Remove()
	if r.bare {
		return r.browse(func() error { return r.others(s) })
	}
	ctx, stop := context.WithCancel(r.ctx)
	defer stop()
	c, err := open(ctx, s)
	defer c.close()
	if err != nil {
		return err
	}
	if r.hold {
		fmt.Fprintf(r.out, "the scene is at %s, until it is interrupted\n", c.url)
		<-ctx.Done()
		return nil
	}
	return r.browse(func() error {
		err := r.scene(c)
		stop()
		s.Stop()
		return errors.Join(err, r.others(s))
	})
}

func (r *run) folder() string {
	if r.all != "" {
		return r.all
	}
	return r.kept
}

// browse does f with a browser.
func (r *run) browse(f func() error) error {
	t, done, err := browser(r.ctx)
	if err != nil {
		return err
	}
	defer done()
	r.tab = t
	return f()
}

func (r *run) scene(c *scene) error {
	shots, err := c.shots()
	if err != nil {
		return err
	}
	r.tab.base = c.url
	return r.each(shots)
}

// others takes the pictures of servers without data, behind tokens, and gone.
func (r *run) others(s *server.Server) error {
	start := func(name string, flags ...string) error {
		s.Data = filepath.Join(filepath.Dir(s.Data), name)
		err := s.Start(r.ctx, 30*time.Second, append([]string{"--step", "1s"}, flags...)...)
		r.tab.base = s.URL
		return err
	}
	if err := start("empty"); err != nil {
		return err
	}
	if err := r.each(empty()); err != nil {
		return err
	}
	s.Stop()
	secret, line, err := token.New("reader", token.Query, rand.Reader)
	if err != nil {
		return err
	}
	list := filepath.Join(filepath.Dir(s.Data), "tokens")
	if err := os.WriteFile(list, []byte(line+"\n"), 0o600); err != nil {
		return err
	}
	if err := start("closed", "--tokens", list); err != nil {
		return err
	}
	if err := r.each(closed(secret.Reveal())); err != nil {
		return err
	}
	s.Stop()
	for _, shot := range down() {
		if !r.wanted(shot) {
			continue
		}
		if err := errors.Join(start("down"), r.tab.as(looks[0]), r.tab.goTo(shot)); err != nil {
			return err
		}
		s.Stop()
		if err := r.tab.until(`document.querySelector(".facts")?.textContent.includes("does not answer") || document.querySelector(".board-state")?.dataset.state === "stale"`); err != nil {
			return err
		}
		for _, l := range looks {
			if err := errors.Join(r.tab.as(l), r.take(shot, l)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) wanted(s shot) bool {
	return r.pattern.MatchString(s.name) && (r.all != "" || len(s.kept) > 0)
}

// each takes the pictures of a list; one that fails is named, and the others are taken.
func (r *run) each(list []shot) error {
	var failed []error
	for _, s := range list {
		for _, l := range looks {
			if !r.wanted(s) || r.all == "" && !slices.Contains(s.kept, l.name) {
				continue
			}
			var err error
			if s.first != nil {
				err = s.first()
			}
			err = errors.Join(err, r.tab.as(l), r.tab.goTo(s))
			if err == nil && s.then != nil {
				err = s.then(r.tab)
			}
			err = errors.Join(err, r.take(s, l))
			if err != nil {
				failed = append(failed, fmt.Errorf("%s, %s: %w", s.name, l.name, err))
			}
			if r.ctx.Err() != nil {
				return r.ctx.Err()
			}
		}
	}
	return errors.Join(failed...)
}

// goTo opens a page in a browser that remembers nothing.
func (t *tab) goTo(s shot) error {
	if _, err := url.Parse(t.base + s.path); err != nil {
		return err
	}
	err := t.do(chromedp.Navigate(t.base + "/ui/icon.svg"))
	if err == nil {
		_, err = chromedp.Run(t.ctx, chromedp.Evaluate[bool](`(localStorage.clear(), sessionStorage.clear(), true)`))
	}
	if err == nil {
		err = t.do(chromedp.Navigate(t.base + s.path))
	}
	if err == nil {
		err = t.until("Boolean(" + s.ready + ")")
	}
	return err
}

// take writes a picture.
func (r *run) take(s shot, l look) error {
	if err := r.tab.still(); err != nil {
		return err
	}
	if wide, err := chromedp.Run(r.tab.ctx, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); err != nil {
		return err
	} else if wide {
		fmt.Fprintf(r.out, "%s, %s: wider than the screen\n", s.name, l.name)
	}
	picture, err := r.tab.picture(!s.screen)
	if err != nil {
		return err
	}
	small, err := shrink(picture)
	if err != nil {
		return err
	}
	name := s.name + "-" + l.name + ".png"
	fmt.Fprintf(r.out, "%-40s %4d KiB\n", name, (len(small)+1023)/1024)
	return os.WriteFile(filepath.Join(r.folder(), name), small, 0o644)
}
