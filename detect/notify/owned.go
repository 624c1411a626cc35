package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"go.etcd.io/bbolt"

	"pulse/detect/secret"
)

// OwnedError refuses a change over the API of what comes from a file. Without a name it
// is about all of a section.
type OwnedError struct{ What, Name, File string }

func (e *OwnedError) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%s come from the file %s and are changed there", e.What, e.File)
	}
	return fmt.Sprintf("%s %q comes from the file %s and is changed there", e.What, e.Name, e.File)
}

// ReceiverError is what is wrong with one receiver of several.
type ReceiverError struct {
	Name string
	Err  error
}

func (e *ReceiverError) Error() string { return e.Err.Error() }
func (e *ReceiverError) Unwrap() error { return e.Err }

// owner says where a receiver comes from.
type owner struct {
	// File is "" when it was made over the API.
	File string `json:"file,omitempty"`
	// Leaving is when it vanished from its file, Unix ms, 0: it is there. It gets the
	// end of what it was told of and nothing else, and goes when nothing is left.
	Leaving int64 `json:"leaving,omitempty"`
}

// OwnedReceiver is a receiver and the file that it comes from.
type OwnedReceiver struct {
	Receiver
	File string
}

// CheckedReceivers are receivers of files that this service can have.
type CheckedReceivers []OwnedReceiver

// CheckReceivers refuses what PutReceiver would, with a *ReceiverError. What is masked
// becomes what is stored.
func (s *Service) CheckReceivers(list []OwnedReceiver) (CheckedReceivers, error) {
	out := slices.Clone(list)
	names := map[string]bool{}
	errs := make([]error, len(out))
	var lookups sync.WaitGroup
	for i := range out {
		r := &out[i].Receiver
		names[r.Name] = true
		var stored Receiver
		if c := s.channel(r.Name); c != nil {
			stored = c.snapshot()
		}
		if *r, errs[i] = r.merged(stored); errs[i] == nil && !r.alike(stored) {
			lookups.Go(func() { errs[i] = s.reachable(*r) })
		}
	}
	lookups.Wait()
	for i, err := range errs {
		if err != nil {
			return nil, &ReceiverError{out[i].Name, err}
		}
	}
	for _, c := range s.sorted() {
		if o := c.origin(); o.File == "" || o.Leaving != 0 {
			names[c.name] = true
		}
	}
	if len(names) > maxReceivers {
		return nil, fmt.Errorf("%d receivers with those made over the API and those that are leaving, at most %d", len(names), maxReceivers)
	}
	return out, nil
}

// merged is r with what stored has where r is masked, and with its defaults.
func (r Receiver) merged(stored Receiver) (Receiver, error) {
	r = r.keeping(stored)
	r.DisabledAt, r.DisabledReason, r.Status = 0, "", nil
	r, err := r.validate()
	if err != nil {
		return r, err
	}
	if text, err := url.QueryUnescape(r.URL.Reveal()); err == nil && strings.Contains(text, secret.Mask) {
		return r, fmt.Errorf("receiver %s: %w", r.Name, &elsewhere{fmt.Errorf("url has %s, which keeps what is stored, and nothing is stored for it", secret.Mask)})
	}
	return r, nil
}

// elsewhere is the lack of what another machine may have: a file, or what is stored.
type elsewhere struct{ error }

func (e *elsewhere) Unwrap() error { return e.error }

// Check returns what is wrong with the settings of a receiver of a file, whether or not
// its address may be dialled. It is another machine's affair when all that is wrong is
// that a file is missing which a part is read from, or that a part is masked.
func (r Receiver) Check() (fault error, othersAffair bool) {
	_, err := r.merged(Receiver{})
	var lack *elsewhere
	return err, errors.As(err, &lack)
}

// alike reports whether other is the same but for having been disabled by its own answer.
func (r Receiver) alike(other Receiver) bool {
	if other.DisabledAt != 0 {
		other.Disabled, other.DisabledAt, other.DisabledReason = false, 0, ""
	}
	a, errA := encodeReceiver(r)
	b, errB := encodeReceiver(other)
	return errA == nil && errB == nil && string(a) == string(b)
}

