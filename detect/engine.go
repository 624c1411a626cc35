// Package detect judges streams step by step and pages people: rules, the
// engine that closes steps, and the life of an alert from its first step out of
// band to its resolve.
//
// One alert. Every rule has a stream over its expression (query/stream). When a
// step closes (running.go says when), the stream computes the step's lines from
// the store's closed columns, judge.go feeds each group's value to its
// detector, and detect/alert turns verdicts into changes (settle.go). All changes
// of one step, with their notifications, are one transaction (journal.go), and
// only then the outbox is woken.
//
// Time is an argument: Advance does everything that is due at now, in order of
// time, and says when to come back. Run paces it with a clock.
//
// Closes are marked in the log of the store (marks.go), so that a restart brings
// every detector to where it was and judges nothing twice.
//
// Locks: Engine.mu is held over Advance and over changes of rules, including
// their transaction. Band and the single alert's points read history without it.
package detect

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect/route"
	"pulse/detect/silence"
	"pulse/query/asl"
	"pulse/query/stream"
	"pulse/store"
	"pulse/store/clock"
)

// Options say what an Engine works on.
type Options struct {
	Store  *store.Store // required
	Hub    *stream.Hub  // required
	DB     *bbolt.DB    // required; holds rules, alert state and detector states
	Notify Outbox       // required
	Clock  clock.Clock  // required; measures cost, and tells a restart what time it is
	Log    zerolog.Logger
	// Grace is how long late sources are waited for, in ms, where a rule says
	// nothing; 0 is one primary step, at least 100 ms.
	Grace int64
	// MaxGroups is how many groups of a rule are judged, at most a million; 0 is
	// 50,000.
	MaxGroups int
	// BaseURL is where the web pages are, such as http://127.0.0.1:7101; links
	// in notifications begin with it.
	BaseURL string
	// Marks is the log that closes are marked in; nil: none.
	Marks Log
	// Receivers returns the names of all receivers: routes and rules may name no others.
	// nil: any.
	Receivers func() []string
	// Replay says that Resume will be called, after ReplayMark was given every
	// mark that the log has.
	Replay bool
	// CheckpointBytes bounds the detector states kept in memory for bands; 0 is
	// 32 MiB.
	CheckpointBytes int
}

// ErrUnknownRule is returned for an id that no rule has, ErrUnknownAlert for
// one that no incident has, ErrClosed after Close.
var (
	ErrUnknownRule  = errors.New("unknown rule")
	ErrUnknownAlert = errors.New("unknown alert")
	ErrClosed       = errors.New("detect engine is closed")
	// ErrNotStored says that the database could not be written now.
	ErrNotStored = errors.New("alert state cannot be stored now")
)

// Engine owns the rules and their alerts. It is safe for concurrent use.
type Engine struct {
	o        Options
	step     int64 // primary, ms
	compiler compiler
	wake     chan struct{}

	mu          sync.Mutex
	closed      bool
	rules       map[string]*running
	order       []*running // by id
	owners      map[string]*owner
	circle      []*owner // all of them, by name
	queue       []*owner // scratch of takeTurn
	gathered    int64    // now of the last gather
	worked      int64    // ns that the last Advance spent on closes
	round       stream.Round
	journal     *journal
	silences    *silence.Store
	reviewed    reviewed
	routing     routing
	router      *route.Router        // of it
	inhibitor   *route.Inhibitor     // nil without inhibit rules
	begun       []begun              // in the current turn, undecided
	held        map[string]*incident // by id: open ones that somebody is to be told of, now or again, or has not been told of yet
	retractable []*incident          // of a review: told to groups that may wait, and held back by now
	sourceEnded int64                // when the last alert ended that may have held back others
	routingMu   sync.Mutex           // over changes of routing and of whom rules name; before mu
	swept       int64                // when silences were last forgotten
	entry       entry                // what the current step writes; kept and retried when that fails
	now         int64                // of the last Advance
	kept        checkpointBudget
	saves       saves
	seed        maphash.Seed           // of sums of states
	doubted     map[*running]candidate // live states to be compared with what history gives
	verified    int                    // detector steps spent on that at the current time
	explained   int                    // alerts of the current step whose contributors were sought
	scanned     int64                  // datapoints read for them
	failing     bool                   // the last commit failed
	unlogged    bool                   // the log has not taken the last mark
	unstored    bool                   // Close could not store what it should have
	stats       Stats
	broken      map[string]brokenRule
	released    bool                   // what came from files may be changed
	resumed     bool                   // the replay is over
	asleep      map[string][]*incident // open incidents by rule, until Resume
	lastMarks   map[string]int64       // marks of the database by rule, until Resume
	ended       map[string]bool        // incidents that the database has as ended, in Resume
	turn        int                    // how often the clock was set back
	unread      int                    // marks that could not be read, until Resume, and
	unreadErr   error                  // why the first could not
	closing     []*running             // rules that close a step in the current turn
	puttingOff  []*running             // rules that put their step off in it
	planned     int64                  // ns that closing is expected to take
	markScratch []byte
	loose       []*incident // open incidents of rules that could not be started again
	whys        whys
	crew        crew
	judged      judged
}

