package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pulse/query"
	"pulse/store"
)

// What is in a file comes out of it: every point at its step, however many there
// are and over however long.
func TestQueryOfALongFile(t *testing.T) {
	const n, series = 20_000, 3 // 11 weeks of 5 minutes
	var file strings.Builder
	for i := range n {
		for k := range series {
			fmt.Fprintf(&file, `{"tags":{"name":"load","node":"%d"},"timestamp":%d,"value":%d}`+"\n", k, int64(i+1)*300_000, i%100+k)
		}
	}
	all, every, err := readSeries(strings.NewReader(file.String()), "test", 0)
	if err != nil || every != 300_000 || len(all) != series {
		t.Fatalf("%d series, step %d, %v", len(all), every, err)
	}
	st, first, last, err := storeOf(context.Background(), all, every)
	if err != nil || first != 300_000 || last != n*300_000 {
		t.Fatalf("from %d to %d, %v", first, last, err)
	}
	defer st.Close()
	e := query.New(st, query.Options{Limits: query.Limits{DatapointsPerLine: n, DatapointsRead: 1 << 40}})
	g, err := e.Eval(context.Background(), query.Request{Program: "name,load,:eq", Start: 0, End: last, Step: 300_000})
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range g.Lines[0].Values {
		if want := float64(3*(i%100) + 3); v != want {
			t.Fatalf("value %d is %v, want %v", i, v, want)
		}
	}
}

// busy is a store that has room after some calls of Advance.
type busy struct{ imports, left int }

func (b *busy) Advance(int64) { b.left-- }

func (b *busy) Import(*store.ImportBatch, int64) (store.ImportResult, error) {
	b.imports++
	if b.left > 0 {
		return store.ImportResult{}, fmt.Errorf("%w: busy", store.ErrUnavailable)
	}
	return store.ImportResult{}, nil
}

// A store that has no room is waited for, not forever, and not by who has given up.
func TestFillWaits(t *testing.T) {
	line := store.ImportLine{Times: make([]int64, 25_000), Values: make([]float64, 25_000)}
	st := &busy{left: 3}
	if err := fill(context.Background(), st, line, 0); err != nil || st.imports != 6 {
		t.Errorf("%d imports, %v", st.imports, err)
	}
	st = &busy{left: 1 << 40}
	if err := fill(context.Background(), st, line, 0); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a store without room: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := fill(ctx, &busy{}, line, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// A file is read or refused with its line; nothing in it stops the program.
func FuzzQueryFile(f *testing.F) {
	for _, s := range []string{
		`{"tags":{"name":"a"},"timestamp":1700000000000,"value":1}`, `{"tags":{"a":"b"},"step":"1m","timestamps":[60000,120000],"values":[1,"NaN"]}`,
		"{}\n[]", "null", `{"tags":{"a":""},"timestamp":0,"value":1e308}`, `{"tags":{"a":"b"},"timestamps":[1,9007199254740992],"values":[1,2]}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, every, err := readSeries(strings.NewReader(text), "file", 0)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "file: line ") {
				t.Fatal(err)
			}
			return
		}
		points := 0
		for _, s := range all {
			points += len(s.times)
			for _, at := range s.times {
				if at%every != 0 {
					t.Fatalf("value at %d, step %d", at, every)
				}
			}
		}
		st, _, _, err := storeOf(context.Background(), all, every)
		if err == nil {
			st.Close()
		} else if points > 0 && !strings.Contains(err.Error(), " ") {
			t.Fatal(err)
		}
	})
}
