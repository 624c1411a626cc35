package store

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strings"
	"sync"

	"pulse/store/tags"
)

// refusals counts the new series that were refused, by limit, and finds out
// which names and keys bring most of them.
type refusals struct {
	mu      sync.Mutex
	total   int64
	byLimit map[string]int64
	names   sketch
	keys    sketch
	halved  int64 // time of the last halving of the sketches
}

// Refusals is what is known of the new series that were refused.
//
//	Total    since the start
//	ByLimit  the same by limit: series, new series per second, values per tag key, ...
//	Names    the names that most of them had lately, the worst first
//	Keys     the keys that had a new value in most of them lately
type Refusals struct {
	Total   int64
	ByLimit map[string]int64
	Names   []Offender
	Keys    []Offender
}

// Offender is a text that refused series had, and in about how many: at most
// Count, at least Count - Over. Counts are halved every hour.
type Offender struct {
	Text  string
	Count int64
	Over  int64
}

const (
	offenders   = 10 // listed
	forgetAfter = 3600_000
)

// count notes that a series with tags t was refused by a limit. strange says
// which tags no series has. It allocates only for a limit or a text that is
// longer than those before it.
func (r *refusals) count(what string, t tags.Tags, strange uint64, now int64) {
	if rest, ok := strings.CutPrefix(what, "values for tag key "); ok {
		what = "values per tag key"
		strange = 0
		for i := range t[:min(len(t), 64)] {
			if t[i].Key == rest {
				strange = 1 << i
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byLimit == nil {
		r.byLimit = map[string]int64{}
		r.names.seed, r.keys.seed = maphash.MakeSeed(), maphash.MakeSeed()
	}
	if now >= r.halved+forgetAfter || now < r.halved {
		r.names.halve()
		r.keys.halve()
		r.halved = now
	}
	r.total++
	r.byLimit[what]++
	for i := range t {
		if t[i].Key == "name" {
			r.names.add(t[i].Value)
		}
		if i < 64 && strange&(1<<i) != 0 {
			r.keys.add(t[i].Key)
		}
	}
}

func (r *refusals) stats() Refusals {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Refusals{Total: r.total, ByLimit: map[string]int64{}, Names: r.names.top(), Keys: r.keys.top()}
	for what, n := range r.byLimit {
		out.ByLimit[what] = n
	}
	return out
}

// sketch counts the most frequent of any number of texts in little memory:
// the space-saving algorithm of Metwally, Agrawal and El Abbadi (2005). A text
// that is not among those counted takes the place of the rarest, and its count
// as an error. A text whose share is above 1 in len(places) is always there.
type sketch struct {
	seed   maphash.Seed
	places [64]tally
}

type tally struct {
	hash        uint64
	count, over int64
	text        []byte
}

const offenderBytes = 128 // of a text that are kept

func (s *sketch) add(text string) {
	hash := maphash.String(s.seed, text)
	rarest := 0
	for i := range s.places {
		p := &s.places[i]
		if p.hash == hash && p.count > 0 {
			p.count++
			return
		}
		if p.count < s.places[rarest].count {
			rarest = i
		}
	}
	p := &s.places[rarest]
	p.hash, p.over = hash, p.count
	p.count++
	p.text = append(p.text[:0], text[:min(len(text), offenderBytes)]...)
}

func (s *sketch) halve() {
	for i := range s.places {
		s.places[i].count /= 2
		s.places[i].over /= 2
	}
}

// top returns the most frequent texts, the worst first.
func (s *sketch) top() []Offender {
	var out []Offender
	for _, p := range s.places {
		if p.count > 0 {
			out = append(out, Offender{string(p.text), p.count, p.over})
		}
	}
	slices.SortFunc(out, func(a, b Offender) int {
		return cmp.Or(cmp.Compare(b.Count-b.Over, a.Count-a.Over), cmp.Compare(a.Text, b.Text))
	})
	return out[:min(len(out), offenders)]
}
