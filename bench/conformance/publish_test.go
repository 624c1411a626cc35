package conformance

import (
	"fmt"

	"pulse/ingest"
	"pulse/ingest/publish"
	"pulse/store/tags"
)

// rule checks tags by one rule alone.
func rule(c *testCase) error {
	var input struct{ Tags map[string]string }
	var given struct {
		Rule   string
		Config map[string]any
	}
	var expect struct {
		Valid   bool
		Message string
	}
	if err := c.read(&input, &given, &expect); err != nil {
		return err
	}
	r, err := ingest.NewRule(given.Rule, given.Config)
	if err != nil {
		return err
	}
	v := r.Check(tags.FromMap(input.Tags))
	if (v == nil) != expect.Valid {
		return fmt.Errorf("  got   %v\n  want  valid %v", v, expect.Valid)
	}
	if expect.Message != "" && v != nil {
		return equal(plain(v.Error()), plain(expect.Message))
	}
	return nil
}

// wantedPoints is what a payload must decode to.
type wantedPoints struct {
	failure
	tolerance
	Datapoints, Updates []struct {
		Tags      map[string]string
		Timestamp int64
		Op        string
		Value     number
	}
}

func (w *wantedPoints) compare(got []publish.Point) error {
	want := append(w.Datapoints, w.Updates...)
	if len(got) != len(want) {
		return fmt.Errorf("  got   %v (%d points)\n  want  %d points", got, len(got), len(want))
	}
	ops := map[publish.Op]string{publish.Add: "add", publish.Max: "max"}
	for i, p := range got {
		x := want[i]
		if !p.Tags.Equal(tags.FromMap(x.Tags)) || p.Time != x.Timestamp || ops[p.Op] != x.Op || !w.near(p.Value, float64(x.Value)) {
			return fmt.Errorf("  got   %v\n  want  %v (at %d)", p, x, i)
		}
	}
	return nil
}

// decode runs a decoder over a body.
func (w *wantedPoints) decode(body []byte, decoder func(*publish.Batch, []byte, publish.Limits) error) error {
	var b publish.Batch
	if err := decoder(&b, body, publish.Limits{}); err != nil || w.wanted() {
		return w.check(err)
	}
	return w.compare(b.Points())
}

func decodeJSON(c *testCase) error {
	var expect wantedPoints
	if err := c.read(new(any), nil, &expect); err != nil {
		return err
	}
	return expect.decode(c.Input, publish.Decode)
}

func decodeText(c *testCase) error {
	var input string
	var expect wantedPoints
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	return expect.decode([]byte(input), publish.Decode)
}

func decodeUpdate(c *testCase) error {
	var expect wantedPoints
	if err := c.read(new(any), nil, &expect); err != nil {
		return err
	}
	return expect.decode(c.Input, publish.DecodeUpdate)
}
