package asl_test

import (
	"strings"
	"testing"

	"pulse/query/asl"
)

// every is an interpreter of the whole language.
func every() *asl.Interpreter { return asl.New(asl.All(), asl.Limits{}) }

func TestCanonicalText(t *testing.T) {
	f := func(program, want string) {
		t.Helper()
		styles, err := every().ParseStyleWith(program, asl.Options{Unstable: true})
		if err != nil {
			t.Errorf("%s: %v", program, err)
			return
		}
		var got []string
		for _, s := range styles {
			got = append(got, s.String())
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s:\n got %s\nwant %s", program, s, want)
		}
	}
	f("name,a,:eq", "name,a,:eq,:sum")
	f("42", "42.0,:const")
	f("1e10,5e-4,-0", "1.0E10,:const 5.0E-4,:const -0.0,:const")
	f("name,a,:eq,:max,:cf-avg,1h,:offset", "name,a,:eq,:max,:cf-avg,1h,:offset")
	f("name,a,:eq,:max,:cf-max", "name,a,:eq,:max")
	f("name,a,:eq,(,x,),:by,90s,:offset", "name,a,:eq,:sum,(,x,),:by,90s,:offset")
	f("name,a,:eq,:avg,:cf-max,1h,:offset,(,x,),:by", "name,a,:eq,:avg,:cf-max,1h,:offset,(,x,),:by")
	f("name,a,:eq,(,x,y,),:by,:avg,(,x,),:by,(,z,),:cg", "name,a,:eq,:sum,(,x,y,z,),:by,:avg,(,x,z,),:by")
	f("name,a,:eq,:sum,:des-fast,(,x,),:by", "name,a,:eq,:sum,(,x,),:by,:des-fast")
	f("name,a,:eq,:des-fast,(,x,),:by", "name,a,:eq,:des-fast,(,x,),:by")
	f("name,a,:eq,(,x,),:by,(,99,50,50,),:percentiles", "name,a,:eq,(,x,),:by,(,50.0,99.0,),:percentiles")
	f(`name,a,:eq,a\u002cb\u003a,:legend,red,:color,:area`, `name,a,:eq,:sum,:area,a\u002cb\u003a,:legend,red,:color`)
	f("name,a,:eq,(,1d,2d,),:offset,(,f00,0f0,),:palette", "name,a,:eq,:sum,(,f00,0f0,),:palette,(,1d,2d,),:offset")
	f("name,a,:eq,x(.),_$1,:s,hex,:decode", "name,a,:eq,:sum,x(.),_$1,:s,hex,:decode")
	f("1,2,:add,3,:mul", "9.0,:const")
	f("name,a,:eq,:dist-avg,b,c,:eq,:cq", "name,a,:eq,b,c,:eq,:and,:dist-avg")
	f("name,a,:eq,5,:rolling-count,3,2,:rolling-mean,PT5M,:trend", "name,a,:eq,:sum,5,:rolling-count,3,2,:rolling-mean,5m,:trend")
}
