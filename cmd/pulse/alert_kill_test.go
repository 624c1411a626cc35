package main

import (
	"fmt"
	"testing"
	"time"
)

// act lets things happen for a while.
func (k *alertRig) act(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		active := k.active()
		switch n := k.random.IntN(12); {
		case n < 7:
			k.truth.flip(k.key())
		case n < 9 && len(active) < 4:
			k.silence(k.some(), time.Duration(200+k.random.IntN(3000))*time.Millisecond)
		case n < 11 && len(active) > 0:
			k.endSilence(active[k.random.IntN(len(active))])
		case n == 11:
			k.mute(k.random.IntN(2) == 0)
		}
		time.Sleep(time.Duration(20+k.random.IntN(120)) * time.Millisecond)
	}
}

// key is one of the streams.
func (k *alertRig) key() streamKey { return k.keys[k.random.IntN(len(k.keys))] }

// some means a stream, all of its rule, or all of its node.
func (k *alertRig) some() streamKey {
	key := k.key()
	switch k.random.IntN(4) {
	case 0:
		key.rule = ""
	case 1:
		key.node = ""
	}
	return key
}

// fires brings a stream out of its band and waits until its alert has been seen, and
// until what changes from then on does so in a later step.
func (k *alertRig) fires(key streamKey) {
	if !k.truth.out(key) {
		k.truth.flip(key)
	}
	for range 200 {
		for _, a := range k.alerts() {
			if a.stream() == key && a.State == "firing" {
				k.later()
				return
			}
		}
		k.ms(20)
	}
}

// later waits until what changes does so in a step that is over after now.
func (k *alertRig) later() {
	for now := time.Now().UnixMilli(); k.truth.upcoming() <= now; {
		k.ms(20)
	}
}

// silenced brings an alert to fire under a silence that ends by itself after d.
func (k *alertRig) silenced(d time.Duration) *silenceNote {
	key := k.key()
	if k.truth.out(key) {
		k.truth.flip(key)
	}
	k.settled()
	s := k.silence(key, d)
	k.fires(key)
	return s
}

// alertMoments are when a server is killed.
var alertMoments = []struct {
	name string
	wait func(k *alertRig)
}{
	{"at any time", func(k *alertRig) { k.ms(100) }},
	{"during a delivery", func(k *alertRig) {
		for _, key := range k.keys {
			k.truth.flip(key)
		}
		select {
		case <-k.hooks.came:
		default:
		}
		select {
		case <-k.hooks.came:
		case <-time.After(2 * time.Second):
		}
		k.ms(5)
	}},
	{"when an alert is seen to fire", func(k *alertRig) {
		key := k.key()
		if k.truth.out(key) {
			k.truth.flip(key)
		}
		k.settled()
		k.fires(key)
	}},
	{"after a silence was acknowledged", func(k *alertRig) {
		key := k.key()
		k.silence(key, time.Hour)
		k.truth.flip(key)
		k.ms(250)
	}},
	{"while a silence is made", func(k *alertRig) {
		key := k.key()
		k.asking.Go(func() { k.silence(key, time.Hour) })
		k.ms(8)
	}},
	{"when a silence was ended", func(k *alertRig) {
		k.endSilence(k.silenced(time.Hour))
		k.ms(40)
	}},
	{"while a silence is ended", func(k *alertRig) {
		s := k.silenced(time.Hour)
		k.asking.Go(func() { k.endSilence(s) })
		k.ms(8)
	}},
	{"when the time of a silence is over", func(k *alertRig) {
		s := k.silenced(time.Second)
		time.Sleep(time.Until(time.UnixMilli(s.ends)))
		k.ms(60)
	}},
	{"when a mute ends", func(k *alertRig) {
		k.mute(true)
		k.fires(streamKey{"chat", "x"})
		k.mute(false)
		k.ms(60)
	}},
	{"when what inhibits ends", func(k *alertRig) {
		source := streamKey{"cluster", "y"}
		k.fires(source)
		k.fires(streamKey{"host", "y"})
		k.truth.flip(source)
		k.ms(800)
	}},
	{"while it starts", func(k *alertRig) {
		k.kill()
		k.launch()
		k.ms(150)
	}},
}

