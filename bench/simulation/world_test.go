// Package simulation runs the whole way of an alert under a clock of its own: bytes are
// published, stored, judged, decided on and delivered, while disks, networks, receivers,
// nodes and the process itself fail as a seed says.
package simulation_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pulse/detect"
	"pulse/detect/notify"
	"pulse/detect/secret"
	"pulse/store"
	"pulse/store/disk/faulty"
)

// keepLines is how many lines of the trace a failure may show.
const keepLines = 4000

// world is one run. One goroutine drives it: it lets one thing happen at a time, and
// waits until everybody else waits.
type world struct {
	t      testing.TB
	seed   uint64
	random *rand.Rand // what happens
	noise  *rand.Rand // what nodes measure
	clock  *virtual
	step   int64 // ms
	mode   store.Durability

	network   network
	receivers map[string]*receiver
	book      book
	data      data

	fs         *faulty.FS
	dbPath     string
	process    *process // nil: nobody is there
	upAt       time.Duration
	doom       *doom
	powerLoss  bool // the next end is one
	perMinute  int
	queueLimit int

	rules              map[string]*rule
	routes             int
	inhibits           bool
	night              bool
	nightFrom, nightTo int64 // minutes of the day
	silences           []*silence
	unsure             func() error // a change of the configuration that may or may not be there

	faulty  bool // things may still go wrong
	onlyEnd bool // processes die, and nothing else goes wrong with them
	dark    time.Duration
	watch   watch
	lives   int
	decided int64   // Unix ms: what is told now was decided then or later
	waiting bool    // what was decided waits for the database
	hurry   int     // how often in a row the engine has wanted to look again at once
	owes    bool    // the database failed when the last process died
	paid    []int64 // Unix ms of starts after that
	kills   int
	deaths  map[string]int
	answers []answered

	mu           sync.Mutex
	trace        map[string]uint64
	last         []string
	errorsLogged int
	failed       bool
}

// doom is where a process will die.
type doom struct {
	where string
	count int
}

func newWorld(t testing.TB, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 77))
	w := &world{
		t: t, seed: seed, random: r, noise: rand.New(rand.NewPCG(seed, 78)), clock: &virtual{}, step: []int64{1000, 10_000, 10_000}[r.IntN(3)], mode: store.Sync,
		data: newData(), fs: faulty.New(seed), dbPath: filepath.Join(t.TempDir(), "state.db"), rules: map[string]*rule{},
		receivers: map[string]*receiver{}, deaths: map[string]int{}, trace: map[string]uint64{}, faulty: true, perMinute: 1000,
	}
	if r.IntN(2) == 0 {
		w.mode = store.Interval
	}
	w.network = network{w: w, sent: map[string]int{}}
	w.book = book{w: w, episodes: map[string]*episode{}}
	w.watch.reset()
	for name, kind := range map[string]string{"hook": "webhook", "group": "webhook", "team": "grouping", "am": "alertmanager"} {
		w.receivers[name] = &receiver{w: w, name: name, kind: kind, got: map[string]*delivery{}}
	}
	return w
}

// fail notes that something is wrong. The run ends as soon as it can.
func (w *world) fail(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.failed {
		w.t.Errorf("seed %d at %.3f s, step %d: %s", w.seed, w.clock.since().Seconds(), (w.clock.ms()-epoch)/w.step, fmt.Sprintf(format, args...))
		if testing.Verbose() {
			w.t.Log(strings.Join(w.last, "\n"))
		}
	}
	w.failed = true
}

func (w *world) jitter() float64 {
	return float64(w.network.draw(1000, "jitter", w.clock.since())) / 1000
}

// mortal does what a process may die of.
func (w *world) mortal(f func()) (died bool) {
	if !dies(f) {
		return false
	}
	w.kill()
	w.isDark()
	w.upAt = w.clock.since()
	if w.random.IntN(2) == 0 {
		w.upAt += time.Duration(w.random.Int64N(5*w.step)) * time.Millisecond
	}
	return true
}

// isDark notes that from now on, and for the steps around, nobody knows what is judged.
func (w *world) isDark() { w.dark = w.clock.since() }

