package ingest_test

import (
	"fmt"
	"slices"
	"testing"

	"pulse/ingest"
	"pulse/store"
	"pulse/store/match"
)

// FuzzPipeline sends a body to both routes, twice: the second time its series
// are known and found by the text of their tags, which must not change what is
// accepted. A pipeline that never saw the body must say the same.
func FuzzPipeline(f *testing.F) {
	f.Add([]byte(`{"tags":{"nf.app":"www"},"metrics":[` + gaugeBody("cpu", now, 1) + `,{"tags":{"name":"n"},"timestamp":5}]}`))
	f.Add([]byte(`[` + gaugeBody("a}b", now, 1) + `,` + gaugeBody("cpu", now, 1) + `]`))
	f.Add([]byte(`[{"tags":{"name":"ok"/*}*/},"timestamp":1700000000000,"value":NaN}]`))
	f.Add([]byte(`[{"tags":{"name":"},{},{\"tags\":{\"name\":\"ok\"},\"timestamp\":1700000000000"},"value":1}]`))
	f.Add([]byte(`[4,"name","cpu","x y","z",2,0,1,2,3,0,5,1,0,1,10,NaN,0,0,-1]`))
	f.Add([]byte(`[2,"name","cpu",1,"id",1,0,1,1700000000000,2.5]`))
	st := newStore(f, store.Options{NewSeriesRate: -1, MaxSeries: 4_000_000, MaxValuesPerKey: 4_000_000})
	used := ingest.New(st, ingest.Options{})
	f.Fuzz(func(t *testing.T, body []byte) {
		fresh := newPipeline(t, ingest.Options{})
		for _, route := range []func(*ingest.Pipeline, []byte, ingest.From, int64) ingest.Answer{(*ingest.Pipeline).Publish, (*ingest.Pipeline).Update} {
			first := route(fresh, body, here, now)
			for range 2 {
				again := route(used, body, here, now)
				if again.Accepted != again.Stored+again.Superseded+again.Late {
					t.Fatalf("%q: %+v", body, again)
				}
				if again.Status != first.Status || again.Accepted != first.Accepted || again.ErrorCount != first.ErrorCount ||
					again.Message != first.Message || !slices.Equal(again.Messages, first.Messages) {
					t.Fatalf("%q:\nfirst %+v\nagain %+v", body, first, again)
				}
			}
		}
	})
}

// TestBracesInTags sends tags that hold what usually ends them.
func TestBracesInTags(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{RelaxedTags: true})
	body := `[` + gaugeBody("a}b", now, 1) + `,` + gaugeBody("}", now, 2) + `,{"tags":{"name":"x","atlas.dstype":"gauge"/* } */},"timestamp":` +
		fmt.Sprint(now) + `,"value":3},` + gaugeBody("plain", now, 4) + `]`
	want := []string{"atlas.dstype=gauge,name=a}b 1", "atlas.dstype=gauge,name=plain 4", "atlas.dstype=gauge,name=x 3", "atlas.dstype=gauge,name=} 2"}
	for range 2 {
		if a := p.Publish([]byte(body), here, now); a.Status != 200 || a.Accepted != 4 {
			t.Errorf("%+v", a)
		}
		if got := stored(t, st, now); !slices.Equal(got, want) {
			t.Errorf("stored %q, want %q", got, want)
		}
	}
	// What reads as two metrics when braces in strings count must be neither.
	trick := `[{"tags":{"name":"x"},"timestamp":` + fmt.Sprint(now) + `,"value":1},{"tags":{"k":"},{"},"value":2,"w":"}]`
	if a := p.Publish([]byte(trick), here, now); a.Status != 400 || a.Accepted != 0 || a.Message == "" {
		t.Errorf("%+v", a)
	}
	if n := len(st.Values("name", match.True, "", 10)); n != 4 {
		t.Errorf("%d names, want 4", n)
	}
}
