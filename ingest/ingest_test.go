package ingest_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pulse/ingest"
	"pulse/store"
	"pulse/store/match"
	"pulse/store/tags"
)

const now = int64(1_700_000_000_000)

var here = ingest.From{Peer: "10.0.0.1"}

func newStore(tb testing.TB, o store.Options) *store.Store {
	tb.Helper()
	st, err := store.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	return st
}

func newPipeline(tb testing.TB, o ingest.Options) *ingest.Pipeline {
	tb.Helper()
	return ingest.New(newStore(tb, store.Options{}), o)
}

// stored returns the values of every series at the step stamped at, as
// `tags value` in order.
func stored(tb testing.TB, st *store.Store, at int64) []string {
	tb.Helper()
	lines, _, err := st.Scan(context.Background(), store.Scan{Query: match.True, Agg: store.AggAll, Start: at - st.Step(), End: at})
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, l := range lines {
		if v := l.Values[0]; v == v {
			out = append(out, fmt.Sprintf("%s %v", l.Tags, v))
		}
	}
	slices.Sort(out)
	return out
}

// checkSum checks the invariant of every answer.
func checkSum(tb testing.TB, a ingest.Answer, sent int) {
	tb.Helper()
	if a.Accepted != a.Stored+a.Superseded+a.Late || a.Accepted+a.ErrorCount != sent {
		tb.Errorf("accepted %d = stored %d + superseded %d + late %d, rejected %d, of %d sent",
			a.Accepted, a.Stored, a.Superseded, a.Late, a.ErrorCount, sent)
	}
}

func gaugeBody(name string, t int64, v float64) string {
	return fmt.Sprintf(`{"tags":{"name":%q,"atlas.dstype":"gauge"},"timestamp":%d,"value":%v}`, name, t, v)
}

