// Package tags names a series: a sorted set of string keys and values.
//
// `name` is a key like any other. A Tags value is immutable once it is handed
// out: every function returns fresh memory, so values may be shared between
// goroutines without locks.
package tags

import (
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// Tag is one key and its value.
type Tag struct {
	Key, Value string
}

// Tags is a set of tags in ascending order of key, each key once.
type Tags []Tag

// FromMap returns the tags of m.
func FromMap(m map[string]string) Tags {
	t := make(Tags, 0, len(m))
	for k, v := range m {
		t = append(t, Tag{k, v})
	}
	slices.SortFunc(t, byKey)
	return t
}

// Of returns the tags of alternating keys and values; it is meant for
// literals. A later value of a key replaces an earlier one.
func Of(keysAndValues ...string) Tags {
	m := make(map[string]string, len(keysAndValues)/2)
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		m[keysAndValues[i]] = keysAndValues[i+1]
	}
	return FromMap(m)
}

// Normalize sorts t in place by key and drops all but the last tag of a
// repeated key. It returns the shortened slice.
func Normalize(t Tags) Tags {
	slices.SortStableFunc(t, byKey)
	out := t[:0]
	for i := range t {
		if i+1 < len(t) && t[i+1].Key == t[i].Key {
			continue
		}
		out = append(out, t[i])
	}
	return out
}

func byKey(a, b Tag) int { return strings.Compare(a.Key, b.Key) }

// Get returns the value of key and whether it is present.
func (t Tags) Get(key string) (string, bool) {
	for i := range t {
		if t[i].Key == key {
			return t[i].Value, true
		}
	}
	return "", false
}

// Map returns the tags as a new map.
func (t Tags) Map() map[string]string {
	m := make(map[string]string, len(t))
	for _, x := range t {
		m[x.Key] = x.Value
	}
	return m
}

// With returns a copy of t in which key has value.
func (t Tags) With(key, value string) Tags {
	out := make(Tags, 0, len(t)+1)
	out = append(append(out, t...), Tag{key, value})
	return Normalize(out)
}

// Without returns a copy of t that lacks key.
func (t Tags) Without(key string) Tags {
	out := make(Tags, 0, len(t))
	for _, x := range t {
		if x.Key != key {
			out = append(out, x)
		}
	}
	return out
}

// Equal reports whether both sets hold the same tags.
func (t Tags) Equal(o Tags) bool { return slices.Equal(t, o) }

// Compare orders sets by key and value, tag by tag; a set that is the
// beginning of another comes first.
func (t Tags) Compare(o Tags) int {
	return slices.CompareFunc(t, o, func(a, b Tag) int {
		if c := strings.Compare(a.Key, b.Key); c != 0 {
			return c
		}
		return strings.Compare(a.Value, b.Value)
	})
}

// String returns `k1=v1,k2=v2`, the text that Atlas hashes for its item id.
func (t Tags) String() string { return string(t.AppendText(nil)) }

// AppendText appends the form of String to dst.
func (t Tags) AppendText(dst []byte) []byte {
	for i, x := range t {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, x.Key...), '='), x.Value...)
	}
	return dst
}

// AppendKey appends a form in which no two different sets are equal, whatever
// characters they hold: each text is preceded by its length as a uvarint.
func (t Tags) AppendKey(dst []byte) []byte {
	for _, x := range t {
		dst = binary.AppendUvarint(dst, uint64(len(x.Key)))
		dst = append(dst, x.Key...)
		dst = binary.AppendUvarint(dst, uint64(len(x.Value)))
		dst = append(dst, x.Value...)
	}
	return dst
}

// ID returns Atlas's item id: the SHA-1 of String as 40 lower-case hex digits.
func (t Tags) ID() string {
	sum := sha1.Sum(t.AppendText(nil))
	return hex.EncodeToString(sum[:])
}

// Hash returns a 64-bit hash of the set that is the same in every process and
// release: FNV-1a over AppendKey with a final mix. It decides the partition of
// a series, so it must never change.
func (t Tags) Hash() uint64 {
	const offset, prime = 14695981039346656037, 1099511628211
	h := uint64(offset)
	var buf [256]byte
	for _, b := range t.AppendKey(buf[:0]) {
		h = (h ^ uint64(b)) * prime
	}
	h ^= h >> 32
	h *= 0x9E3779B97F4A7C15
	return h ^ h>>29
}