// turn lets the next thing happen, if it does so until then; else that time comes.
func (w *world) turn(until time.Duration) (more bool) {
	synctest.Wait()
	if w.failed {
		panic(errStop)
	}
	at, what := until, func() { more = false }
	more = true
	earlier := func(t time.Duration, ok bool, f func()) {
		if ok && t <= until && (t < at || t == at) {
			at, what = t, f
		}
	}
	p := w.process
	if p == nil {
		earlier(w.upAt, true, func() { w.mortal(w.restart) })
	} else {
		earlier(p.engAt, w.faulty || !w.watch.over, func() { w.mortal(w.advance) })
		earlier(p.ageAt, true, func() { w.mortal(w.age) })
	}
	if len(w.data.open) > 0 {
		earlier(w.data.open[0].at, true, func() { w.mortal(w.publish) })
	}
	t, ok := w.clock.next()
	earlier(t, ok, w.clock.fire)
	t, ok = w.network.next()
	earlier(t, ok, func() { w.mortal(w.deliver) })
	w.clock.to(at)
	what()
	return more
}

func (w *world) turnTo(at time.Duration) {
	for n := 0; w.turn(at); n++ {
		if n > 100_000 {
			w.fail("there is no end to what happens until %v", at)
		}
	}
}

// restart begins the next life.
func (w *world) restart() {
	if w.faulty && w.random.IntN(8) == 0 {
		w.fs.CrashAt(w.fs.Ops() + w.random.IntN(20))
	} else if w.faulty && w.random.IntN(10) == 0 {
		w.doomSomewhere(6)
	}
	w.start()
	w.powerLoss = false
	w.tracef("process", "life %d", w.lives)
	if again := w.unsure; again != nil {
		w.unsure = nil
		w.change(again)
	}
}

// advance has the engine do what is due.
func (w *world) advance() {
	p := w.process
	for range 100 {
		now := w.clock.ms()
		if !w.waiting {
			w.decided = now
		}
		next := p.engine.Advance(now)
		w.waiting = p.db.failing
		synctest.Wait()
		p.engAt = w.clock.since() + time.Duration(next-w.clock.ms())*time.Millisecond
		if next-now > 2 {
			w.hurry = 0
		} else if w.hurry++; w.hurry > 2000 {
			w.fail("the engine wants to look again in %d ms all the time", next-now)
		}
		if next > w.clock.ms() {
			return
		}
	}
	w.fail("the engine always has more to do")
}

// age has the store do what is due.
func (w *world) age() {
	p := w.process
	p.ageAt = w.clock.since() + time.Duration(w.step)*time.Millisecond
	p.store.Advance(w.clock.ms())
	synctest.Wait()
	w.alive()
}

// deliver lets the network do the next thing.
func (w *world) deliver() {
	r := w.network.pop()
	d := r.to.delivery(r.id)
	if !r.waits() {
		if r.fate.taken {
			w.take(r)
			d.excused++
		}
		return
	}
	w.tracef(r.to.name, "%s: %s", r.id, r.fate.what)
	if r.fate.taken {
		w.point("before a receiver has it")
		w.take(r)
		d.excused++ // if the process dies now
		w.point("before an answer")
		d.excused--
	}
	if r.fate.status < 0 {
		if r.fate.taken {
			d.excused++
		}
		return
	}
	taken := r.fate.taken && r.fate.status == 200
	switch {
	case taken:
		d.unstored++
	case r.fate.taken:
		d.excused++
	}
	if w.doom != nil && w.doom.where == "before an outcome is stored" {
		if w.doom.count--; w.doom.count < 0 && w.process.db != nil {
			w.owes = w.owes || w.process.db.failing
			w.must(w.process.db.end())
			w.process.db = nil
			r.reply <- r.fate
			synctest.Wait()
			w.tracef("process", "killed before an outcome is stored")
			w.deaths["before an outcome is stored"]++
			panic(errKilled)
		}
	}
	r.reply <- r.fate
	synctest.Wait()
	if !w.process.db.failing {
		if taken {
			d.unstored--
		}
		w.noteAnswer(r)
	}
	w.point("after an outcome is stored")
}

// answered is an attempt that a timeline must name.
type answered struct {
	receiver, incident string
	at                 int64
	status             int
}

func (w *world) noteAnswer(r *request) {
	if r.to.kind == "alertmanager" || r.fate.status <= 0 { // which is told again and again
		return
	}
	list, _ := r.to.parts(r.body)
	if r.to.kind == "webhook" {
		for _, p := range list {
			if own(p.incident) {
				continue
			}
			w.answers = append(w.answers, answered{r.to.name, p.incident, w.clock.ms(), r.fate.status})
		}
	}
}

// putReceivers makes the receivers, or makes them work again.
func (w *world) putReceivers() error {
	for _, name := range w.everyone() {
		r := w.receivers[name]
		x := notify.Receiver{Name: name, URL: secret.NewURL("https://" + name + ".example.com/hook")}
		switch r.kind {
		case "grouping":
			x.Format = "alertmanager"
		case "alertmanager":
			x.Kind, x.URL = notify.KindAlertmanager, secret.NewURL("https://"+name+".example.com")
		}
		if err := w.process.notify.PutReceiver(x); err != nil {
			return err
		}
	}
	return nil
}

