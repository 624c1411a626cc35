package publish_test

import (
	"testing"

	"pulse/ingest/publish"
)

// payloads are bodies of the publish route, good and bad.
var payloads = []string{
	`{}`, `{"tags":{},"metrics":[]}`, `[]`, ` [ ] `, ``, `fubar`, `null`, `3`, `{"metrics":null,"tags":null}`,
	`{"tags":{"app":"www"},"metrics":[{"tags":{"name":"rps"},"timestamp":1700000000000,"value":42.5}]}`,
	`{"metrics":[{"tags":{"name":"rps"},"start":12,"values":[1.5,"x",{}]}],"tags":{"name":"other","app":"www"}}`,
	`[{"tags":{"name":"a"},"timestamp":1,"unknown":{"a":{"b":[1,2,null,true]}},"value":"NaN"},{}]`,
	`/* c */ { // d` + "\n" + `"metrics" /**/ : [ {"value":NaN/*x*/,"timestamp":-5,"tags" :{ "k" : /**/ null , "j":"v"}} ] } // end`,
	`{"metrics":[{"value":-Infinity},{"value":"+INF"},{"value":null},{"values":[]},{"value":"  -01.5e+1 "},{"value":""}]}`,
	`{"metrics":[{"value":1e400},{"value":-0},{"value":0.1234567890123456789},{"value":123456789012345678901234567890}]}`,
	`{"t\u0061gs":{"n\u0061me":"\u00e9\ud83d\ude00\ud800\n\"\\"},"metrics":[{"v\u0061lue":1}]}`,
	`{"tags":{"a":"1","a":"2","a":null},"tags":{"b":"1"},"metrics":[{"tags":{"a":"x"},"tags":{"c":"y"}}],"metrics":[{}]}`,
	`[{"tags":{"a:""x"},"tags":{"c":"y"}}]`, `[{"tags":{"a":"x"},"tags":{"c":"y"}}]`, `{"unknown":1}`, `{"tags":{"a":1}}`, `{"metrics":[1]}`, `{"metrics":[{"value":true}]}`, `{"metrics":[{"timestamp":1.5}]}`,
	`{"metrics":[{"timestamp":"1"}]}`, `{"metrics":[{"timestamp":9223372036854775808}]}`, `{"metrics":[{"value":01}]}`,
	`{"metrics":[]} x`, `{"metrics":[],}`, `{"metrics":[{},]}`, `[{}`, `{"a`, "{\"tags\":{\"a\x01\":\"\"}}", "[{\"x\":\"\xff\"}]", `/*`,
	"\xEF\xBB\xBF[{}]", `[{"x":"\q"}]`, `[{"x":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}]`,
	`[{"x":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}]`, `[{"values":[1,]}]`, `[{"values":[{}]}]`,
	`[3,"name","rps","www",1,"4af0",1,0,1,1700000000000,2.5]`, `[0,0]`, `[1,"a",1,"id",1,0,1,5,5]`, `[0]`, `[0,1]`, `[2,"a"]`, `[0,0,1]`,
	`[{"tags":{"name":"a"},"timestamp":1700000000000,"value":1},{"tags":{"name":"b"},"timestamp":1700000000000,"value":-2.5e-3},{"tags":{"name":"c"},"timestamp":1700000010000,"value":null} ,{"tags":{},"timestamp":1700000010000,"value":"3"}]`,
	`[{"tags":{"name":"a"},"timestamp":0170000000000,"value":1}]`, `[{"tags":{"name":"a"},"timestamp":17000000000001,"value":1}]`, `[{"tags":{"name":"a"},"timestamp":170000000000x,"value":1}]`, `[{"tags":{"name":"a"},"timestamp":1700000000000,"value":1.}]`,
	`[{"tags":{"name":"}"},"timestamp":1700000000000,"value":1}]`, `[{"tags":{"name":"a"},"timestamp":1700000000000,"value":1,"tags":{"name":"b"}}]`, `[{"tags":{"name":"a"},"timestamp":1700000000000,"value":1,"timestamp":1700000000001}]`,
	`[{},[]]`, `[{}]/`, `[{"value":1.}]`, `[{"tags":{"a":"}"}}]`, `[{"tags":{"a":"b"/*}*/}}]`, `[{"tags":{"a":"},{},{},{\"}}]`, `[{"tags":{"a":"},{\"b\":\"c"}}]`, `[{"value":1e}]`, `[{"value":.5}]`, `[{"value":"0x10"}]`, `[{"value":"1_0"}]`, `[{"value":"1d"}]`,
}

// updates are bodies of the update route, good and bad.
var updates = []string{
	`[0]`, `[]`, `{}`, ``, `[1,"unused"]`, `[1]`, `[-1]`, `[100001]`,
	`[9,"count","cpu","gauge","name","nf.app","requests","statistic","www","zzz",3,4,7,6,0,3,5,0,125.5,3,4,7,6,2,3,1,10,42.0]`,
	`[2,"name","x",1,0,1,0,"NaN"]`, `[2,"name","x",1,0,1,10,NaN] // ok`, `[2,"name","x",1,0,1,3,1]`, `[2,"name","x",1,0,2,0,1]`,
	`[2,"name","x",1,0,-1,0,1]`, `[2,"name","x",1,0,1,0]`, `[2,"name","x",1,0,1]`, `[2,"name","x",0,0,1]`, `[2,"name","x",2,0,1,0,0,0,1]`,
	`[2,"n\u0061me","a b",1,0,1,0,1e3]`, `[2,"name",3,1,0,1,0,1]`, `[2,"name","x",1.0,0,1,0,1]`, `[1,"a",0,10,5,]`, `[1,"a",100001]`,
}

const fuzzPoints = 40

func FuzzPublish(f *testing.F) {
	for _, body := range payloads {
		f.Add([]byte(body))
	}
	var b publish.Batch
	f.Fuzz(func(t *testing.T, body []byte) {
		err := publish.Decode(&b, body, publish.Limits{Points: fuzzPoints})
		want, wantErr := slowDecode(body, fuzzPoints)
		if d := differ(b.Points(), err, want, wantErr); d != "" {
			t.Fatalf("%q: %s", body, d)
		}
		if publish.Quick(&b, body, publish.Limits{Points: fuzzPoints}) != nil {
			return
		}
		for i := range b.Len() {
			if !b.Verify(i) {
				return
			}
		}
		if d := differ(b.Points(), nil, want, wantErr); d != "" {
			t.Fatalf("quick, %q: %s", body, d)
		}
	})
}

func FuzzUpdate(f *testing.F) {
	for _, body := range updates {
		f.Add([]byte(body))
	}
	var b publish.Batch
	f.Fuzz(func(t *testing.T, body []byte) {
		err := publish.DecodeUpdate(&b, body, publish.Limits{Points: fuzzPoints})
		want, wantErr := slowUpdate(body, fuzzPoints)
		if d := differ(b.Points(), err, want, wantErr); d != "" {
			t.Fatalf("%q: %s", body, d)
		}
	})
}