func TestPublish(t *testing.T) {
	f := func(name, body string, sent int, want ingest.Answer, values ...string) {
		t.Helper()
		st := newStore(t, store.Options{})
		p := ingest.New(st, ingest.Options{})
		a := p.Publish([]byte(strings.ReplaceAll(body, "@now", fmt.Sprint(now))), here, now)
		checkSum(t, a, sent)
		if a.Status != want.Status || a.Type != want.Type || a.ErrorCount != want.ErrorCount || a.Message != want.Message ||
			!slices.Equal(a.Messages, want.Messages) {
			t.Errorf("%s: %+v\nwant %+v", name, a, want)
		}
		if got := stored(t, st, now); !slices.Equal(got, values) {
			t.Errorf("%s: stored %q, want %q", name, got, values)
		}
	}
	failed := func(n int, messages ...string) ingest.Answer {
		return ingest.Answer{Status: 400, Type: "error", ErrorCount: n, Messages: messages}
	}
	f("good", `{"tags":{"nf.app":"www"},"metrics":[{"tags":{"name":"cpu","atlas.dstype":"gauge"},"timestamp":@now,"value":42.5}]}`,
		1, ingest.Answer{Status: 200}, "atlas.dstype=gauge,name=cpu,nf.app=www 42.5")
	f("empty object", `{}`, 0, ingest.Answer{Status: 400, Type: "error", Message: "empty payload"})
	f("empty list", `[]`, 0, ingest.Answer{Status: 400, Type: "error", Message: "empty payload"})
	f("unreadable", `fubar`, 0, ingest.Answer{Status: 400, Type: "error", Message: "unreadable payload: expected an object or a list at byte 0"})
	f("broken at the end", `[`+gaugeBody("cpu", now, 1)+`,{"value":x}]`, 0,
		ingest.Answer{Status: 400, Type: "error", Message: "unreadable payload: expected a value at byte 93"})
	f("partial", `[`+gaugeBody("cpu", now/1000, 1)+`,`+gaugeBody("mem", now, 2)+`]`, 2,
		ingest.Answer{Status: 202, Type: "partial", ErrorCount: 1, Messages: []string{
			`data is too old: now = 1700000000000, timestamp = 1700000000, 1698300000000 > 60000 (tags={"atlas.dstype":"gauge","name":"cpu"})`}},
		"atlas.dstype=gauge,name=mem 2")
	f("future", `[`+gaugeBody("cpu", now+10_001, 1)+`]`, 1,
		failed(1, `data is from future: now = 1700000000000, timestamp = 1700000010001 (tags={"atlas.dstype":"gauge","name":"cpu"})`))
	f("no timestamp", `[{"tags":{"name":"cpu"},"value":1}]`, 1,
		failed(1, `data is too old: now = 1700000000000, timestamp = -1, 1700000000001 > 60000 (tags={"name":"cpu"})`))
	f("age before tags", `[{"tags":{"x":""},"timestamp":5,"value":1}]`, 1,
		failed(1, `data is too old: now = 1700000000000, timestamp = 5, 1699999999995 > 60000 (tags={"x":""})`))
	f("farthest past", `[{"timestamp":-9223372036854775807,"value":1}]`, 1,
		failed(1, `data is too old: now = 1700000000000, timestamp = -9223372036854775807, 9223372036854775807 > 60000 (tags={})`))
	f("no name", `[{"tags":{"no-name":"x"},"timestamp":@now,"value":1}]`, 1, failed(1, `missing key 'name' (tags={"no-name":"x"})`))
	f("no tags", `[{"timestamp":@now,"value":1}]`, 1, failed(1, `missing key 'name' (tags={})`))
	f("null tag is dropped and the rest checked", `[{"tags":{"name":null},"timestamp":@now,"value":1}]`, 1, failed(1, `missing key 'name' (tags={})`))
	f("short name", `[{"tags":{"name":"a"},"timestamp":@now,"value":1}]`, 1, failed(1, `value too short: name = [a] (1 < 2) (tags={"name":"a"})`))
	f("reserved", `[{"tags":{"name":"ok","nf.bogus":"v"},"timestamp":@now,"value":1}]`, 1,
		failed(1, `invalid key for reserved prefix 'nf.': nf.bogus (tags={"name":"ok","nf.bogus":"v"})`))
	f("characters", `[{"tags":{"name":"ok","kk":"a b"},"timestamp":@now,"value":1}]`, 1,
		failed(1, `invalid characters in value: kk = [a b] ([-.0-9A-Z^_a-z~] are allowed) (tags={"kk":"a b","name":"ok"})`))
	f("common tags count", `{"tags":{"kk":"a b"},"metrics":[{"tags":{"name":"ok"},"timestamp":@now,"value":1}]}`, 1,
		failed(1, `invalid characters in value: kk = [a b] ([-.0-9A-Z^_a-z~] are allowed) (tags={"kk":"a b","name":"ok"})`))
	f("metric wins", `{"metrics":[{"tags":{"name":"ok","kk":"v"},"timestamp":@now,"value":1}],"tags":{"kk":"a b","atlas.dstype":"gauge"}}`, 1,
		ingest.Answer{Status: 200}, "atlas.dstype=gauge,kk=v,name=ok 1")
	f("NaN is accepted and not stored", `[{"tags":{"name":"nan"},"timestamp":@now,"value":"NaN"},`+gaugeBody("cpu", now, 1)+`]`, 2,
		ingest.Answer{Status: 200}, "atlas.dstype=gauge,name=cpu 1")
	f("NaN under bad tags is rejected", `[{"tags":{"name":"n"},"timestamp":@now,"value":NaN}]`, 1,
		failed(1, `value too short: name = [n] (1 < 2) (tags={"name":"n"})`))
	f("gauge keeps the maximum", `[`+gaugeBody("cpu", now, 1)+`,`+gaugeBody("cpu", now-1, 3)+`,`+gaugeBody("cpu", now, 2)+`]`, 3,
		ingest.Answer{Status: 200}, "atlas.dstype=gauge,name=cpu 3")
	f("infinity", `[{"tags":{"name":"inf","atlas.dstype":"gauge"},"timestamp":@now,"value":Infinity}]`, 1,
		ingest.Answer{Status: 200}, "atlas.dstype=gauge,name=inf +Inf")
	f("compact", `[4,"name","cpu","atlas.dstype","gauge",1,"id",2,0,1,2,3,@now,1.5]`, 1,
		ingest.Answer{Status: 200}, "atlas.dstype=gauge,name=cpu 1.5")

	var long, six []string
	for i := range 6 {
		six = append(six, `{"tags":{"name":"a"},"timestamp":@now,"value":1}`)
		if i < 5 {
			long = append(long, `value too short: name = [a] (1 < 2) (tags={"name":"a"})`)
		}
	}
	f("five messages, all counted", `[`+strings.Join(six, ",")+`]`, 6, failed(6, long...))
}

