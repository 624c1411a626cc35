package route

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// bounded returns a group key that is longer than maxGroupKey cut, with a hash of the
// whole at its end.
func bounded(key string) string {
	if len(key) <= maxGroupKey {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	tail := "#" + hex.EncodeToString(sum[:16])
	return strings.ToValidUTF8(key[:maxGroupKey-len(tail)], "") + tail
}
