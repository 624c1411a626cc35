package notify_test

import (
	"context"
	"errors"
	"net/netip"
)

// names is a resolver without a network: example.com has one public address,
// and every other name those of its entry.
type names map[string][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	list, ok := n[host]
	if !ok {
		if len(host) > 12 && host[len(host)-12:] == ".example.com" {
			return []netip.Addr{netip.MustParseAddr("93.184.216.34")}, nil
		}
		return nil, errors.New("no such host")
	}
	var out []netip.Addr
	for _, text := range list {
		out = append(out, netip.MustParseAddr(text))
	}
	return out, nil
}
