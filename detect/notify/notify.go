// Package notify delivers alerts: durable, signed, retried, at least once.
//
// One notification: detect calls Enqueue inside the transaction that stores
// the transition, so both become durable together and before the first
// attempt. When the transaction commits, the notification joins the queue of
// each of its receivers. A dispatcher per receiver starts attempts, at most
// four at once and one per incident. An answer makes room for the next attempt
// at once; its outcome is stored together with others that come meanwhile
// (ledger.go), and then the next state of that incident may go. A receiver that
// hangs delays nobody else.
//
// What is sent for an incident is its newest state: a firing that waits while
// its resolve arrives is dropped in favour of the resolve, and both are dropped
// if nothing of the firing can have been accepted. A receiver therefore never
// sees a resolve before its firing.
//
// A receiver gets so many notifications a minute. What begins beyond that is
// counted in a summary: at once, and before all others, when one transaction
// brings more than the limit (enqueue.go), and after a few seconds of waiting for
// company otherwise (queue.go).
//
// Alerts of a group are told together (group.go), in one message where the kind of
// the receiver allows it; what was attempted together is attempted again together.
//
// Repeats come from retries and from a crash between an acceptance and its
// record; they carry the same webhook-id, Idempotency-Key and body. The message of a
// group may leave out on a retry what has ended meanwhile.
//
// Locks: Service.admin, then a database transaction, then Service.mu, then
// channel.mu, and ledger.mu alone. All but the first two are held for moments
// only, and never across I/O or another transaction.
package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/store/clock"
)

// Options configure a Service.
type Options struct {
	DB    *bbolt.DB   // required; holds receivers, outbox, attempts
	Clock clock.Clock // required
	// Transport sends requests; nil is a plain HTTP/1.1 client behind the
	// egress guard, with no proxy and no decompression.
	Transport http.RoundTripper
	// Dial connects to mail servers; nil does so behind the egress guard.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// RootCAs are who the certificates of receivers may be from; nil is the system's.
	RootCAs *x509.CertPool
	// EgressAllow opens address ranges, with every port, that are closed by
	// default. Metadata services stay closed.
	EgressAllow []netip.Prefix
	// Resolver looks up the names of receivers, new ones and at every connection; nil
	// is the system's.
	Resolver Resolver
	Log      zerolog.Logger
	// Rand returns a number in [0,1) for the jitter of retries; nil is random.
	Rand func() float64
	// Link is where the web pages are, such as http://127.0.0.1:7101; may be empty.
	Link string
	// PerMinute is how many notifications a receiver gets in any minute before
	// the rest is summed up; 0 is 60.
	PerMinute int
	// QueueLimit and QueueBytes bound the queue of a receiver; 0 is 10,000 and
	// 16 MiB. What is over goes to the dead letters, oldest first.
	QueueLimit, QueueBytes int
	// BreakerAfter is how many failures in a row show that a host is down; 0 is 5.
	// Then it is probed after BreakerFirst, a pause that doubles up to BreakerMost; 0 is
	// 5 s and 1 min.
	BreakerAfter              int
	BreakerFirst, BreakerMost time.Duration
	// FailingAfter is for how long a notification is attempted in vain before the other
	// receivers are told; 0 is 5 min.
	FailingAfter time.Duration
	// Judged says when alerts were last judged and stored, and through what time nothing
	// that is due is left to judge, both Unix ms, 0: not yet. It must not block. Nil:
	// heartbeats are not sent.
	Judged func() (at, through int64)
}

