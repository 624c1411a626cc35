package detect_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.etcd.io/bbolt"

	"pulse/detect"
)

// TestDamagedEnded: a record of an ended incident that cannot be read costs nobody the
// others: lists, accounts of what happened and previews pass by it. It is told of once and
// counted, and only who asks for that very incident hears of it.
func TestDamagedEnded(t *testing.T) {
	r := newRig(t, second)
	r.to(0)
	r.put(lowFor3)
	for i := range int64(4) { // four incidents, from 10 s, 20 s, 30 s and 40 s
		r.feed(10*i+1, 10*i+9, map[string]float64{"eu": 100})
		r.feed(10*i+10, 10*i+15, map[string]float64{"eu": 1})
		r.feed(10*i+16, 10*i+18, map[string]float64{"eu": 100})
	}
	all := r.alerts("resolved")
	if len(all) != 4 {
		t.Fatalf("%d incidents ended", len(all))
	}
	harm := map[string]func(text []byte) []byte{
		all[0].Incident: func(text []byte) []byte { return text[:len(text)/2] },
		all[2].Incident: func(text []byte) []byte {
			return bytes.Replace(text, []byte(all[2].Incident), []byte(all[3].Incident), 1)
		},
	}
	err := r.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("detect")).Bucket([]byte("resolved"))
		for id, f := range harm {
			cursor := b.Cursor()
			for key, text := cursor.First(); key != nil; key, text = cursor.Next() {
				if strings.HasSuffix(string(key), id) {
					if err := b.Put(bytes.Clone(key), f(bytes.Clone(text))); err != nil {
						return err
					}
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	r.log = zerolog.New(&log)
	r.start()
	for range 3 {
		if left := r.alerts(""); len(left) != 2 || left[0].Incident != all[1].Incident || left[1].Incident != all[3].Incident {
			t.Fatalf("%d alerts are listed", len(left))
		}
		r.wantReason("eu", 34, detect.ReasonQueued, all[1].Incident)
	}
	for _, a := range all {
		one, err := r.engine.AlertByID(t.Context(), a.Incident)
		if broken := harm[a.Incident] != nil; broken != errors.Is(err, detect.ErrDamaged) || !broken && (err != nil || one.Incident != a.Incident) {
			t.Errorf("incident %s, damaged %v: %v", a.Incident, broken, err)
		}
	}
	matchers, since, err := detect.ParsePreview([]byte(`{"matchers":["region=eu"],"since":"1h"}`))
	if err != nil {
		t.Fatal(err)
	}
	if p, err := r.engine.PreviewSilence(matchers, since, r.now()); err != nil || p.Past.Count != 2 {
		t.Errorf("preview: %+v, %v", p.Past, err)
	}
	if n := strings.Count(log.String(), "record of the incident is damaged"); n != 2 || r.engine.Stats().Damaged != 2 {
		t.Errorf("told %d times, counted %d:\n%s", n, r.engine.Stats().Damaged, &log)
	}
}