func TestMessageTags(t *testing.T) {
	p := newPipeline(t, ingest.Options{})
	f := func(value, want string) {
		t.Helper()
		a := p.Publish(fmt.Appendf(nil, `[{"tags":{"k":"%s"},"timestamp":%d,"value":1}]`, value, now), here, now)
		if want = "missing key 'name' (tags=" + want + ")"; len(a.Messages) != 1 || a.Messages[0] != want {
			t.Errorf("got  %q\nwant %q", a.Messages, want)
		}
	}
	f(strings.Repeat("v", 192), `{"k":"`+strings.Repeat("v", 192)+`"}`) // 200 bytes
	f(strings.Repeat("v", 193), `{"k":"`+strings.Repeat("v", 193)+`"...`)
	f(strings.Repeat("v", 9999), `{"k":"`+strings.Repeat("v", 194)+`...`)
	f("x"+strings.Repeat("ü", 200), `{"k":"x`+strings.Repeat("ü", 96)+`...`)
	f(`\u0000\"\\\n`, `{"k":"\u0000\"\\\u000a"}`)
}

func TestLimits(t *testing.T) {
	body := func(n int, tagsPer int) []byte {
		var sb strings.Builder
		sb.WriteString(`{"tags":{"name":"many"`)
		for i := range tagsPer {
			fmt.Fprintf(&sb, `,"k%d":"v"`, i)
		}
		sb.WriteString(`},"metrics":[`)
		for i := range n {
			if i > 0 {
				sb.WriteByte(',')
			}
			fmt.Fprintf(&sb, `{"timestamp":%d,"value":1}`, now)
		}
		return []byte(sb.String() + `]}`)
	}
	p := newPipeline(t, ingest.Options{Limits: ingest.Limits{Points: 10}})
	if a := p.Publish(body(11, 0), here, now); a.Status != 413 || a.Message != "more than 10 datapoints in one request" {
		t.Errorf("too many points: %+v", a)
	}
	relaxed := newPipeline(t, ingest.Options{RelaxedTags: true})
	if a := relaxed.Publish(body(1, 29), here, now); a.Status != 200 {
		t.Errorf("30 tags: %+v", a)
	}
	for _, n := range []int{30, 200} {
		a := relaxed.Publish(body(1, n), here, now)
		if a.Status != 400 || len(a.Messages) != 1 || !strings.HasPrefix(a.Messages[0], "too many tags: more than 30 (tags={") {
			t.Errorf("%d tags: %+v", n+1, a)
		}
	}

	st := newStore(t, store.Options{MaxSeries: 2})
	p = ingest.New(st, ingest.Options{})
	three := `[` + gaugeBody("aa", now, 1) + `,` + gaugeBody("bb", now, 1) + `,` + gaugeBody("cc", now, 1) + `]`
	a := p.Publish([]byte(three), here, now)
	checkSum(t, a, 3)
	if a.Status != 202 || a.ErrorCount != 1 || !strings.Contains(a.Messages[0], "series") {
		t.Errorf("third series of two: %+v", a)
	}
	if a = p.Publish([]byte(`[`+gaugeBody("dd", now, 1)+`]`), here, now); a.Status != 429 || a.ErrorCount != 1 {
		t.Errorf("nothing but a new series: %+v", a)
	}
	if got := stored(t, st, now); len(got) != 2 {
		t.Errorf("stored %q", got)
	}
}

