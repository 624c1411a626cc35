package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"net/http"
	"strconv"
	"sync"

	"pulse/store"
	"pulse/store/field"
	"pulse/store/tags"
)

// keyMs is how long a request with an idempotency key is remembered, in ms.
const keyMs = 2 * 60_000

// maxKey is the most characters of an idempotency key.
const maxKey = 64

// requestID names a request that came with a key: who sent it and the key.
type requestID [16]byte

// bodyHash stands for what a request asked for.
type bodyHash [16]byte

// memory knows the requests that came with an idempotency key: those under way
// and, until they expire, those that were answered 200 or 202, with the answer.
//
// A request passes through claim, then begin when it is about to be handed to
// the store, then settle. One that is answered before begin ends with release.
// Safe for concurrent use; time is that of the requests.
type memory struct {
	most      int // requests
	mostBytes int // of notes

	mu      sync.Mutex
	settled *sync.Cond // a commit has come to its end
	byID    map[requestID]*remembered
	queue   []expiring // those that were answered, oldest first
	bytes   int        // of notes
	commits map[requestID]uint64
	order   uint64 // of the commit that began last
}

// remembered is one request.
type remembered struct {
	body   bodyHash
	note   []byte // nil until begin; never changed
	expiry int64  // Unix ms; of one with a note
	state  keyState
	queued bool
}

type keyState uint8

const (
	handled    keyState = iota // being handled
	committing                 // with the store
	answered                   // stored, durable as the mode says
	doubtful                   // stored, but perhaps not durable; the sender got no answer
)

type expiring struct {
	id requestID
	*remembered
}

func newMemory(most, mostBytes int) *memory {
	m := &memory{most: most, mostBytes: mostBytes, byID: map[requestID]*remembered{}, commits: map[requestID]uint64{}}
	m.settled = sync.NewCond(&m.mu)
	return m
}

// claim is what a request finds under its key.
type claim uint8

const (
	fresh    claim = iota // nothing; the request is under way from now on
	repeated              // the same was answered: note has the answer
	unproven              // the same is doubtful: to be settled by storing note again
	busy                  // the same is under way
	reused                // another request
	crowded               // nothing, and no place
)

func (m *memory) claim(id requestID, body bodyHash, now int64) (c claim, note []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire(now)
	x := m.byID[id]
	switch {
	case x == nil && len(m.byID) >= m.most:
		return crowded, nil
	case x == nil:
		m.byID[id] = &remembered{body: body}
		return fresh, nil
	case x.body != body:
		return reused, nil
	case x.state == answered:
		return repeated, x.note
	case x.state == doubtful:
		m.commit(id, x)
		return unproven, x.note
	}
	return busy, nil
}

// begin attaches the note of a claimed request that goes to the store now. It is
// false when there is no place for it.
func (m *memory) begin(id requestID, note []byte, expiry int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bytes+len(note) > m.mostBytes {
		return false
	}
	x := m.byID[id]
	m.bytes += len(note)
	x.note, x.expiry = note, expiry
	m.commit(id, x)
	return true
}

func (m *memory) commit(id requestID, x *remembered) {
	x.state = committing
	m.order++
	m.commits[id] = m.order
}

// settle ends a commit: the request is answered or doubtful now, or, when it is
// handled, was refused and is forgotten.
func (m *memory) settle(id requestID, as keyState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x := m.byID[id]; as == handled {
		m.forget(id)
	} else {
		x.state = as
		m.enqueue(id, x)
	}
	delete(m.commits, id)
	m.settled.Broadcast()
}

// release forgets a request that never went to the store.
func (m *memory) release(id requestID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forget(id)
}

// enqueue makes x expire in its time.
func (m *memory) enqueue(id requestID, x *remembered) {
	if !x.queued {
		x.queued = true
		m.queue = append(m.queue, expiring{id, x})
	}
}

func (m *memory) forget(id requestID) {
	m.bytes -= len(m.byID[id].note)
	delete(m.byID, id)
}