// change makes a change of the configuration. When the process dies of it, nobody knows
// whether it is there; it is made again by the next.
func (w *world) change(f func() error) {
	if w.process == nil {
		return
	}
	w.unsure = f
	if err := f(); err != nil && !w.process.db.failing {
		w.fail("%v", err)
	} else if err == nil {
		w.unsure = nil
	}
	w.watch.settle(w.clock.since())
}

// doomSomewhere lets the process die at one of the next places.
func (w *world) doomSomewhere(soon int) {
	if where := dooms[w.random.IntN(len(dooms))]; where == "in the disk" {
		w.fs.CrashAt(w.fs.Ops() + w.random.IntN(4*soon))
	} else {
		w.doom = &doom{where, w.random.IntN(soon)}
		if where == "anywhere" || where == "at any point" {
			w.doom.count *= 8
		}
	}
	w.powerLoss = false
}

var dooms = []string{
	"anywhere", "anywhere", "at any point", "before a mark", "after a mark", "before the outbox", "before the commit", "after the commit", "after the commit", "before a publish", "after a publish",
	"before a receiver has it", "before an answer", "before an outcome is stored", "before an outcome is stored", "after an outcome is stored", "in the disk",
}

// run is the whole of it.
func (w *world) run(steps int) {
	defer func() {
		if v := recover(); v != nil && v != any(errStop) {
			panic(v)
		}
		if w.process != nil {
			w.kill()
		}
	}()
	w.begin()
	for range steps {
		w.mortal(w.disturb)
		w.oneStep()
	}
	w.calm()
	for range 14 + 80_000/int(w.step) {
		w.oneStep()
	}
	w.watch.over = true
	w.turnTo(w.clock.since() + 20*time.Minute)
	w.finish()
	w.shutDown()
}

// begin makes what there is at the beginning.
func (w *world) begin() {
	w.start()
	w.must(w.putReceivers())
	minute := (epoch/60_000 + 1 + w.random.Int64N(max(1, 60*w.step/60_000))) % (24 * 60)
	w.night, w.nightFrom, w.nightTo = true, minute, minute+1+w.random.Int64N(1+30*w.step/60_000)
	w.must(w.putNight(w.nightFrom, w.nightTo))
	for i := range ruleTexts {
		w.putRule(&ruleTexts[i])
	}
	w.putAdaptive()
	for _, name := range w.everyone() {
		r := w.receivers[name]
		for at := time.Duration(0); w.random.IntN(4) > 0; {
			at += time.Duration(w.random.Int64N(40*w.step)) * time.Millisecond
			end := at + time.Duration(w.random.Int64N(30*w.step))*time.Millisecond
			r.ills = append(r.ills, illness{at, end, rareIlls[w.random.IntN(len(rareIlls))]})
			at = end
		}
	}
}

func (w *world) oneStep() {
	now := w.clock.ms()
	t := (now/w.step + 1) * w.step
	end := w.clock.since() + time.Duration(t-now)*time.Millisecond
	w.gather(t, end)
	w.tracef("data", "step %d: %v, dead %v", (t-epoch)/w.step, w.data.level, w.data.dead)
	w.turnTo(end)
	w.observe(t)
}

// calm lets nothing go wrong any more.
func (w *world) calm() {
	w.faulty, w.network.healthy, w.doom = false, true, nil
	for _, r := range w.network.parked {
		if r.fate.status == 410 || r.fate.status == 400 {
			r.fate.status = 503
		}
	}
	w.fs.CrashAt(1 << 40)
	w.fs.Heal()
	if w.process == nil {
		w.upAt = w.clock.since()
		w.turn(w.clock.since())
	}
	p := w.process
	p.fs.CrashAt(1 << 40)
	p.fs.Heal()
	w.must(p.db.fail(false))
	if again := w.unsure; again != nil {
		w.change(again)
	}
	w.must(w.putReceivers())
	clear(w.data.dead)
	for _, s := range w.silences {
		if s := s; !s.over {
			if w.process.engine.ExpireSilence(s.id, "", w.clock.ms()) == nil {
				s.over = true
			}
			s.over = true
		}
	}
	w.isDark()
}