func TestUpdate(t *testing.T) {
	f := func(name, body string, sent int, want ingest.Answer, values ...string) {
		t.Helper()
		st := newStore(t, store.Options{})
		p := ingest.New(st, ingest.Options{})
		a := p.Update([]byte(body), here, now)
		checkSum(t, a, sent)
		if a.Status != want.Status || a.Type != want.Type || a.ErrorCount != want.ErrorCount || a.Message != want.Message ||
			!slices.Equal(a.Messages, want.Messages) {
			t.Errorf("%s: %+v\nwant %+v", name, a, want)
		}
		if got := stored(t, st, now); !slices.Equal(got, values) {
			t.Errorf("%s: stored %q, want %q", name, got, values)
		}
	}
	// Amounts over a step of 10 s.
	f("good", `[9,"count","cpu","gauge","name","nf.app","requests","statistic","www","zzz",
		3,4,7,6,0,3,5,0,125,3,4,7,6,2,3,1,10,42.0,3,4,7,6,0,3,5,0,5,3,4,7,6,2,3,1,10,41]`, 4, ingest.Answer{Status: 200},
		"atlas.dstype=gauge,name=cpu,nf.app=www,statistic=gauge 42",
		"atlas.dstype=sum,name=requests,nf.app=www,statistic=count 13")
	f("nothing", `[0]`, 0, ingest.Answer{Status: 200})
	f("characters are replaced", `[4,"name","a b/ü","k(1)","",2,0,1,2,1,0,10]`, 1, ingest.Answer{Status: 200},
		"atlas.dstype=sum,k_1_=a_b__,name=a_b__ 1")
	f("unknown operation", `[2,"name","ok",1,0,1,0,1,1,0,1,7,1]`, 0,
		ingest.Answer{Status: 400, Type: "error", Message: "unreadable payload: unknown operation 7, expected add (0) or max (10) at byte 31"})
	f("bad index", `[2,"name","ok",1,0,1,0,1,1,0,9,0,1]`, 0,
		ingest.Answer{Status: 400, Type: "error", Message: "unreadable payload: index in the string table is out of range at byte 29"})
	f("partial", `[3,"name","ok","x",1,0,1,0,10,1,0,2,0,10]`, 2, ingest.Answer{Status: 202, Type: "partial", ErrorCount: 1,
		Messages: []string{`value too short: name = [x] (1 < 2) (tags={"atlas.dstype":"sum","name":"x"})`}},
		"atlas.dstype=sum,name=ok 1")
	f("amounts", `[2,"name","ok",1,0,1,0,-1,1,0,1,0,"Infinity",1,0,1,0,NaN,1,0,1,0,10]`, 4,
		ingest.Answer{Status: 202, Type: "partial", ErrorCount: 2, Messages: []string{
			`invalid amount: -1 (must be finite and not negative) (tags={"atlas.dstype":"sum","name":"ok"})`,
			`invalid amount: +Inf (must be finite and not negative) (tags={"atlas.dstype":"sum","name":"ok"})`}},
		"atlas.dstype=sum,name=ok 1")
	f("negative maximum", `[2,"name","ok",1,0,1,10,-1]`, 1, ingest.Answer{Status: 200}, "atlas.dstype=gauge,name=ok -1")
	f("tags too long", `[3,"k","`+strings.Repeat("v", 40_000)+`","name",3,0,1,0,1,2,2,0,1]`, 1, ingest.Answer{Status: 400, Type: "error",
		ErrorCount: 1, Messages: []string{"tags too long: more than 65536 bytes (tags={})"}})
}

// TestRoutesDoNotVouch sends tags that update takes, as it replaces characters,
// and then the same text to publish, which must refuse it although it is known.
func TestRoutesDoNotVouch(t *testing.T) {
	p := newPipeline(t, ingest.Options{})
	if a := p.Update([]byte(`[2,"name","a b",1,0,1,10,1]`), here, now); a.Status != 200 {
		t.Fatalf("%+v", a)
	}
	body := fmt.Appendf(nil, `[{"tags":{"name":"a b"},"timestamp":%d,"value":1}]`, now)
	for range 2 {
		if a := p.Publish(body, here, now); a.Status != 400 {
			t.Errorf("publish took what update replaces: %+v", a)
		}
	}
	replacing := newPipeline(t, ingest.Options{ReplaceCharacters: true})
	if a := replacing.Publish(body, here, now); a.Status != 200 {
		t.Errorf("replacing was configured: %+v", a)
	}
}

// TestCommonTags sends equal metrics under different common tags.
func TestCommonTags(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{})
	metrics := `"metrics":[` + gaugeBody("cpu", now, 1) + `]`
	for _, common := range []string{`"nf.node":"i-1"`, `"nf.node":"i-2"`, ``, `"nf.node":"i-1"`} {
		if a := p.Publish([]byte(`{"tags":{`+common+`},`+metrics+`}`), here, now); a.Status != 200 {
			t.Errorf("%s: %+v", common, a)
		}
		if a := p.Publish([]byte(`{`+metrics+`,"tags":{`+common+`}}`), here, now); a.Status != 200 || a.Superseded != 1 {
			t.Errorf("%s, common tags last: %+v", common, a)
		}
	}
	want := []string{"atlas.dstype=gauge,name=cpu 1", "atlas.dstype=gauge,name=cpu,nf.node=i-1 1", "atlas.dstype=gauge,name=cpu,nf.node=i-2 1"}
	if got := stored(t, st, now); !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
}

func TestCountAndGauge(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{})
	check := func(a ingest.Answer, status int) {
		t.Helper()
		if a.Status != status {
			t.Errorf("%+v, want status %d", a, status)
		}
	}
	more := tags.Of("app", "www")
	check(p.Count("logins", more, 3, here, now), 200)
	check(p.Count("logins", more, 4, here, now), 200)
	check(p.Count("logins", tags.Of("name", "other", "app", "www"), 3, here, now), 200)
	check(p.Gauge("depth", nil, 7, here, now), 200)
	check(p.Gauge("depth", nil, 6, here, now), 200)
	check(p.Gauge("depth", nil, math.NaN(), here, now), 200)
	check(p.Count("logins", more, -1, here, now), 400)
	check(p.Count("logins", more, math.Inf(1), here, now), 400)
	check(p.Count("log ins", more, 1, here, now), 400)
	check(p.Count("logins", tags.Of("kk", "\xFF"), 1, here, now), 400)
	want := []string{"app=www,atlas.dstype=sum,name=logins 1", "atlas.dstype=gauge,name=depth 7"}
	if got := stored(t, st, now); !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
}