// TestAlertKillRounds kills a server with SIGKILL at random moments between data and
// receivers: while alerts fire and resolve, find their receivers by routes, wait for
// their group, and are held back by silences, an inhibit rule and a mute that begin and
// end. The book says what must not happen. PULSE_KILL_ROUNDS and PULSE_SEED are as in
// TestKillRounds.
func TestAlertKillRounds(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	rounds, seed := fromEnv(t, "PULSE_KILL_ROUNDS", 3), fromEnv(t, "PULSE_SEED", uint64(time.Now().UnixNano()%1_000_000))
	t.Logf("PULSE_SEED=%d", seed)
	k := newAlertRig(t, seed)
	k.begin()
	for round := range rounds {
		moment := alertMoments[(seed+round)%uint64(len(alertMoments))]
		began := time.Now()
		k.act(time.Duration(300+k.random.IntN(1500)) * time.Millisecond)
		moment.wait(k)
		k.kill()
		k.start()
		k.recall()
		if k.random.IntN(2) == 0 {
			k.settled()
			k.everyoneTold()
		}
		t.Logf("round %d: killed %s, %.1f s, %s", round+1, moment.name, time.Since(began).Seconds(), k.book)
		if len(k.book.found()) > 0 {
			break
		}
	}
	k.finish()
	k.report()
	t.Logf("%d rounds: %s, %d silences, %d alerts that somebody never heard of, at most %d MiB",
		rounds, k.book, k.made, len(k.book.holds.kept), k.memory>>20)
}

// calm ends all silences and the mute, and lets all receivers take everything.
func (k *alertRig) calm() {
	k.t.Helper()
	k.hooks.healthy.Store(true)
	for _, s := range k.active() {
		k.endSilence(s)
	}
	k.mute(false)
	k.recall()
}

// finish holds alerts back in every way at once, lets go of them one way after the
// other, and wants everybody told of what is theirs, once it is free.
func (k *alertRig) finish() {
	k.t.Helper()
	k.calm()
	k.all(false)
	k.settled()
	k.everyoneTold()

	s := k.silence(streamKey{node: "x"}, time.Hour)
	k.mute(true)
	source := streamKey{"cluster", "y"}
	k.fires(source)
	k.all(true)
	k.settled()
	k.everyoneTold()
	k.heldBack(map[streamKey]string{{"chat", "y"}: "muted", {"host", "y"}: "inhibited", source: "", {"page", "y"}: ""})
	k.endSilence(s)
	k.everyoneTold()
	k.heldBack(map[streamKey]string{{"chat", "x"}: "muted", {"host", "x"}: "inhibited", {"page", "x"}: "", {"group", "x"}: ""})
	k.mute(false)
	for _, key := range []streamKey{source, {"cluster", "x"}} {
		k.truth.flip(key)
	}
	k.settled()
	k.everyoneTold()
	free := map[streamKey]string{}
	for _, key := range k.keys {
		if key.rule != source.rule {
			free[key] = ""
		}
	}
	k.heldBack(free)

	k.all(false)
	k.settled()
	k.delivered()
	k.book.finish()
	k.memory = max(k.memory, highWater(k.victim.cmd.Process.Pid))
	if k.memory > killMemory {
		k.t.Errorf("a server held %d MiB, want at most %d", k.memory>>20, killMemory>>20)
	}
}

// heldBack waits until exactly these alerts are held back, each as it says; "" is free.
func (k *alertRig) heldBack(want map[streamKey]string) {
	k.t.Helper()
	k.until("alerts are held back as they are to be", func() string {
		list := k.alerts()
		seen := 0
		for i := range list {
			a := &list[i]
			how, asked := want[a.stream()]
			if a.State != "firing" || !asked {
				continue
			}
			seen++
			for _, x := range []struct {
				name string
				by   int
			}{{"silenced", len(a.SilencedBy)}, {"inhibited", len(a.InhibitedBy)}, {"muted", len(a.MutedBy)}} {
				if (x.by > 0) != (x.name == how) {
					return fmt.Sprintf("%v is %s by %d", a.stream(), x.name, x.by)
				}
			}
		}
		if seen != len(want) {
			return fmt.Sprintf("%d of %d fire", seen, len(want))
		}
		return ""
	})
}