// Files returns the names of the files that parts of r are read from.
func (r Receiver) Files() []string { return slices.Sorted(maps.Values(r.files)) }

// Export returns the receivers by name as a file may define them: with secrets
// masked, without what delivery has made of them and without those that are leaving.
func (s *Service) Export() []Receiver {
	var out []Receiver
	for _, c := range s.sorted() {
		r := c.snapshot().shown()
		if c.origin().Leaving != 0 {
			continue
		}
		if r.DisabledAt != 0 {
			r.Disabled, r.DisabledAt, r.DisabledReason = false, 0, ""
		}
		out = append(out, r)
	}
	return out
}

// reachable asks the egress guard.
func (s *Service) reachable(r Receiver) error {
	ctx, cancel := s.within(context.Background(), lookupTimeout)
	defer cancel()
	if err := s.judgeTarget(ctx, &r); err != nil {
		return fmt.Errorf("receiver %s: %w", r.Name, err)
	}
	return nil
}

// ReplaceFileReceivers makes the receivers of files those that are given, all or none.
// One that came from a file before and is gone takes leave: see owner. Their names are
// returned. One that is as it was is left alone; again enables those that were
// disabled by their own answer, too.
func (s *Service) ReplaceFileReceivers(list CheckedReceivers, again bool) (gone []string, err error) {
	s.admin.Lock()
	defer s.admin.Unlock()
	p := s.plan(list, again)
	s.join(p.created)
	if err := s.o.DB.Update(p.store); err != nil {
		s.mu.Lock()
		for _, c := range p.created {
			delete(s.channels, c.name)
			s.hosts.leave(c.name)
		}
		s.mu.Unlock()
		return nil, fmt.Errorf("store receivers: %w: %w", ErrNotStored, err)
	}
	s.begin(p.created)
	for _, c := range s.sorted() {
		c.own(p.owners[c.name])
	}
	for _, c := range p.changed {
		s.replace(c, p.fresh[c])
		s.replaced(c)
	}
	for _, name := range p.gone {
		s.o.Log.Info().Str("receiver", name).Msg("receiver is in no file any more: it goes when nothing waits for it")
	}
	s.Wake()
	return p.gone, nil
}

// filePlan is what becomes of receivers when those of files are replaced.
type filePlan struct {
	created, changed []*channel
	fresh            map[*channel]Receiver // of those that change
	owners           map[string]owner      // of all that come, or came, from files
	gone             []string              // that take leave now
}

// plan compares the receivers of files with those that there are; s.admin is held.
func (s *Service) plan(list CheckedReceivers, again bool) filePlan {
	p := filePlan{fresh: map[*channel]Receiver{}, owners: map[string]owner{}}
	for _, r := range list {
		p.owners[r.Name] = owner{File: r.File}
		c := s.channel(r.Name)
		switch {
		case c == nil:
			c = s.newChannel(r.Receiver)
			p.created = append(p.created, c)
		case again && c.snapshot().DisabledAt != 0 || !r.alike(c.snapshot()):
			p.changed = append(p.changed, c)
			p.fresh[c] = r.Receiver
		}
	}
	now := s.o.Clock.Now().UnixMilli()
	for _, c := range s.sorted() {
		o := c.origin()
		if _, stays := p.owners[c.name]; stays || o.File == "" {
			continue
		}
		if o.Leaving == 0 {
			o.Leaving = now
			p.gone = append(p.gone, c.name)
		}
		p.owners[c.name] = o
	}
	return p
}

// store writes the plan within a transaction.
func (p *filePlan) store(tx *bbolt.Tx) error {
	for _, c := range p.created {
		if err := errors.Join(storeReceiver(tx, c.receiver), createBox(tx, c.name)); err != nil {
			return err
		}
	}
	for _, c := range p.changed {
		if err := storeReceiver(tx, p.fresh[c]); err != nil {
			return err
		}
	}
	return storeOwners(tx, p.owners)
}

// ReleaseFiles lets the API change what came from files: there are none any more.
func (s *Service) ReleaseFiles() {
	s.admin.Lock()
	defer s.admin.Unlock()
	s.released = true
}

