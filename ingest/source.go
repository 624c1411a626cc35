package ingest

import (
	"pulse/store/tags"
)

// From says who sent a request.
type From struct {
	Peer   string // address without port
	Token  string // name of the token, never its secret; replaces Peer when set
	Header string // X-Pulse-Source, for several senders behind one address

	// Key is the Idempotency-Key that makes the request repeatable, "" when none
	// was sent. It belongs to the token or the address.
	Key string
}

// maxPart is the most bytes each part from outside takes in a source's key, so
// that four of them stay below what the store keeps of a key.
const maxPart = 120

// appendSource appends the key of the source that sent a request, such as
// `10.0.0.1 app=www node=i-1 source=blue`. app and node are the values of nf.app
// and nf.node, empty when absent. Parts from outside are cut, and what could be
// taken for the key's own text is written as %XX.
func appendSource(dst []byte, from From, app, node string) []byte {
	if from.Token != "" {
		dst = appendPart(append(dst, "token:"...), from.Token)
	} else {
		dst = appendPart(dst, from.Peer)
	}
	if app != "" {
		dst = appendPart(append(dst, " app="...), app)
	}
	if node != "" {
		dst = appendPart(append(dst, " node="...), node)
	}
	if from.Header != "" {
		dst = appendPart(append(dst, " source="...), from.Header)
	}
	return dst
}

func appendPart(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	end := len(dst) + maxPart
	for i := 0; i < len(s) && len(dst)+3 <= end; i++ {
		if c := s[i]; c > ' ' && c < 0x7F && c != '%' && c != '=' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

// appAndNode fills in what is still empty from t.
func appAndNode(app, node string, t tags.Tags) (string, string) {
	for _, x := range t {
		switch {
		case x.Key == "nf.app" && app == "":
			app = x.Value
		case x.Key == "nf.node" && node == "":
			node = x.Value
		}
	}
	return app, node
}