func (o *Options) defaults() error {
	if o.DB == nil || o.Clock == nil {
		return errors.New("notify: DB and Clock are required")
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	if o.PerMinute == 0 {
		o.PerMinute = 60
	}
	if o.QueueLimit == 0 {
		o.QueueLimit = 10_000
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 16 << 20
	}
	if o.BreakerAfter == 0 {
		o.BreakerAfter = 5
	}
	if o.BreakerFirst == 0 {
		o.BreakerFirst = 5 * time.Second
	}
	if o.BreakerMost == 0 {
		o.BreakerMost = time.Minute
	}
	if o.FailingAfter == 0 {
		o.FailingAfter = 5 * time.Minute
	}
	if o.PerMinute < 0 || o.QueueLimit < 0 || o.QueueBytes < 0 || o.BreakerAfter < 0 {
		return errors.New("notify: PerMinute, QueueLimit, QueueBytes and BreakerAfter must not be negative")
	}
	if o.BreakerFirst < time.Millisecond || o.BreakerMost < o.BreakerFirst {
		return errors.New("notify: BreakerFirst must be 1 ms or more, and BreakerMost no less")
	}
	return nil
}

// Service keeps receivers and delivers notifications to them. It is safe for
// concurrent use.
type Service struct {
	o     Options
	guard *guard
	send  http.RoundTripper
	stats counters
	hosts breakers

	admin    sync.Mutex // one change of receivers at a time
	released bool       // what came from files may be changed

	mu       sync.Mutex
	channels map[string]*channel
	run      *running // nil while Run is not under way
	history  *history

	ledger  ledger
	watched chan struct{} // capacity 1: the watch looks at the receivers
}

// running is what a dispatcher needs of the Run that started it.
type running struct {
	ctx      context.Context // ends when no attempt may begin
	attempts context.Context // ends when attempts under way must end
	group    sync.WaitGroup
}

// channel is a receiver and its queue.
type channel struct {
	name string
	wake chan struct{} // capacity 1
	stop chan struct{} // closed when the receiver is deleted

	mu       sync.Mutex
	receiver Receiver
	owner    owner
	queue    *queue
	state    deliveryState
	failing  *Failing // nil: it does not
	troubled int64    // when it was seen to, Unix ms
	beat     beats
	vain     vain
	plans    uint64 // how often its dispatcher has looked after the queue
}

// deliveryState is what the last attempts of a receiver showed.
type deliveryState struct {
	lastAttempt  int64 // Unix ms, 0 = none
	lastStatus   int
	lastError    string
	lastAccepted int64 // Unix ms of the last attempt that was
}

// saw notes what came of an attempt.
func (d *deliveryState) saw(now int64, status int, err string, taken bool) {
	d.lastAttempt, d.lastStatus, d.lastError = now, status, err
	if taken {
		d.lastAccepted = now
	}
}

// counters count over all receivers since the start.
type counters struct {
	enqueued, attempts, accepted, retried, buried, superseded, neverSent, toldAgain, folded, overflowed, unrouted, heartbeats, dbErrors atomic.Int64
}

// New returns a Service with the receivers and pending notifications of the
// database. Nothing is sent before Run.
func New(o Options) (*Service, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	s := &Service{o: o, guard: newGuard(o.EgressAllow), send: o.Transport, channels: make(map[string]*channel), watched: make(chan struct{}, 1)}
	s.hosts = breakers{byHost: make(map[string]*breaker), at: make(map[string]string), rules: breakerRules{
		after: o.BreakerAfter, first: o.BreakerFirst, most: o.BreakerMost, random: o.Rand, log: o.Log}}
	if s.send == nil {
		s.send = s.dialer(s.guard).transport()
	}
	if err := o.DB.Update(s.load); err != nil {
		return nil, fmt.Errorf("open outbox: %w", err)
	}
	s.storeGuesses()
	return s, nil
}

// storeGuesses stores which beginnings may have been attempted before an unclean end,
// since the next end may be a clean one. When that fails, it will not be.
func (s *Service) storeGuesses() {
	guessed := map[*channel][]*item{}
	for _, c := range s.channels {
		for _, it := range c.queue.items {
			if it.guessed {
				guessed[c] = append(guessed[c], it)
			}
		}
	}
	if len(guessed) == 0 {
		return
	}
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		for c, list := range guessed {
			b, _ := boxOf(tx, c.name)
			for _, it := range list {
				if err := b.put(it); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		s.databaseFailed("store what may have been attempted", err)
		return
	}
	for _, list := range guessed {
		for _, it := range list {
			it.guessed = false
		}
	}
}

// load reads everything from the database.
func (s *Service) load(tx *bbolt.Tx) error {
	if err := createBuckets(tx); err != nil {
		return err
	}
	root := tx.Bucket(keyRoot)
	clean := root.Get(keyClean) != nil
	err := root.Bucket(keyReceivers).ForEach(func(name, src []byte) error {
		r, err := decodeReceiver(src)
		if err != nil {
			return err
		}
		c, err := s.loadChannel(tx, r, clean)
		if err != nil {
			return err
		}
		s.channels[r.Name] = c
		return nil
	})
	if err != nil {
		return err
	}
	s.history, err = loadHistory(root.Bucket(keyAttempts))
	if err == nil {
		s.recall()
	}
	return err
}

// recall has receivers know what their last attempts of before the start came to.
func (s *Service) recall() {
	for _, seq := range s.history.order {
		a := s.history.at(seq)
		if c := s.channels[a.Receiver]; c != nil && a.Number > 0 {
			c.state.saw(a.T, a.Status, a.Error, a.Outcome == OutcomeAccepted)
		}
	}
}

// loadChannel builds the channel of r with its queue from the database.
func (s *Service) loadChannel(tx *bbolt.Tx, r Receiver, clean bool) (*channel, error) {
	b, ok := boxOf(tx, r.Name)
	if !ok {
		return nil, fmt.Errorf("outbox of receiver %s is missing", r.Name)
	}
	if b.members == nil || b.groups == nil || b.counted == nil { // an older release wrote it
		if err := createBox(tx, r.Name); err != nil {
			return nil, err
		}
		b, _ = boxOf(tx, r.Name)
	}
	items, open, err := b.load(clean)
	if err != nil {
		return nil, err
	}
	c := s.newChannel(r)
	q := c.queue
	q.open = open
	groups, err := b.loadGroups()
	if err != nil {
		return nil, err
	}
	for id, r := range groups {
		q.know(id, r)
	}
	members, err := b.loadMembers()
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		q.keep(m)
	}
	for _, it := range items {
		q.insert(it)
	}
	if err := b.loadCounted(tx, q); err != nil {
		return nil, err
	}
	if c.failing, err = failingOf(tx, r.Name); err != nil {
		return nil, err
	}
	from, err := ownerOf(tx, r.Name)
	c.own(from)
	return c, err
}

func (s *Service) newChannel(r Receiver) *channel {
	q := newQueue(s.o.QueueLimit, s.o.QueueBytes, s.o.PerMinute)
	q.serve(&r, s.hosts.of(&r))
	return &channel{name: r.Name, receiver: r, queue: q, wake: make(chan struct{}, 1), stop: make(chan struct{})}
}

// Run delivers until ctx ends, then lets attempts under way finish for a few
// seconds and returns when everything has stopped. It must not run twice at
// once.
func (s *Service) Run(ctx context.Context) error {
	if err := s.setClean(false); err != nil {
		return err
	}
	again := s.lookAtAll() // before anything is sent: what it has to tell goes along
	attempts, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	run := &running{ctx: ctx, attempts: attempts}
	s.mu.Lock()
	if s.run != nil {
		s.mu.Unlock()
		return errors.New("notify: Run is already under way")
	}
	s.run = run
	for _, c := range s.channels {
		s.dispatchIn(run, c)
	}
	run.group.Go(func() { s.watch(run, again) })
	s.mu.Unlock()

	<-ctx.Done()
	s.mu.Lock()
	s.run = nil // no dispatcher may join any more
	s.mu.Unlock()
	stopped := make(chan struct{})
	go func() { run.group.Wait(); close(stopped) }()
	select {
	case <-stopped:
	case <-s.o.Clock.After(stopGrace):
		cancel()
		<-stopped
	}
	s.persist("store outcomes of attempts", nil, nil)
	if !s.certain() {
		return nil
	}
	return s.setClean(true)
}

// certain reports whether the database knows of all attempts that were made.
func (s *Service) certain() bool {
	s.ledger.mu.Lock()
	owed := len(s.ledger.owed)
	s.ledger.mu.Unlock()
	if owed > 0 {
		return false
	}
	for _, c := range s.sorted() {
		if c.guesses() {
			return false
		}
	}
	return true
}

// guesses reports whether the queue takes anything for attempted that was perhaps
// not, because of an unclean end before.
func (c *channel) guesses() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.queue.items, func(it *item) bool { return it.guessed }) ||
		slices.ContainsFunc(c.queue.drops, func(d drop) bool { return d.it.guessed })
}

func (s *Service) dispatchIn(run *running, c *channel) {
	run.group.Go(func() { s.dispatch(run, c) })
}

func (s *Service) setClean(clean bool) error {
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		if clean {
			return tx.Bucket(keyRoot).Put(keyClean, []byte{1})
		}
		return tx.Bucket(keyRoot).Delete(keyClean)
	})
	if err != nil {
		return fmt.Errorf("mark outbox: %w", err)
	}
	return nil
}

// Wake makes every dispatcher look at its queue.
func (s *Service) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.channels {
		c.poke()
	}
}

func (c *channel) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (s *Service) channel(name string) *channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channels[name]
}
