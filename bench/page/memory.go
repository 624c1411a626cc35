package main

import (
	"fmt"
	"net/url"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/memory"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// openKept opens a page that goes on: Explore with all lines, or the board with as many
// panels as it has at once.
func (b *bench) openKept(page string) error {
	if err := b.do(chromedp.EmulateViewport(1440, 900), chromedp.Navigate("about:blank")); err != nil {
		return err
	}
	if page == "explore" {
		if err := b.do(chromedp.Navigate(b.address(all, "range", "5m"))); err != nil {
			return err
		}
		return b.until(`document.querySelector(".live")?.title.startsWith("following") && bench.lines === %d && bench.frames > 3`, lines)
	}
	v := url.Values{"range": {"5m"}, "off": {"off"}}
	for i := range panels {
		v.Add("p", fmt.Sprintf("q:name,page.load,:eq,line,%03d,:eq,:and,:sum", i))
	}
	if err := b.do(chromedp.Navigate(b.url + "/board?" + v.Encode())); err != nil {
		return err
	}
	return b.until(`document.querySelectorAll(".board-panel[data-live=true]").length === %d && bench.frames > 3`, panels)
}

// goOn measures what a page holds as it goes on, after collections of its heap.
func (b *bench) goOn(page string) error {
	if b.stay == 0 {
		return nil
	}
	if err := b.openKept(page); err != nil {
		return err
	}
	const looks = 6
	b.say("\nMemory, %s going on for %s; the range of 5 min is full all the time", map[string]string{"explore": fmt.Sprintf("Explore with %d lines", lines), "board": fmt.Sprintf("the board with %d panels", panels)}[page], b.stay)
	var heap []float64
	for i := range looks + 1 {
		if _, err := chromedp.Call(b.ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			return err
		}
		use, err := chromedp.Call(b.ctx, runtime.GetHeapUsage, cdp.Empty{})
		if err != nil {
			return err
		}
		dom, err := chromedp.Call(b.ctx, memory.GetDOMCounters, cdp.Empty{})
		if err != nil {
			return err
		}
		heap = append(heap, (use.UsedSize+use.BackingStorageSize)/(1<<20))
		b.say("  after %5s  heap %6.2f MiB  %5d nodes  %4d listeners", (b.stay * time.Duration(i) / looks).Round(time.Second), heap[i], dom.Nodes, dom.JsEventListeners)
		if i < looks {
			if err := b.rest(b.stay / looks); err != nil {
				return err
			}
		}
	}
	b.figure("growth from the second look to the last", max(0, heap[looks]-heap[1]), 1, "MiB")
	return nil
}