// expire forgets what is over at now. When the clock was set back, nothing is
// remembered longer than from now on.
func (m *memory) expire(now int64) {
	if len(m.queue) > 0 && m.queue[0].expiry > now+keyMs {
		for _, q := range m.queue {
			q.expiry = min(q.expiry, now+keyMs)
		}
	}
	m.drop(now)
}

// drop forgets what is over at now, up to what is with the store again.
func (m *memory) drop(now int64) {
	for len(m.queue) > 0 && m.queue[0].expiry <= now && m.queue[0].state != committing {
		m.forget(m.queue[0].id)
		m.queue = m.queue[1:]
	}
}

// remember takes a note from the log or a snapshot. What expired before now is
// forgotten first, and what is oldest when there is no place.
func (m *memory) remember(n *note, text []byte, now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(now)
	x := m.byID[n.id]
	if x == nil {
		for len(m.queue) > 0 && (len(m.byID) >= m.most || m.bytes+len(text) > m.mostBytes) {
			m.forget(m.queue[0].id)
			m.queue = m.queue[1:]
		}
		x = &remembered{}
		m.byID[n.id] = x
	}
	m.bytes += len(text) - len(x.note)
	x.body, x.note, x.expiry, x.state = n.body, bytes.Clone(text), n.expiry, answered
	m.enqueue(n.id, x)
}

func (m *memory) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.byID)
}

// identify returns the name of a request with the key of from and the hash of
// what it asks for: route and the parts of its content.
func identify(from From, route string, parts ...[]byte) (id requestID, body bodyHash) {
	scope := "address"
	name := from.Peer
	if from.Token != "" {
		scope, name = "token", from.Token
	}
	copy(id[:], digest([]byte(scope), []byte(name), []byte(from.Key)))
	copy(body[:], digest(append([][]byte{[]byte(route)}, parts...)...))
	return id, body
}

