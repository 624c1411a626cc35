package expr_test

import (
	"strings"
	"testing"

	"pulse/query/asl"
	"pulse/query/expr"
)

// What is written after a word reaches the data it stands for, and the text
// says so: canonical text, then with the words replaced.
func TestCanonicalText(t *testing.T) {
	in := asl.New(asl.All(), asl.Limits{})
	f := func(program, text, expanded string) {
		t.Helper()
		s, err := in.ParseStyle(program)
		if err != nil {
			t.Fatalf("%s: %v", program, err)
		}
		if got := s[0].String(); got != text {
			t.Errorf("%s: got %s, want %s", program, got, text)
		}
		x, err := expr.Expand(s[0].Expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.String(); expanded != "" && got != expanded {
			t.Errorf("%s: stands for %s, want %s", program, got, expanded)
		}
		again, err := in.ParseStyle(text)
		if err != nil || !expr.Equal(again[0], s[0]) || again[0].String() != text {
			t.Errorf("%s: the text reads as %v, %v", text, again, err)
		}
	}
	f("name,a,:eq,PT1H30M,:offset", "name,a,:eq,:sum,90m,:offset", "")
	f("name,a,:eq,1500ms,:offset", "name,a,:eq,:sum,PT1.5S,:offset", "")
	f("name,a,:eq,1e10,:mul,1e-5,:add", "name,a,:eq,:sum,1.0E10,:const,:mul,1.0E-5,:const,:add", "")
	f("name,a,:contains,:area,2,:lw,a b,:legend", "name,.*a,:re,:sum,2,:lw,:area,a b,:legend", "")
	f("name,a,:eq,3,:head,max,:sort,asc,:order", "name,a,:eq,:sum,max,:sort,asc,:order,3,:limit", "")
	f("name,a,:eq,(,50,9.5,50.0,),:percentiles,c,:has,:cq,1h,:offset", "name,a,:eq,c,:has,:and,(,9.5,50.0,),:percentiles,1h,:offset", "")
	f("name,a,:eq,(,b,),:by,(,50,),:percentiles,(,c,),:cg", "name,a,:eq,(,b,c,),:by,(,50.0,),:percentiles", "")
	f("name,a,:eq,:max,:median", "name,a,:eq,(,50.0,),:percentiles", "")
	f("name,a,:eq,1,5,:sample-count,(,app,),:by", "name,a,:eq,1.0,5.0,:sample-count,(,app,),:by",
		"name,a,:eq,percentile,D0001,:ge,percentile,D0005,:le,:and,percentile,T0083,:ge,percentile,T008D,:le,:and,:or,:and,:sum,(,app,),:by")
	f("name,a,:eq,:avg,(,b,),:by,(,c,),:cg", "name,a,:eq,:avg,(,b,c,),:by", "name,a,:eq,:sum,(,b,c,),:by,name,a,:eq,:count,(,b,c,),:by,:div")
	f("name,a,:eq,:node-avg,(,c,nf.app,),:cg", "name,a,:eq,:node-avg,(,c,nf.app,),:by",
		"name,a,:eq,:sum,(,c,nf.app,),:by,name,poller.asg.instance,:eq,:sum,(,nf.app,),:by,:div")
	f("name,a,:eq,(,b,c,),:by,:pct,(,b,),:by", "name,a,:eq,:sum,(,b,c,),:by,:pct,:sum,(,b,),:by", "")
	f("name,a,:eq,:sum,:pct,(,b,),:by,1h,:offset", "name,a,:eq,:sum,(,b,),:by,1h,:offset,:pct",
		"name,a,:eq,:sum,(,b,),:by,1h,:offset,name,a,:eq,:sum,(,b,),:by,1h,:offset,:sum,:div,100.0,:const,:mul")
	f("name,a,:eq,:dist-avg,(,b,),:by,c,:has,:cq", "name,a,:eq,c,:has,:and,:dist-avg,(,b,),:by",
		"statistic,(,totalTime,totalAmount,),:in,name,a,:eq,c,:has,:and,:and,:sum,(,b,),:by,statistic,count,:eq,name,a,:eq,c,:has,:and,:and,:sum,(,b,),:by,:div")
	f("name,a,:eq,(,b,),:by,:stat-max,1,:gt,:filter,(,c,),:cg",
		"name,a,:eq,:sum,(,b,c,),:by,:stat-max,1.0,:const,:gt,:filter", "")
	f("name,a,:eq,(,b,c,),:by,b,x,:as,(,d,),:cg,(,x,),:by", "name,a,:eq,:sum,(,b,c,d,),:by,b,x,:as,:sum,(,x,),:by", "")
	f("name,a,:eq,:percentiles-heatmap", "name,a,:eq,:sum,(,percentile,),:by,:heatmap", "")
	f("name,x\\u0020,:eq,(,k\\u002c1,),:by", "name,x\\u0020,:eq,:sum,(,k\\u002c1,),:by", "")
}

// Modes of :time at Saturday 2024-06-01 12:34:56.789 UTC.
func TestTimeModes(t *testing.T) {
	const at = 1_717_245_296_789
	for mode, want := range map[string]float64{
		"secondOfMinute": 56, "secondOfDay": 45296, "minuteOfHour": 34, "minuteOfDay": 754, "hourOfDay": 12,
		"dayOfWeek": 6, "dayOfMonth": 1, "dayOfYear": 153, "monthOfYear": 6, "yearOfCentury": 2024, "yearOfEra": 2024,
		"seconds": at / 1e3, "minutes": at / 60e3, "hours": at / 3600e3, "days": at / 86400e3, "weeks": at / 604800e3,
		"MILLI_OF_SECOND": 789, "HOUR_OF_AMPM": 0, "CLOCK_HOUR_OF_AMPM": 12, "AMPM_OF_DAY": 1, "DAY_OF_WEEK": 6,
		"EPOCH_DAY": 19875, "ALIGNED_WEEK_OF_YEAR": 22, "PROLEPTIC_MONTH": 24293,
	} {
		lines, err := expr.EvalRaw(parse(t, mode+",:time")[0], nil, expr.Window{Start: at, End: at + 1, Step: 1})
		if err != nil || lines[0].Values[0] != want || lines[0].Label != mode {
			t.Errorf("%s: %v, %v, want %v", mode, lines, err, want)
		}
	}
	if _, err := asl.New(asl.All(), asl.Limits{}).Run(strings.ToLower("HOUR_OF_DAY") + ",:time"); err == nil {
		t.Error("an unknown mode is accepted")
	}
}