func TestAppend(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{})
	gauge := func(name string) tags.Tags { return tags.Of("name", name, "atlas.dstype", "gauge") }
	a := p.Append([]ingest.Point{{gauge("aa"), now, 1}, {gauge("b"), now, 1}, {gauge("cc"), now - 100_000, 1}, {gauge("dd"), now, math.NaN()}}, here, now)
	checkSum(t, a, 4)
	if a.Status != 202 || a.ErrorCount != 2 || a.Accepted != 2 {
		t.Errorf("%+v", a)
	}
	if got := stored(t, st, now); !slices.Equal(got, []string{"atlas.dstype=gauge,name=aa 1"}) {
		t.Errorf("stored %q", got)
	}
	if a := p.Append(nil, here, now); a.Status != 400 || a.Message != "empty payload" {
		t.Errorf("%+v", a)
	}
}

// TestNothingAliasesBody scribbles over bodies once they were answered.
func TestNothingAliasesBody(t *testing.T) {
	st := newStore(t, store.Options{})
	p := ingest.New(st, ingest.Options{})
	bodies := []string{
		`{"tags":{"nf.app":"www","nf.node":"i-1"},"metrics":[` + gaugeBody("cpu", now, 1) + `]}`,
		`[{"tags":{"name":"b\u0061d name"},"timestamp":1,"value":1}]`,
		`{"tags":{"nf.app":"\u0061pp"},"metrics":[` + gaugeBody("mem", now, 2) + `,{"value":"x"}]}`,
		`[5,"name","disk free","nf.app","api","x",2,0,1,2,3,10,3,1,0,4,10,4]`,
	}
	var answers []ingest.Answer
	for i, text := range bodies {
		body := []byte(text)
		if i == 3 {
			answers = append(answers, p.Update(body, here, now))
		} else {
			answers = append(answers, p.Publish(body, here, now))
		}
		for j := range body {
			body[j] = '#'
		}
	}
	for i, a := range answers {
		for _, text := range append(a.Messages, a.Message) {
			if strings.Contains(text, "##") {
				t.Errorf("body %d: message %q", i, text)
			}
		}
	}
	if got, want := stored(t, st, now), []string{
		"atlas.dstype=gauge,name=cpu,nf.app=www,nf.node=i-1 1", "atlas.dstype=gauge,name=disk_free,nf.app=api 3",
	}; !slices.Equal(got, want) {
		t.Errorf("stored %q, want %q", got, want)
	}
	if keys := st.Keys(match.True, "", 100); slices.ContainsFunc(keys, func(k string) bool { return strings.Contains(k, "#") }) {
		t.Errorf("keys %q", keys)
	}
	for _, s := range p.Sources(now) {
		if strings.Contains(s.Key+s.Sample, "##") {
			t.Errorf("source %+v", s)
		}
	}
	for _, s := range st.SourceStats() {
		if strings.Contains(s.Key, "#") {
			t.Errorf("source %q", s.Key)
		}
	}
}

// Series come in another order every time, new ones and refused ones among them.
func TestPublishInNoOrder(t *testing.T) {
	st := newStore(t, store.Options{NewSeriesRate: -1})
	p := ingest.New(st, ingest.Options{})
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 6 {
		at := now + int64(round)*st.Step()
		var points, want []string
		for i := range 100 + 150*round {
			if i%40 == 7 {
				points = append(points, gaugeBody("", at, 1)) // no name: refused
				continue
			}
			name, v := fmt.Sprintf("metric.%d", i), float64(i*10+round)
			points = append(points, gaugeBody(name, at, v))
			want = append(want, fmt.Sprintf("%s %v", tags.Of("name", name, "atlas.dstype", "gauge"), v))
		}
		r.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		a := p.Publish([]byte("["+strings.Join(points, ",")+"]"), here, at)
		checkSum(t, a, len(points))
		slices.Sort(want)
		if got := stored(t, st, at); a.Stored != len(want) || !slices.Equal(got, want) {
			t.Fatalf("round %d: %+v; stored %q\nwant %q", round, a, got, want)
		}
		st.Advance(at)
	}
}