// owned refuses a change of a receiver that comes from a file.
func (s *Service) owned(c *channel) error {
	if o := c.origin(); o.File != "" && o.Leaving == 0 && !s.released {
		return &OwnedError{"receiver", c.name, o.File}
	}
	return nil
}

// storeOwners writes where receivers come from, and forgets what is not named.
func storeOwners(tx *bbolt.Tx, owners map[string]owner) error {
	root := tx.Bucket(keyRoot)
	if err := root.DeleteBucket(keyOwners); err != nil {
		return err
	}
	b, err := root.CreateBucket(keyOwners)
	if err != nil {
		return err
	}
	for name, o := range owners {
		src, err := json.Marshal(o)
		if err != nil {
			return err
		}
		if err := b.Put([]byte(name), src); err != nil {
			return err
		}
	}
	return nil
}

// ownerOf reads where a receiver comes from.
func ownerOf(tx *bbolt.Tx, name string) (o owner, err error) {
	src := tx.Bucket(keyRoot).Bucket(keyOwners).Get([]byte(name))
	if src == nil {
		return owner{}, nil
	}
	if err := json.Unmarshal(src, &o); err != nil {
		return owner{}, fmt.Errorf("read owner of receiver %s: %w", name, err)
	}
	return o, nil
}

func (c *channel) origin() owner {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owner
}

func (c *channel) own(o owner) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owner = o
	c.queue.leaving = o.Leaving != 0
}

// wanted returns what a receiver is to get of a list: one that is leaving, the ends of
// what it was told of, or is about to be.
func (s *Service) wanted(c *channel, list []*letter) (out []*letter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.queue.everyMs > 0 {
		s.refuseNamed(c.name, list, "notification names a receiver that gets heartbeats only")
		return nil
	}
	if c.owner.Leaving == 0 {
		return list
	}
	for _, l := range list {
		switch {
		case l.Type == TypeResolved && (c.queue.open[l.Incident] || len(c.queue.byIncident[l.Incident]) > 0):
			out = append(out, l)
		case len(l.Notify) > 0 || l.To != nil:
			s.stats.unrouted.Add(1)
			s.o.Log.Warn().Str("receiver", c.name).Str("rule", l.Rule).Str("incident", l.Incident).Msg("notification names a receiver that is in no file any more")
		}
	}
	return out
}

// refuseNamed counts and logs those of a list that name a receiver which does not take
// them; others are for every receiver.
func (s *Service) refuseNamed(name string, list []*letter, why string) {
	for _, l := range list {
		if l.To == nil && slices.Contains(l.Notify, name) || slices.ContainsFunc(l.To, func(t Target) bool { return t.Receiver == name }) {
			s.stats.unrouted.Add(1)
			s.o.Log.Warn().Str("receiver", name).Str("rule", l.Rule).Str("incident", l.Incident).Msg(why)
		}
	}
}

// idle reports whether c is leaving and neither waits for anything nor has to be told
// of an end.
func (c *channel) idle() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owner.Leaving != 0 && len(c.queue.items) == 0 && len(c.queue.open) == 0 && len(c.queue.drops) == 0
}

// retire deletes c when it is leaving and nothing is left of it, dead letters included,
// and reports whether it did.
func (s *Service) retire(c *channel) bool {
	if !c.idle() {
		return false
	}
	s.admin.Lock()
	defer s.admin.Unlock()
	if !c.idle() || s.channel(c.name) != c {
		return false
	}
	gone := false
	err := s.o.DB.Update(func(tx *bbolt.Tx) error {
		b, ok := boxOf(tx, c.name)
		if !ok {
			return nil
		}
		first := func(b *bbolt.Bucket) []byte { key, _ := b.Cursor().First(); return key }
		if first(b.pending) != nil || first(b.dead) != nil {
			return nil
		}
		gone = true
		if err := s.tellWorking(tx, c, "has left", s.o.Clock.Now().UnixMilli()); err != nil {
			return err
		}
		return deleteReceiver(tx, c.name)
	})
	if err != nil {
		s.databaseFailed("delete receiver that has left", err)
		return false
	}
	if gone {
		s.forget(c)
		s.o.Log.Info().Str("receiver", c.name).Msg("receiver has left")
	}
	return gone
}
