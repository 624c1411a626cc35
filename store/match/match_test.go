package match_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"pulse/store/match"
	"pulse/store/tags"
)

func eq(k, v string) match.Query { return &match.Equal{Key: k, Value: v} }
func has(k string) match.Query   { return &match.Has{Key: k} }

func re(t testing.TB, k, pattern string) *match.Regex {
	t.Helper()
	q, err := match.NewRegex(k, pattern, false)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestMatches(t *testing.T) {
	reic, err := match.NewRegex("k", "B.*", true)
	if err != nil {
		t.Fatal(err)
	}
	f := func(q match.Query, yes, no string) {
		t.Helper()
		for _, v := range strings.Fields(yes) {
			if !match.MatchesTags(q, tags.Of("k", v)) {
				t.Errorf("%s does not match k=%s", q, v)
			}
		}
		for _, v := range strings.Fields(no) {
			if match.MatchesTags(q, tags.Of("k", v)) {
				t.Errorf("%s matches k=%s", q, v)
			}
		}
		if match.MatchesTags(q, tags.Of("other", "b")) {
			t.Errorf("%s matches without the key", q)
		}
		n := match.NewNot(q)
		if !match.MatchesTags(n, tags.Of("other", "b")) {
			t.Errorf("%s does not match without the key", n)
		}
	}
	f(has("k"), "a b", "")
	f(eq("k", "b"), "b", "a bb")
	f(match.NewIn("k", []string{"a", "b"}), "a b", "c")
	f(match.NewIn("k", strings.Split("abcdefghijklm", "")), "a m", "n am")
	f(&match.Compare{Key: "k", Op: match.Less, Value: "b"}, "a 100", "b c")
	f(&match.Compare{Key: "k", Op: match.LessEq, Value: "b"}, "a b", "ba c")
	f(&match.Compare{Key: "k", Op: match.Greater, Value: "2"}, "20 3", "100 2")
	f(&match.Compare{Key: "k", Op: match.GreaterEq, Value: "b"}, "b c", "a")
	f(re(t, "k", "b.*"), "b bar", "abar")
	f(re(t, "k", "^b"), "b bar", "abar")
	f(re(t, "k", "foo|bar"), "foo food xbar", "xfoo")
	f(reic, "bar Bar", "fubar")
	f(match.NewAnd(has("k"), eq("k", "b")), "b", "a")
	f(match.NewOr(eq("k", "a"), eq("k", "b")), "a b", "c")
}

func TestConstantsVanishWhenBuilt(t *testing.T) {
	q := eq("a", "b")
	for _, c := range []struct {
		got  match.Query
		want match.Query
	}{
		{match.NewAnd(match.True, q), q}, {match.NewAnd(q, match.True), q},
		{match.NewAnd(match.False, q), match.False}, {match.NewAnd(q, match.False), match.False},
		{match.NewOr(match.True, q), match.True}, {match.NewOr(q, match.True), match.True},
		{match.NewOr(match.False, q), q}, {match.NewOr(q, match.False), q},
		{match.NewNot(match.True), match.False}, {match.NewNot(match.False), match.True},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

// Every short way of a regular expression gives the engine's answer.
func TestRegexShapes(t *testing.T) {
	values := []string{"", "a", "ab", "ab.c", "abxc", "xab.c", "xab.cy", "ab\nc", "x\nab.c", "abab", "AB.C", "b", "aab"}
	for _, p := range []string{
		"ab", "^ab", "^^ab.*", "ab.*", ".*ab", ".*ab.*", `.*ab\.c`, `.*ab\.c$`, `ab\.c$`, "ab$", ".*", "", "$", ".*$",
		"ab*", "a|b", "ab|b.*", "(a|b)c", "a.c", "(?:ab)c", ".*a.*b", "a+", "[a]b", "a{2}b", "(ab)", "ab.*$", ".*ab.*$",
	} {
		q := re(t, "k", p)
		plain := re(t, "k", p+"(?:)|[^\\s\\S]") // a top-level alternative that never matches: no short way
		for _, v := range values {
			if got, want := q.Check(v), plain.Check(v); got != want {
				t.Errorf("%q on %q: %v, the engine says %v", p, v, got, want)
			}
			if q.Check(v) && !strings.HasPrefix(v, q.Prefix()) {
				t.Errorf("%q matches %q without the prefix %q", p, v, q.Prefix())
			}
		}
	}
	for p, want := range map[string]string{"ab.*c": "ab", "^ab": "ab", "ab|cd": "", ".*ab": "", "(ab|cd)": "", "ab*": "a"} {
		if got := re(t, "k", p).Prefix(); got != want {
			t.Errorf("prefix of %q: %q, want %q", p, got, want)
		}
	}
}

func TestRegexRefusals(t *testing.T) {
	for p, want := range map[string]string{
		"4(?!04)":                         "at 1: lookahead cannot be matched in linear time; write the exception",
		"(?=a)b":                          "join them with :and",
		"(?<=a)b":                         "lookbehind",
		"(?i)a":                           "write :reic",
		`(a)\1`:                           "back references",
		`a\b`:                             "word boundaries",
		`\p{L}`:                           "Unicode classes",
		"[a-z&&[^b]]":                     "class intersection",
		"[a-c[x-z]]":                      "a class inside a class",
		"[[:alpha:]]":                     "a class inside a class",
		`a\v`:                             "vertical space",
		"(":                               "missing closing )",
		"a**":                             "invalid nested repetition",
		"[b-a]":                           "invalid character class range",
		strings.Repeat("a", 1025):         "1025 bytes, the limit is 1024",
		strings.Repeat(".{500}", 21):      "instructions, the limit is 10000",
		strings.Repeat("(?:x?){100}", 60): "instructions, the limit is 10000",
		"a{1001}":                         "invalid repeat count",
		strings.Repeat("a{999}", 100):     "about 99901 instructions", // found without compiling
	} {
		_, err := match.NewRegex("k", p, false)
		if !errors.Is(err, match.ErrPattern) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %q", p, err, want)
		}
	}
	for _, p := range []string{"[(?i)]", `\(?i`, `\\1`, "(?:a)", "(?<n>a)", "(?P<n>a)", `\x41\u0041\e`, `[]a]`, `[^]]`} {
		if _, err := match.NewRegex("k", p, false); err != nil {
			t.Errorf("%q: %v", p, err)
		}
	}
}

func TestQuotedTextMatchesItself(t *testing.T) {
	for _, text := range []string{"a.b", "a|b", `\`, "a b", "(x)[y]{z}^$*+?", "é", "😀", "\t\n\r\f\x01", `\u0041`} {
		starts, err := match.Starts("k", text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		contains, err := match.Contains("k", text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		ends, err := match.Ends("k", text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !starts.Check(text+"x") || starts.Check("x"+text) {
			t.Errorf(":starts %q as %s", text, starts)
		}
		if !contains.Check("x"+text+"x") || contains.Check("x") {
			t.Errorf(":contains %q as %s", text, contains)
		}
		if !ends.Check("x"+text) || ends.Check(text+"x") {
			t.Errorf(":ends %q as %s", text, ends)
		}
	}
}

func TestEscape(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := match.Escape(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
	f("foo bar", "foo bar")
	f(" foo bar ", `\u0020foo bar\u0020`)
	f("   ", `\u0020\u0020\u0020`)
	f("a\tb\n", `a\u0009b\u000a`)
	f("a,b:c", `a\u002cb\u003ac`)
	f("(", `\u0028`)
	f("(a)", "(a)")
	f("http:/*", `http\u003a\u002f*`)
	f("a/b", "a/b")
	f(".*/b", `.*\u002fb`)
	f(`\u0041`, `\u005cu0041`)
	f(`\u041x`, `\u041x`)
	f(`\d+`, `\d+`)
	f("\u2003x", `\u2003x`)
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a,b", ` x\u0041 `, `\ud83d\ude00`, `\ud83d\u0041`, "/*", "*/", "(", "\x00a\x80", "\u2003", "\u2007"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := match.Escape(s)
		trimmed := strings.TrimFunc(e, func(r rune) bool { return r <= ' ' })
		if strings.ContainsAny(e, ",:") || strings.Contains(e, "/*") || strings.Contains(e, "*/") || trimmed != e {
			t.Errorf("%q becomes %q, which is no single literal", s, e)
		}
		if got := match.Unescape(e); got != s {
			t.Errorf("%q becomes %q and %q", s, e, got)
		}
	})
}

func FuzzRegex(f *testing.F) {
	for _, p := range []string{"a.*b", "^a|b", `\u0041[^x]$`, "(?!x)", ".*a$", "((a*)*)*", "a{2,3}", "(?<n>a)", `\Q(\E`} {
		f.Add(p, "aab\n", false)
		f.Add(p, "AXB", true)
	}
	f.Fuzz(func(t *testing.T, pattern, value string, ignoreCase bool) {
		q, err := match.NewRegex("k", pattern, ignoreCase)
		if err != nil {
			if !errors.Is(err, match.ErrPattern) {
				t.Fatalf("%q: %v", pattern, err)
			}
			return
		}
		if !strings.Contains(pattern, `\u`) && !strings.Contains(pattern, `\e`) { // Go's engine reads the rest as it stands
			flags := ""
			if ignoreCase {
				flags = "(?i)"
			}
			if want := regexp.MustCompile(flags + "^" + pattern).MatchString(value); q.Check(value) != want {
				t.Errorf("%q on %q: %v, want %v", pattern, value, !want, want)
			}
		}
		if q.Check(value) && !strings.HasPrefix(value, q.Prefix()) {
			t.Errorf("%q matches %q without the prefix %q", pattern, value, q.Prefix())
		}
	})
}

// random returns a query of about n nodes over a few keys and values.
func random(r *rand.Rand, n int) match.Query {
	k := string(rune('a' + r.IntN(3)))
	v := string(rune('x' + r.IntN(3)))
	if n <= 1 {
		switch r.IntN(6) {
		case 0:
			return has(k)
		case 1:
			return &match.Compare{Key: k, Op: match.Op(r.IntN(4)), Value: v}
		case 2:
			return match.NewIn(k, []string{v, "z", v, "w"}[:r.IntN(5)])
		case 3:
			return match.Const(r.IntN(2) == 0)
		default:
			return eq(k, v)
		}
	}
	switch r.IntN(3) {
	case 0:
		return &match.Not{Q: random(r, n-1)}
	case 1:
		return &match.And{L: random(r, n/2), R: random(r, n/2)}
	default:
		return &match.Or{L: random(r, n/2), R: random(r, n/2)}
	}
}

// Whatever the form, a query selects the same tag sets.
func TestFormsSelectTheSame(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		q := random(r, 1+r.IntN(10))
		forms := map[string]match.Query{"simplified": match.Simplify(q, false)}
		if cnf, err := match.CNF(q); err == nil {
			forms["cnf"] = match.JoinAnd(cnf)
		}
		if dnf, err := match.DNF(q); err == nil {
			forms["dnf"] = match.JoinOr(dnf)
			var expanded []match.Query
			for _, c := range dnf {
				parts, err := match.ExpandIn(c, 5)
				if err != nil {
					t.Fatal(err)
				}
				expanded = append(expanded, parts...)
			}
			forms["expanded"] = match.JoinOr(expanded)
		}
		if n, err := match.Normalize(q); err == nil {
			forms["normalized"] = n
			again, err := match.Normalize(n)
			if err != nil || again.String() != n.String() {
				t.Fatalf("%s normalizes to %s and then to %s, %v", q, n, again, err)
			}
		} else if !errors.Is(err, match.ErrClauses) {
			t.Fatal(err)
		}
		for range 20 {
			var ts tags.Tags
			for _, k := range []string{"a", "b", "c"} {
				if v := r.IntN(5); v > 0 {
					ts = append(ts, tags.Tag{Key: k, Value: string(rune('v' + v))})
				}
			}
			want := match.MatchesTags(q, ts)
			for name, form := range forms {
				if match.MatchesTags(form, ts) != want {
					t.Fatalf("%s of %s is %s, which differs on %s", name, q, form, ts)
				}
			}
			if want && !q.CouldMatch(ts.Get) {
				t.Fatalf("%s matches %s but could not", q, ts)
			}
			any := func(k string) []string {
				if v, ok := ts.Get(k); ok {
					return []string{v}
				}
				return nil
			}
			if q.MatchesAny(any) != want {
				t.Fatalf("%s: one value per key and several differ on %s", q, ts)
			}
		}
	}
}

func TestNormalize(t *testing.T) {
	f := func(q match.Query, want string) {
		t.Helper()
		got, err := match.Normalize(q)
		if err != nil || got.String() != want {
			t.Errorf("%s: got %s, %v, want %s", q, got, err, want)
		}
	}
	a, b, c := eq("a", "1"), eq("b", "1"), eq("c", "1")
	and := func(qs ...match.Query) match.Query { return match.JoinAnd(qs) }
	f(and(c, &match.And{L: b, R: a}), "a,1,:eq,b,1,:eq,:and,c,1,:eq,:and")
	f(and(eq("statistic", "count"), eq("zoo", "z"), eq("nf.app", "b"), eq("name", "n")),
		"name,n,:eq,nf.app,b,:eq,:and,zoo,z,:eq,:and,statistic,count,:eq,:and")
	f(and(a, a, match.True), "a,1,:eq")
	f(match.NewIn("k", []string{"y", "x", "y"}), "k,(,x,y,),:in")
	f(match.NewIn("k", []string{"x", "x"}), "k,x,:eq")
	f(&match.Not{Q: match.NewIn("k", []string{"y", "x"})}, "k,(,y,x,),:in,:not")
	f(and(eq("zoo", "z"), &match.Not{Q: eq("name", "n")}), "name,n,:eq,:not,zoo,z,:eq,:and")
	f(&match.Or{L: b, R: a}, "a,1,:eq,b,1,:eq,:or")
	f(&match.Or{L: and(a, b), R: a}, "a,1,:eq")
	f(&match.Or{L: and(a, b), R: and(b, a)}, "a,1,:eq,b,1,:eq,:and")
	f(&match.And{L: &match.Or{L: a, R: b}, R: c}, "a,1,:eq,c,1,:eq,:and,b,1,:eq,c,1,:eq,:and,:or")
	f(match.False, ":false")
}

func TestNormalFormsAreBounded(t *testing.T) {
	var q match.Query = match.True
	for i := range 12 {
		q = match.NewAnd(q, match.NewOr(has(fmt.Sprint("a", i)), has(fmt.Sprint("b", i))))
	}
	if _, err := match.DNF(q); !errors.Is(err, match.ErrClauses) {
		t.Errorf("DNF: %v", err)
	}
	if _, err := match.Normalize(q); !errors.Is(err, match.ErrClauses) {
		t.Errorf("Normalize: %v", err)
	}
	if _, err := match.CNF(match.NewNot(q)); !errors.Is(err, match.ErrClauses) {
		t.Errorf("CNF: %v", err)
	}
	q = has("c")
	for i := range 400 { // few clauses of many nodes
		q = match.NewAnd(q, eq(fmt.Sprint("k", i), strings.Repeat("x", 600)))
	}
	for i := range 9 {
		q = match.NewAnd(q, match.NewOr(has(fmt.Sprint("a", i)), has(fmt.Sprint("b", i))))
	}
	if _, err := match.Normalize(q); !errors.Is(err, match.ErrClauses) {
		t.Errorf("Normalize to 120 MB: %v", err)
	}
	if cnf, err := match.CNF(q); err != nil || len(cnf) != 410 {
		t.Errorf("CNF of a CNF: %d clauses, %v", len(cnf), err)
	}
}

func TestSizeStopsAtItsLimit(t *testing.T) {
	q := has("a")
	for range 200 {
		q = &match.And{L: q, R: q}
	}
	if n := match.Size(q, 1000); n <= 1000 || n > 3000 {
		t.Errorf("2^200 nodes count as %d with a limit of 1000", n)
	}
	if n := match.Size(match.NewAnd(eq("a", strings.Repeat("x", 640)), match.NewNot(has("b"))), 1000); n != 14 {
		t.Errorf("got %d, want 14", n)
	}
}

func TestParts(t *testing.T) {
	q := match.NewAnd(match.NewAnd(eq("b", "1"), eq("a", "2")),
		match.NewOr(eq("c", "3"), match.NewNot(match.NewAnd(eq("d", "4"), has("a")))))
	if got := match.ExactTags(q).String(); got != "a=2,b=1" {
		t.Errorf("exact tags %s", got)
	}
	dropped := match.WithoutKeys(q, func(k string) bool { return k == "d" || k == "b" })
	if got := dropped.String(); got != "a,2,:eq,c,3,:eq,a,:has,:not,:or,:and" {
		t.Errorf("without d and b: %s", got)
	}
	if got := match.WithoutKeys(eq("k", "v"), func(string) bool { return true }); got != match.True {
		t.Errorf("without everything: %s", got)
	}
	if got, want := q.Label(), "((b=1) and (a=2)) and ((c=3) or (not((d=4) and (has(a)))))"; got != want {
		t.Errorf("label %s", got)
	}
}

func BenchmarkMatches(b *testing.B) {
	q := match.NewAnd(eq("name", "sps"), match.NewAnd(re(b, "nf.app", "www.*"), match.NewNot(eq("device", "tv"))))
	ts := tags.Of("name", "sps", "nf.app", "www-main", "device", "phone", "region", "eu")
	get := ts.Get
	b.ReportAllocs()
	for b.Loop() {
		if !q.Matches(get) {
			b.Fatal("no match")
		}
	}
}