// disturb lets something happen between two steps.
func (w *world) disturb() {
	for _, region := range regions {
		if w.random.IntN(9) == 0 {
			w.data.level[region] = levels[w.random.IntN(len(levels))]
		}
		if w.random.IntN(40) == 0 {
			w.data.dead[region] = !w.data.dead[region]
		} else if w.data.dead[region] && w.random.IntN(10) == 0 {
			w.data.dead[region] = false
		}
	}
	p := w.process
	if p == nil {
		return
	}
	n := w.random.IntN(60)
	if w.onlyEnd && (n == 7 || n == 12 || n == 23) {
		n = 0
	}
	switch {
	case n < 5 && w.doom == nil:
		w.doomSomewhere(10)
	case n == 5:
		w.tracef("process", "killed between two steps")
		panic(errKilled)
	case n == 6 && !p.db.failing:
		if w.shutDown(); w.process == nil {
			w.upAt = max(w.upAt, w.clock.since())
		}
		w.isDark()
	case n == 7:
		w.must(p.db.fail(!p.db.failing))
		w.tracef("process", "the database fails: %v", p.db.failing)
	case n < 11 && p.db.failing:
		w.must(p.db.fail(false))
		w.tracef("process", "the database works")
	case n == 12:
		err := []error{syscall.ENOSPC, syscall.EIO}[w.random.IntN(2)]
		p.fs.Inject(faulty.Fault{Op: []faulty.Op{faulty.OpWrite, faulty.OpSync}[w.random.IntN(2)], Name: "wal", Times: 1 + w.random.IntN(6), Err: err})
		w.isDark()
	case n < 15:
		p.fs.Heal()
	case n < 20:
		w.disturbHolds()
	case n < 22:
		r := ruleTexts[w.random.IntN(len(ruleTexts))]
		w.change(func() error { return w.tryRule(&r) })
	case n == 22:
		w.change(w.putReceivers)
	case n == 23 && w.random.IntN(3) == 0:
		w.jump()
	}
}

// jump sets the clock.
func (w *world) jump() {
	d := time.Duration(1+w.random.Int64N(6*w.step)) * time.Millisecond
	if w.random.IntN(2) == 0 {
		d = -d
	}
	w.data.twice = max(w.data.twice, w.clock.ms()+w.step)
	w.clock.set(d)
	w.watch.jumped = true
	w.tracef("process", "the clock is set by %v", d)
	w.isDark()
	w.advance()
}

// disturbHolds changes what holds back.
func (w *world) disturbHolds() {
	steps := func(n int) time.Duration {
		return time.Duration(w.step) * time.Millisecond * time.Duration(w.random.IntN(n))
	}
	switch w.random.IntN(6) {
	case 0, 1:
		i, wait, interval, repeat := w.random.IntN(len(routings)), steps(6), steps(12)+time.Second, 20*time.Second+steps(30)
		w.change(func() error {
			err := w.putRoutes(i, wait, interval, repeat)
			if err == nil {
				w.routes = i
				w.tracef("engine", "routes %d", i)
			}
			return err
		})
	case 2:
		w.change(func() error {
			if w.inhibits {
				err := w.process.engine.DeleteInhibit("over")
				if err == nil || w.process.db.failing == false {
					w.inhibits = false
					return nil
				}
				return err
			}
			err := w.putInhibit()
			if err == nil {
				w.inhibits = true
			}
			return err
		})
	case 3, 4:
		what := sortedSilences[w.random.IntN(len(sortedSilences))]
		d, normal := steps(30)+time.Second, time.Duration(0)
		if w.random.IntN(3) == 0 {
			normal = steps(8) + time.Second
		}
		if err := w.putSilence(what, d, normal); err == nil {
			w.tracef("engine", "silence %s for %v", what, d)
		} else if !w.process.db.failing {
			w.fail("%v", err)
		}
		w.watch.settle(w.clock.since())
	case 5:
		if len(w.silences) > 0 {
			s := w.silences[w.random.IntN(len(w.silences))]
			if w.process.engine.ExpireSilence(s.id, "", w.clock.ms()) == nil {
				s.over = true
				w.tracef("engine", "silence %s ends", s.what)
			}
		}
	}
	w.advance()
}

// putRule puts a rule with other times.
func (w *world) putRule(r *rule) { w.change(func() error { return w.tryRule(r) }) }

func (w *world) tryRule(of *rule) error {
	r := *of
	r.forMs, r.ms = w.random.Int64N(4)*w.step, w.random.Int64N(4)*w.step
	r.absence = 5 * w.step
	text := expand(r.text, r.forMs, r.ms, w.step)
	x, err := detect.ParseRuleJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	if err := w.process.engine.PutRule(x, w.clock.ms()); err != nil {
		return err
	}
	r.since = w.clock.since()
	w.rules[r.id] = &r
	w.tracef("engine", "rule %s: for %d, keep %d", r.id, r.forMs, r.ms)
	w.watch.forget(r.id)
	return nil
}