// digest hashes parts so that no other parts give the same.
func digest(parts ...[]byte) []byte {
	h := sha256.New()
	var n [8]byte
	for _, p := range parts {
		binary.LittleEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	return h.Sum(nil)
}

// checkKey says what is wrong with an idempotency key, "" if nothing is.
func checkKey(key string) string {
	for i := range len(key) {
		if key[i] < ' ' || key[i] > '~' {
			return "Idempotency-Key may have printable ASCII characters only"
		}
	}
	if len(key) > maxKey {
		return "Idempotency-Key has " + strconv.Itoa(len(key)) + " characters, must have 1 to " + strconv.Itoa(maxKey)
	}
	return ""
}

// keyed is the idempotency key of a request under way.
type keyed struct {
	id   requestID
	body bodyHash
	held bool // it is claimed and not yet with the store
}

// refusal is why nothing was done for a request.
type refusal struct {
	status    int
	message   string
	uncertain bool // it was done, and may not survive
}

// claim looks a request's key up: it was answered before, or it is refused, or,
// with neither, it is under way from now on.
func (p *Pipeline) claim(k *keyed, from From, now int64, route string, parts ...[]byte) (*note, *refusal) {
	if bad := checkKey(from.Key); bad != "" {
		return nil, &refusal{status: http.StatusBadRequest, message: bad}
	}
	id, body := identify(from, route, parts...)
	found, text := p.memory.claim(id, body, now)
	switch found {
	case fresh:
		*k = keyed{id, body, true}
		return nil, nil
	case busy:
		return nil, &refusal{status: http.StatusConflict, message: "a request with this Idempotency-Key is being handled; send it again later"}
	case reused:
		return nil, &refusal{status: http.StatusConflict, message: "this Idempotency-Key was sent with another request; every request needs a key of its own"}
	case crowded:
		return nil, &refusal{status: http.StatusServiceUnavailable, message: "more than " + strconv.Itoa(p.memory.most) +
			" requests with an Idempotency-Key in 2 minutes; try again later, or send without one"}
	case unproven:
		// Once its note has been stored again, so has all that was before it.
		if _, err := p.commitNote(id, &store.Batch{Arrival: now, Note: text}, now, true); err != nil {
			return nil, refusalOf(err)
		}
	}
	n, err := parseNote(text)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return &n, nil
}

// begin returns the note of a request whose answer is known and that goes to the
// store now, nil when there is no place for it. commitNote must follow.
func (p *Pipeline) begin(k *keyed, n *note, now int64) []byte {
	n.id, n.body, n.expiry = k.id, k.body, now+keyMs
	text := n.appendTo(nil)
	if !p.memory.begin(k.id, text, n.expiry) {
		return nil
	}
	k.held = false
	return text
}

// commitNote commits b, with the note of the request that began, and settles how
// that ended, even if it panics: whoever wants all notes waits for it. A request
// that was not applied, whatever the error, can be done again: a log that takes
// records after ErrUncertain has given up those that it did not apply. again says
// that b has only the note of a request that was done before.
func (p *Pipeline) commitNote(id requestID, b *store.Batch, now int64, again bool) (res store.Result, err error) {
	as := doubtful
	defer func() { p.memory.settle(id, as) }()
	res, err = p.commit(b, now)
	switch {
	case err == nil:
		as = answered
	case !again && (refused(err) || res.Stored+res.Superseded+res.Late == 0):
		as = handled
	}
	return res, err
}

// release ends a request that did not begin.
func (p *Pipeline) release(k *keyed) {
	if k.held {
		p.memory.release(k.id)
		k.held = false
	}
}

// refused reports whether the store took nothing. An error that is not known
// leaves that open, as ErrUncertain does.
func refused(err error) bool {
	return errors.Is(err, store.ErrFull) || errors.Is(err, store.ErrUnavailable) || errors.Is(err, store.ErrNotReady) || errors.Is(err, store.ErrTooLarge)
}

func refusalOf(err error) *refusal {
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, store.ErrFull):
		status = http.StatusInsufficientStorage
	case errors.Is(err, store.ErrTooLarge):
		status = http.StatusRequestEntityTooLarge
	}
	return &refusal{status, err.Error(), !refused(err)}
}

// Remember takes the note of a batch that is read again from the log; arrival is
// when it arrived, Unix ms. The store calls it in the order of the log before
// the first request.
func (p *Pipeline) Remember(text []byte, arrival int64) {
	if n, err := parseNote(text); err == nil { // else of a version to come: its request can be repeated
		p.memory.remember(&n, text, arrival)
	}
}

// AppendNotes appends the notes of all requests that are in the store, for a
// snapshot of it. It waits for those that the store is about to take, so it must
// not be called by what they wait for.
func (p *Pipeline) AppendNotes(dst []byte) []byte {
	m := p.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.order
	for m.committing(last) {
		m.settled.Wait()
	}
	dst = append(dst, notesVersion)
	for _, q := range m.queue {
		dst = field.AppendText(dst, q.note)
	}
	return dst
}

func (m *memory) committing(last uint64) bool {
	for _, order := range m.commits {
		if order <= last {
			return true
		}
	}
	return false
}

// RestoreNotes takes what AppendNotes wrote. After an error the notes before the
// damage are there.
func (p *Pipeline) RestoreNotes(src []byte) error {
	r := field.Reader{Rest: src}
	if r.Byte() != notesVersion {
		return errNotes
	}
	for len(r.Rest) > 0 {
		text := r.Text() // nothing when it is cut short, which is no note
		one, err := parseNote(text)
		if err != nil {
			return err
		}
		p.memory.remember(&one, text, math.MinInt64) // nothing is over yet
	}
	return nil
}

// valueParts are the parts of a request for one value.
func valueParts(name string, more tags.Tags, value float64) [][]byte {
	parts := [][]byte{[]byte(name), binary.LittleEndian.AppendUint64(nil, math.Float64bits(value))}
	for _, x := range more {
		parts = append(parts, []byte(x.Key), []byte(x.Value))
	}
	return parts
}
