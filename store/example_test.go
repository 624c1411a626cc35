package store_test

import (
	"context"
	"fmt"

	"pulse/store"
	"pulse/store/match"
	"pulse/store/tags"
)

// One publish and one query.
func Example() {
	s, err := store.New(store.Options{})
	if err != nil {
		panic(err)
	}
	const now = int64(1_700_000_000_000) // a multiple of ten seconds

	// A sender's two series, named by the bytes it sent.
	batch := store.Batch{Source: s.Source("10.0.0.1 app=www", now), Arrival: now, Amount: true}
	var trail store.Trail
	for _, region := range []string{"eu", "us"} {
		raw := []byte(`{"name":"sps","region":"` + region + `"}`)
		ref, ok := s.Follow(&trail, store.Hash{}, raw)
		if !ok { // first sight: only now the tags are looked at
			ref, err = s.Resolve(s.HashTags(store.Hash{}, raw), tags.Of("name", "sps", "region", region, "atlas.dstype", "sum"), now)
			if err != nil {
				panic(err)
			}
		}
		batch.Add(ref, now, 35)
	}
	fmt.Println(s.Append(&batch, now))

	lines, _, err := s.Scan(context.Background(), store.Scan{
		Query: &match.Equal{Key: "name", Value: "sps"},
		Start: now - 20_000,
		End:   now,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(lines[0].Values)
	// Output:
	// {2 0 0 0}
	// [NaN 7]
}
