package conformance

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/ingest"
	"pulse/query"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/clock"
	"pulse/web"
)

// sites opens servers. They keep nothing in their database, so all share one.
type sites struct {
	t       *testing.T
	db      *bbolt.DB
	closing sync.WaitGroup
}

func newSites(t *testing.T) *sites {
	db, err := bbolt.Open(filepath.Join(t.TempDir(), "state.db"), 0o600, &bbolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &sites{t: t, db: db}
	t.Cleanup(func() {
		s.closing.Wait()
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// site is a whole server on a port of its own, whose clock stands still.
type site struct {
	url      string
	clock    *clock.Manual
	store    *store.Store
	pipeline *ingest.Pipeline
	server   *web.Server
	client   *http.Client
	served   chan error
}

// open starts a server. relaxed turns the rules about tags off.
func (all *sites) open(o store.Options, relaxed bool, now time.Time) (s *site, err error) {
	s = &site{clock: clock.NewManual(now), client: &http.Client{Transport: &http.Transport{}}, served: make(chan error, 1)}
	if s.store, err = store.New(o); err != nil {
		return nil, err
	}
	s.pipeline = ingest.New(s.store, ingest.Options{RelaxedTags: relaxed})
	log := zerolog.Nop()
	out, err := notify.New(notify.Options{DB: all.db, Clock: s.clock, Log: log})
	if err != nil {
		return nil, err
	}
	hub := stream.NewHub(s.store)
	rules, err := detect.New(detect.Options{Store: s.store, Hub: hub, DB: all.db, Notify: out, Clock: s.clock, Log: log})
	if err != nil {
		return nil, err
	}
	s.server, err = web.New(web.Options{
		Store: s.store, Pipeline: s.pipeline, Query: query.New(s.store, query.Options{}), Hub: hub,
		Detect: rules, Notify: out, Clock: s.clock, Log: log,
	})
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.url = "http://" + listener.Addr().String()
	go func() { s.served <- s.server.Serve(listener) }()
	return s, nil
}

// close ends a server in the background: it takes a while until its last
// connection is seen to be gone.
func (all *sites) close(s *site) {
	s.client.CloseIdleConnections()
	all.closing.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := errors.Join(s.server.Shutdown(ctx), <-s.served); err != nil {
			all.t.Error(err)
		}
	})
}

// reply is an answer, read whole.
type reply struct {
	status int
	body   []byte
}

func (s *site) do(method, path string, query url.Values, header http.Header, body []byte) (reply, error) {
	target := s.url + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequest(method, target, strings.NewReader(string(body)))
	if err != nil {
		return reply{}, err
	}
	if header != nil {
		request.Header = header
	}
	response, err := s.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, text}, err
}