// New returns an Engine with the rules and alerts of the database. A rule that
// no longer compiles is logged and left in the database, not judged. Nothing is
// judged before the first Advance.
func New(o Options) (*Engine, error) {
	if o.Store == nil || o.Hub == nil || o.DB == nil || o.Notify == nil || o.Clock == nil {
		return nil, errors.New("detect: Store, Hub, DB, Notify and Clock are required")
	}
	step := o.Store.Step()
	if o.Grace == 0 {
		o.Grace = max(step, int64(minGrace))
	}
	if o.Grace < int64(minGrace) || o.Grace > int64(maxGrace) {
		return nil, fmt.Errorf("grace is %s, want %s to %s", Duration(o.Grace), minGrace, maxGrace)
	}
	if o.MaxGroups == 0 {
		o.MaxGroups = defaultGroups
	}
	if o.MaxGroups < 1 || o.MaxGroups > maxGroups {
		return nil, fmt.Errorf("groups of a rule are %d, want 1 to %d", o.MaxGroups, maxGroups)
	}
	if o.CheckpointBytes == 0 {
		o.CheckpointBytes = 32 << 20
	}
	e := &Engine{
		o: o, step: step,
		compiler: compiler{
			interpreter: asl.New(asl.All(), asl.Limits{}), primary: step, grace: o.Grace,
			retention: o.Store.Options().Retention, maxGroups: o.MaxGroups,
		},
		wake:    make(chan struct{}, 1),
		rules:   map[string]*running{},
		owners:  map[string]*owner{},
		doubted: map[*running]candidate{},
		seed:    maphash.MakeSeed(),
		broken:  map[string]brokenRule{},
		kept:    checkpointBudget{limit: o.CheckpointBytes},
		whys:    whys{wake: make(chan struct{}, 1)},
		held:    map[string]*incident{},
	}
	e.saves.most = saveBytes
	journal, stored, err := openJournal(o.DB, o.Notify)
	if err != nil {
		return nil, err
	}
	e.journal = journal
	if err := e.openSilences(); err != nil {
		return nil, err
	}
	if stored.routingErr != nil {
		o.Log.Error().Err(stored.routingErr).Msg("there are no routes, inhibit rules and mutes: every receiver is told")
	}
	e.useRouting(stored.routing)
	e.recall(stored)
	if !o.Replay {
		e.Resume(o.Clock.Now().UnixMilli())
	}
	return e, nil
}

// MaxGroups is how many groups of a rule are judged.
func (e *Engine) MaxGroups() int { return e.o.MaxGroups }

// Wake makes Run look at what is due, because data has arrived. It never blocks.
func (e *Engine) Wake() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// idleMs is how long Run sleeps when nothing is due, minGapMs the least distance
// between two looks however often it is woken.
const (
	idleMs   = 1000
	minGapMs = 2
)

// Run advances the engine by the clock until ctx ends, and then closes it. Wake
// shortens its sleep. Looks are spaced so that those which find nothing take at
// most a quarter of one core.
func (e *Engine) Run(ctx context.Context, c clock.Clock) error {
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		e.recordWhys(ctx, c)
	}()
	e.pace(ctx, c)
	<-recorded
	return e.Close()
}

