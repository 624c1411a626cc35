package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"
	bberrors "go.etcd.io/bbolt/errors"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/ingest"
	"pulse/query"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/budget"
	"pulse/store/clock"
	"pulse/store/disk"
	"pulse/web"
)

const (
	shutdownTime = 15 * time.Second
	lockTime     = 2 * time.Second // how long to wait for another process to leave the data folder
	lockPoll     = 100 * time.Millisecond
)

// server is a running server: everything that start opened, in the order in
// which wait closes it.
type server struct {
	web     *web.Server
	store   *store.Store
	detect  *detect.Engine
	notify  *notify.Service
	db      *bbolt.DB
	clock   clock.Clock
	data    string // the data folder, "" when the store lives in memory
	backups sync.Mutex
	scratch string // a folder to remove at the end, "" when there is none
	log     zerolog.Logger
	memory  *budget.Memory

	ctx    context.Context // the caller's: its end starts the shutdown
	stop   context.CancelFunc
	work   sync.WaitGroup // loops that end with stop
	failed chan error     // the first loop that could not go on
}

// start opens every part on ln and starts its loops. On an error nothing is
// left open but ln.
func (c *serveCmd) start(ctx context.Context, ln net.Listener, clk clock.Clock, log zerolog.Logger) (s *server, err error) {
	s = &server{log: log, clock: clk, ctx: ctx, failed: make(chan error, 8), memory: budget.Split(int64(c.Memory))}
	defer func() {
		if err == nil {
			return
		}
		s.closeFiles()
		if ctx.Err() != nil { // interrupted: what went wrong matters to nobody
			err = ctx.Err()
		}
	}()
	if err := c.openData(s, clk); err != nil {
		return s, err
	}
	hub := stream.NewHub(s.store)
	hub.Within(s.memory.Streams)
	if err := c.openDetect(s, hub, c.base(ln)); err != nil {
		return s, err
	}
	guard, err := c.GuardFlags.open(log)
	if err != nil {
		return s, err
	}
	files := c.reloads(s, guard)
	o := c.webOptions(s, hub)
	started := make(chan struct{})
	o.Loaded = func() bool { return isClosed(started) }
	if !files.nothing() {
		o.Reload, o.LastReload = func() error { return files.all(onRequest) }, files.state
	}
	o.Tokens, o.TLS, o.Origins = guard.tokens.Load, guard.encryption(), c.AllowOrigin
	if s.web, err = web.New(o); err != nil {
		return s, err
	}
	loops, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.loop("hangup", func() error { return files.onHangup(loops, started) })
	s.loop("memory", func() error { return s.limitHeap(loops) })
	s.loop("web", func() error { return s.web.Serve(ln) }) // health is answered while the rest is brought back
	if err := s.recover(ctx, o.Pipeline); err != nil {
		return s, errors.Join(err, s.close())
	}
	if err := files.read(atStart, false, true); err != nil {
		return s, errors.Join(err, s.close())
	}
	s.loop("guard", func() error {
		return guard.watch(loops, clk.After, func() error { return files.read(onChange, true, false) })
	})
	s.loop("rules", func() error { return files.watch(loops) })
	close(started)
	s.run(loops)
	return s, nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// openDetect opens what judges and what tells, which read their state.
func (c *serveCmd) openDetect(s *server, hub *stream.Hub, base string) error {
	allow, err := c.egress()
	if err != nil {
		return err
	}
	log := func(part string) zerolog.Logger { return s.log.With().Str("component", part).Logger() }
	if s.notify, err = notify.New(notify.Options{DB: s.db, Clock: s.clock, EgressAllow: allow, Log: log("notify"), Link: base,
		Judged: func() (at, through int64) { return s.detect.Judged() }}); err != nil { // which is there before anything is sent
		return err
	}
	s.detect, err = detect.New(detect.Options{
		Store: s.store, Hub: hub, DB: s.db, Notify: s.notify, Clock: s.clock,
		Log: log("detect"), Grace: c.Grace.ms(), MaxGroups: c.MaxRuleGroups, BaseURL: base,
		Marks: s.store, Replay: true, Receivers: s.notify.Names,
	})
	return err
}

// run starts the loops of the parts, which end with ctx.
func (s *server) run(ctx context.Context) {
	s.loop("store", func() error { return s.age(ctx) })
	s.loop("detect", func() error {
		if _, manual := s.clock.(*clock.Manual); manual { // whoever moves the clock advances the engine
			<-ctx.Done()
			return s.detect.Close()
		}
		return s.detect.Run(ctx, s.clock)
	})
	s.loop("notify", func() error { return s.notify.Run(ctx) })
	s.loop("own metrics", func() error { return s.web.RunOwnMetrics(ctx) })
}

func (c *serveCmd) storeOptions(memory *budget.Memory) store.Options {
	cache := min(int64(c.QueryCache), memory.Total/8)
	if cache < leastCache {
		cache = 0
	}
	return store.Options{
		Memory: memory.Series, Cache: cache,
		Tiers: c.Tiers.store(), MaxPast: c.MaxAge.ms(), MaxFuture: c.MaxFuture.ms(),
		MaxSeries: c.MaxSeries, NewSeriesRate: float64(c.NewSeriesRate), NewSeriesBurst: float64(10 * c.NewSeriesRate), MaxValuesPerKey: c.MaxValuesPerKey, MaxKeys: c.MaxKeys, MaxPairs: c.MaxPairs,
	}
}

func (c *serveCmd) webOptions(s *server, hub *stream.Hub) web.Options {
	zone, _ := time.LoadLocation(c.Timezone) // checked by complete
	var backup func(context.Context) (string, error)
	if s.data != "" {
		backup = s.backup
	}
	return web.Options{
		Store: s.store, Detect: s.detect, Notify: s.notify, Hub: hub, Clock: s.clock, Zone: zone, Version: version, Backup: backup, Memory: s.memory,
		Log:      s.log.With().Str("component", "web").Logger(),
		Pipeline: ingest.New(s.store, ingest.Options{Budget: s.memory.Ingest, Limits: ingest.Limits{Body: int(c.MaxExpanded), Points: c.MaxPoints, ImportBody: int(c.MaxImportBody), Keys: c.MaxRepeatable}}),
		Query: query.New(s.store, query.Options{Clock: s.clock, Memory: s.memory.Queries, Limits: query.Limits{
			Lines: c.MaxLines, DatapointsRead: int64(c.MaxDatapoints), Time: time.Duration(c.QueryTimeout), MemoryBytes: int64(c.MaxQueryMemory),
		}}),
		Hosts: c.Host, AnyHost: !c.loopback(),
		MaxBody: int(c.MaxBody), MaxImportBody: int(c.MaxImportBody), MaxBodies: int(c.MaxBodies), MaxHeader: int(c.MaxHeader),
		HeaderTimeout: time.Duration(c.HeaderTimeout), RequestTimeout: time.Duration(c.RequestTimeout),
		WriteTimeout: time.Duration(c.WriteTimeout), IdleTimeout: time.Duration(c.IdleTimeout),
		MaxConns: c.MaxConns, MaxConnsPerAddr: c.MaxConnsPerAddr,
		QueryTimeout: time.Duration(c.QueryTimeout), Streams: c.MaxStreams,
	}
}

// openData opens the data folder: the store, and the database of rules,
// receivers, alert state and outbox. Without a folder the store lives in memory
// and the database in a scratch folder that ends with the process.
func (c *serveCmd) openData(s *server, clk clock.Clock) (err error) {
	dir, o := c.Data, c.storeOptions(s.memory)
	if dir == "" {
		if s.store, err = store.New(o); err != nil {
			return err
		}
		if s.scratch, err = os.MkdirTemp("", "pulse-"); err != nil {
			return err
		}
		dir = s.scratch
	} else {
		if s.store, err = c.openStore(s.ctx, o, clk, s.log); err != nil {
			return fmt.Errorf("--data %s: %w", dir, err)
		}
		s.data = dir
	}
	name := filepath.Join(dir, "state.db")
	s.db, err = bbolt.Open(name, 0o600, &bbolt.Options{Timeout: lockTime})
	if errors.Is(err, bberrors.ErrTimeout) {
		err = fmt.Errorf("%s is in use by another process", name)
	}
	if err == nil && s.data != "" {
		s.makeRoom()
	}
	return err
}

// stateRoom is the space that state.db has on the disk beyond what it holds, so
// that alerts are stored, and told, while the disk is full.
const stateRoom = 4 << 20

// makeRoom gives state.db its space. On a file system that cannot, or has none,
// it goes without.
func (s *server) makeRoom() {
	err := s.db.View(func(tx *bbolt.Tx) error { return reserve(s.db.Path(), tx.Size()+stateRoom) })
	if err != nil {
		s.log.Debug().Err(err).Msg("no space is set aside for alerts")
	}
}

func (c *serveCmd) openStore(ctx context.Context, o store.Options, clk clock.Clock, log zerolog.Logger) (*store.Store, error) {
	if err := privateFolder(c.Data); err != nil {
		return nil, err
	}
	folder, err := disk.Dir(c.Data)
	if err != nil {
		return nil, err
	}
	mode, err := store.ParseDurability(c.Durability)
	if err != nil {
		return nil, err
	}
	d := store.Durable{
		FS: folder, Mode: mode, SyncEvery: time.Duration(c.SyncEvery), SnapshotEvery: time.Duration(c.SnapshotEvery), DiskBytes: int64(c.Disk),
		Clock: clk, Log: log.With().Str("component", "store").Logger(),
	}
	for waited := time.Duration(0); ; waited += lockPoll {
		s, err := store.Open(o, d)
		var locked *disk.LockedError
		if !errors.As(err, &locked) || waited >= lockTime {
			return s, err
		}
		select { // another process may be on its way out
		case <-clk.After(lockPoll):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// privateFolder makes the folder, or closes one that is there, to all but its owner.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// recover brings back what the data folder has, and sets rules and alerts going.
func (s *server) recover(ctx context.Context, pipeline *ingest.Pipeline) error {
	if s.store.Health().Ready { // it lives in memory
		s.detect.Resume(s.clock.Now().UnixMilli())
		return nil
	}
	s.store.OnSnapshot(store.SnapshotHooks{
		Checkpoint: func() error {
			s.makeRoom()
			return s.detect.Checkpoint()
		},
		Notes: pipeline.AppendNotes,
		Restore: func(notes []byte) {
			if err := pipeline.RestoreNotes(notes); err != nil {
				s.log.Error().Err(err).Msg("idempotency keys of the snapshot cannot be read")
			}
		},
	})
	found, err := s.store.Replay(ctx, store.Hooks{Mark: s.detect.ReplayMark, Note: pipeline.Remember})
	if err != nil {
		return err
	}
	e := s.log.Info()
	if found.Damaged > 0 || found.Places > 0 || found.Orphans > 0 {
		e = s.log.Warn().Int("damagedSnapshots", found.Damaged).Int("damagedPlaces", found.Places).Int64("lostRecords", found.Lost).Int64("lostPoints", found.Orphans)
	}
	e.Int("series", found.Series).Int64("records", found.Records).Int64("points", found.Points).Int64("cutBytes", found.CutBytes).Int64("ms", found.TookMs).Msg("data folder read")
	s.detect.Resume(s.clock.Now().UnixMilli())
	return nil
}

// reloads returns what reads files again. Without --rules nothing comes from rule
// files any more.
func (c *serveCmd) reloads(s *server, g *guard) *reloads {
	r := &reloads{guard: g, clock: s.clock, log: s.log}
	if c.Rules == "" {
		s.detect.ReleaseFiles()
		s.notify.ReleaseFiles()
		return r
	}
	r.rules = &ruleFiles{glob: c.Rules, engine: s.detect, out: s.notify, clock: s.clock, log: s.log}
	return r
}

// loop runs f until the shutdown; a failure ends the server.
func (s *server) loop(name string, f func() error) {
	s.work.Add(1)
	go func() {
		defer s.work.Done()
		if err := f(); err != nil && !errors.Is(err, context.Canceled) {
			s.failed <- fmt.Errorf("%s: %w", name, err)
		}
	}()
}

// longestAge is the time after which the store is told the time whatever its step:
// each time it packs and seals a few partitions, and what waits for that takes
// memory.
const longestAge = 10 * time.Second

// age lets the store seal and expire as time passes.
func (s *server) age(ctx context.Context) error {
	every := min(max(time.Duration(s.store.Step())*time.Millisecond, 100*time.Millisecond), longestAge)
	for {
		s.store.Advance(s.clock.Now().UnixMilli()) // at the start, too: imports must find what the tiers keep
		select {
		case <-s.clock.After(every):
		case <-ctx.Done():
			return nil
		}
	}
}

// wait blocks until the caller's context ends or a part fails, and then closes
// everything: no new requests, the ones in flight finish, loops end, files close.
func (s *server) wait() error {
	var err error
	select {
	case <-s.ctx.Done():
		s.log.Info().Msg("shutting down")
	case err = <-s.failed:
	}
	return errors.Join(err, s.close())
}

func (s *server) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	err := s.web.Shutdown(ctx)
	s.stop()
	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-ctx.Done():
		err = errors.Join(err, errors.New("some part did not stop in time"))
	}
	return errors.Join(err, s.closeFiles())
}

func (s *server) closeFiles() error {
	var err error
	if s.store != nil {
		err = s.store.Close()
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.scratch != "" {
		err = errors.Join(err, os.RemoveAll(s.scratch))
	}
	return err
}
