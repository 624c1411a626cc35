package wal_test

import (
	"testing"

	"pulse/bench/testkit"
	"pulse/store/wal"
)

// Neither direction allocates once its buffers have grown.
func TestRecordAllocations(t *testing.T) {
	for name, gaps := range map[string]bool{"steady": false, "with gaps": true} {
		f := newFleet(3, 500, 40, 10_000, gaps)
		e, d := wal.NewEncoder(wal.EncoderOptions{}), wal.NewDecoder()
		var dst []byte
		lsn, k := uint64(1), 0
		encode := func() {
			e.Begin(lsn)
			for i := range f.batches[k] {
				dst = e.Batch(dst[:0], &f.batches[k][i], nil, nil)
				lsn++
			}
			k = (k + 1) % len(f.batches)
		}
		for range 10 * len(f.batches) {
			encode()
		}
		testkit.NoAllocs(t, "encode "+name, encode)

		var payloads [][]byte
		e.Reset()
		for _, step := range f.batches {
			for i := range step {
				e.Begin(lsn)
				payloads = append(payloads, e.Batch(nil, &step[i], nil, nil))
				if err := d.Scan(lsn, payloads[len(payloads)-1]); err != nil {
					t.Fatal(err)
				}
				lsn++
			}
		}
		decode := func() {
			for i, p := range payloads {
				if _, err := d.Decode(uint64(i+1), p, wal.AllPartitions); err != nil {
					t.Fatal(err)
				}
			}
		}
		decode()
		testkit.NoAllocs(t, "decode "+name, decode)
	}
}