func (e *Engine) pace(ctx context.Context, c clock.Clock) {
	var timer <-chan time.Time
	var timerAt int64
	for {
		began := c.Now()
		now := began.UnixMilli()
		next, worked := e.advance(now)
		spent := c.Now().Sub(began)
		if next <= now {
			if ctx.Err() != nil {
				return
			}
			continue
		}
		quiet := now + spent.Milliseconds() + max(minGapMs, 3*(spent-worked).Milliseconds())
		for last := now; ; last = now {
			now = c.Now().UnixMilli()
			at := max(next, quiet)
			if now >= at || now < last { // or the clock was set back
				break
			}
			if timer == nil || timerAt > at || timerAt < now {
				timer, timerAt = c.After(time.Duration(at-now)*time.Millisecond), at
			}
			select {
			case <-ctx.Done():
				return
			case <-timer:
				timer = nil
			case <-e.wake:
				next = now // as soon as quiet is over
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// Advance closes the steps that are due at now (Unix ms), in order of time over
// all rules of owners that have not used up their share, and commits the
// transitions of each turn together. It returns when to call again at the latest;
// data that arrives may make a step due earlier. When there is more to do than
// it may take at once, that is now.
func (e *Engine) Advance(now int64) (next int64) {
	next, _ = e.advance(now)
	return next
}

// advance is Advance, and says how much of its time went into closes.
func (e *Engine) advance(now int64) (next int64, worked time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || !e.resumed {
		return now + idleMs, 0
	}
	e.now, e.worked = now, 0
	e.crew.live.Store(true)
	defer e.crew.live.Store(false)
	began := e.o.Clock.Now()
	more := e.review(now)
	e.gather(now)
	for e.takeTurn(now) {
		if e.o.Clock.Now().Sub(began) >= advanceFor && e.backlog(now) {
			e.storeTurn()
			e.noteJudged(now)
			return now, time.Duration(e.worked)
		}
	}
	e.commit() // an earlier failure, or what silences have seen
	e.noteJudged(now)
	e.forgetSilences(now)
	e.verifySome()
	next = min(now+idleMs, e.nextReview())
	if e.saveSome(now) {
		next = now + minGapMs
	}
	if more {
		return now, time.Duration(e.worked)
	}
	for _, r := range e.order {
		at := r.next
		if at <= now {
			at = r.deadline()
		}
		next = min(next, at)
	}
	return max(next, now+1), time.Duration(e.worked)
}

// maxWaiting is how many notifications wait for a database that cannot be
// written before those of alerts that have ended are given up.
const maxWaiting = 10_000

// commit writes what the step changed. When that fails, the entry is kept and
// written with the next one: no transition is lost, and none is sent before it
// is stored.
func (e *Engine) commit() {
	e.decideBegun()
	if e.entry.empty() && !e.silences.Dirty() {
		return
	}
	refused, err := e.journal.commit(&e.entry)
	if err != nil {
		if e.stats.CommitErrors++; !e.failing {
			e.failing = true
			e.o.Log.Error().Err(err).Msg("alert state not stored, will retry at every step")
		}
		if len(e.entry.notes) > maxWaiting {
			e.stats.Unsent += int64(e.entry.giveUpEnded())
		}
		e.entry.shrink(e.journal.places)
		return
	}
	if e.failing {
		e.failing = false
		e.o.Log.Info().Int64("unsent", e.stats.Unsent).Msg("alert state is stored again")
	}
	for _, err := range refused {
		e.stats.Refused++
		e.o.Log.Error().Err(err).Msg("notification refused")
	}
	e.entry.reset()
}

// Close stores every detector's state and ends the streams. The engine does
// nothing afterwards.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil
	}
	e.closed = true
	for _, r := range e.order {
		if r.judged > 0 && r.pending > 0 {
			e.entry.mark(r.c.rule.ID, r.judged)
		}
	}
	err := errors.Join(e.storeLast(), e.flushWhys())
	for _, r := range e.order {
		r.pupil.close()
		r.stream.Close()
	}
	return err
}

// storeLast stores what changed last, and then every state: or the restart stores the
// changes, and does not find them in the states.
func (e *Engine) storeLast() error {
	e.unstored = true
	e.decideBegun()
	if _, err := e.journal.commit(&e.entry); err != nil {
		return err
	}
	e.entry.reset()
	err := e.saveAll()
	e.unstored = err != nil
	return err
}

// Stats are counts since the start.
type Stats struct {
	Rules, Groups           int
	Pending, Firing, NoData int
	Closed                  int64 // steps judged
	Missed                  int64 // of these, judged more than a step too late
	PutOff                  int64 // closes put off for a missing source
	Skipped                 int64 // steps never judged: the server was down or paused for long
	Silenced                int64 // beginnings that nobody was told of at once, since they were silenced
	Inhibited               int64 // beginnings that nobody was told of at once, since they were inhibited
	Muted                   int64 // beginnings that some receiver was not told of at once, since its route was mute
	Unrouted                int64 // beginnings that nobody was to be told of by the routes
	Suppressed              int64 // verdicts out of band beyond the limit of alerts per rule
	Errors                  int64 // steps whose expression failed
	CommitErrors, Refused   int64
	Unmarked                int64 // closes that the log did not take: a restart judges from what the store has
	Unsent                  int64 // notifications given up because they could not be stored for long
	Damaged                 int   // records of incidents that cannot be read, as far as somebody wanted to
	Unexplained             int64 // decisions of which nothing more was kept, because there were too many at once
	CheckpointBytes         int
	SavedBytes              int64 // of detector states written to the database
}

// Stats returns the current counts.
func (e *Engine) Stats() Stats {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.stats
	s.Rules, s.CheckpointBytes, s.Damaged = len(e.order), e.kept.used, e.journal.damage.count()
	for _, r := range e.order {
		s.Groups += len(r.judge.groups)
		s.Pending += r.pending
		s.Firing += r.firing
		s.NoData += r.absent
		s.Closed += r.stats.Closed
		s.Missed += r.stats.Missed
		s.PutOff += r.stats.PutOff
		s.Skipped += r.stats.Skipped
		s.Suppressed += r.stats.Suppressed
		s.Errors += r.stats.Errors
	}
	return s
}
