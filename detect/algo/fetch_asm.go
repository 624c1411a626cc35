//go:build amd64 || arm64

package algo

// fetch asks for the cache lines of d's state from a byte on. It reads nothing, so
// that any address will do.
//
//go:noescape
func fetch(d Detector, from, bytes int)
