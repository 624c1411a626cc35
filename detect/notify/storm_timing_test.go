package notify_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/notify"
	"pulse/detect/secret"
)

// BenchmarkDelivery stores the alerts of a step for twenty receivers of one host and
// sends them: from the beginning of the transaction until the last has arrived.
func BenchmarkDelivery(b *testing.B) {
	const receivers = 20
	for _, each := range []int{5, 500} {
		b.Run(fmt.Sprintf("each=%d", each), func(b *testing.B) {
			var left atomic.Int64
			done := make(chan struct{})
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
				if left.Add(-1) == 0 {
					done <- struct{}{}
				}
			}))
			defer server.Close()
			db, err := bbolt.Open(filepath.Join(b.TempDir(), "state.db"), 0o600, nil)
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			c := &farClock{}
			svc, err := notify.New(notify.Options{DB: db, Clock: c, EgressAllow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Log: zerolog.Nop()})
			if err != nil {
				b.Fatal(err)
			}
			for i := range receivers {
				if err := svc.PutReceiver(notify.Receiver{Name: fmt.Sprint("r", i), URL: secret.NewURL(fmt.Sprintf("%s/%d", server.URL, i))}); err != nil {
					b.Fatal(err)
				}
			}
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- svc.Run(ctx) }()
			list := make([]notify.Notification, 0, receivers*each)
			for round := 0; b.Loop(); round++ {
				c.minutes.Add(2)
				list = list[:0]
				for i := range receivers * each {
					n := firing(fmt.Sprintf("i%d-%d", round, i))
					n.Notify = []string{fmt.Sprint("r", i%receivers)}
					list = append(list, n)
				}
				left.Store(receivers * int64(min(each, 61)))
				if err := db.Update(func(tx *bbolt.Tx) error { return errors.Join(svc.EnqueueAll(tx, list)...) }); err != nil {
					b.Fatal(err)
				}
				<-done
			}
			cancel()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	}
}

// farClock is the clock, so many minutes ahead.
type farClock struct {
	bubbleClock
	minutes atomic.Int64
}

func (c *farClock) Now() time.Time {
	return c.bubbleClock.Now().Add(time.Duration(c.minutes.Load()) * time.Minute)
}
