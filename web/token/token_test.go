package token_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pulse/detect/secret"
	"pulse/web/token"
)

// sum is a SHA-256 that no secret of a test has.
const sum = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestParse(t *testing.T) {
	ok := func(text string, want int) {
		t.Helper()
		s, err := token.Parse(text)
		if err != nil || s.Len() != want {
			t.Errorf("%q: %v, want %d tokens", text, err, want)
		}
	}
	ok("", 0)
	ok("# nothing but a remark\n\n \t\r\n", 0)
	ok("agents ingest "+sum, 1)
	ok("  a.b_c-D9\tingest,query,admin\t"+sum+" # who\r\n", 1)
	ok("agents ingest,ingest sha256:"+strings.ToUpper(sum[7:]), 1)
	ok("agents ingest "+sum+"\nagents query "+strings.Replace(sum, "0", "f", 1), 2) // one name, while its secret changes

	fails := func(text, want string) {
		t.Helper()
		_, err := token.Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
			return
		}
		for _, field := range strings.Fields(text) {
			if len(field) > 12 && strings.Contains(err.Error(), field) {
				t.Errorf("%q: the error tells %q: %v", text, field, err)
			}
		}
	}
	fails("agents ingest", "line 1: 2 words")
	fails("\n\nagents ingest "+sum+" more", "line 3: 4 words")
	fails("a/b ingest "+sum, "a name has characters")
	fails(strings.Repeat("n", 65)+" ingest "+sum, "1 to 64 characters")
	fails("agents ingest, "+sum, "a scope is ingest, query or admin")
	fails("agents root "+sum, "a scope is")
	fails("agents ingest pulse_a-secret-that-somebody-pasted", "must be sha256: and 64")
	fails("agents ingest "+sum[7:], "must be sha256:")
	fails("agents ingest "+sum[:len(sum)-1], "must be sha256:")
	fails("agents ingest "+sum+"0", "must be sha256:")
	fails("agents ingest "+sum[:len(sum)-1]+"g", "must be sha256:")
	fails("agents ingest "+sum+"\nothers query "+sum, "same secret")
	var many strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&many, "n ingest sha256:%064x\n", i)
	}
	fails(many.String(), "more than 1000")
}

func TestFind(t *testing.T) {
	reader := bytes.NewReader([]byte(strings.Repeat("0123456789", 20)))
	var list, secrets []string
	for i, scopes := range []token.Scope{token.Ingest, token.Query | token.Admin, token.Ingest | token.Query | token.Admin} {
		secret, line, err := token.New(fmt.Sprint("token", i), scopes, reader)
		if err != nil {
			t.Fatal(err)
		}
		list, secrets = append(list, line), append(secrets, secret.Reveal())
	}
	set, err := token.Parse(strings.Join(list, "\n"))
	if err != nil {
		t.Fatal(err)
	}
	for i, secret := range secrets {
		for _, scheme := range []string{"Bearer ", "bearer ", "BEARER "} {
			got, ok := set.Find([]byte(scheme + secret))
			if !ok || got.Name != fmt.Sprint("token", i) || got.Scopes.String() != []string{"ingest", "query,admin", "ingest,query,admin"}[i] {
				t.Errorf("%s: got %v %v", scheme, got, ok)
			}
		}
		for _, wrong := range []string{"", "Bearer", "Bearer ", secret, "Basic " + secret, "Digest " + secret, "Bearer  " + secret, "Bearer " + secret + " ", "Bearer " + secret[1:], "Bearer " + secret + "x",
			"Bearer " + strings.ToUpper(secret), "Bearer token0", "Bearer " + strings.Fields(list[i])[2], "Bearer " + strings.TrimPrefix(strings.Fields(list[i])[2], "sha256:"), "Bearer " + secret + "," + secret} {
			if got, ok := set.Find([]byte(wrong)); ok {
				t.Errorf("%q is let in as %v", wrong, got)
			}
		}
	}
	none, err := token.Parse("")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := none.Find([]byte("Bearer " + secrets[0])); ok {
		t.Error("an empty list lets somebody in")
	}
	header := []byte("Bearer " + secrets[1])
	if n := testing.AllocsPerRun(100, func() { set.Find(header) }); n != 0 {
		t.Errorf("%v allocations per look-up, want 0", n)
	}
}

func TestNew(t *testing.T) {
	random := bytes.NewReader(bytes.Repeat([]byte{7}, 32))
	secret, line, err := token.New("agents", token.Ingest|token.Admin, random)
	if err != nil || len(secret.Reveal()) != len("pulse_")+43 || !strings.HasPrefix(line, "agents ingest,admin sha256:") || random.Len() != 0 {
		t.Errorf("got %d bytes, %q, %v; %d bytes of chance are left", len(secret.Reveal()), line, err, random.Len())
	}
	if _, _, err := token.New("agents", token.Ingest, random); err == nil {
		t.Error("a secret without chance")
	}
	if _, _, err := token.New("agents", 0, bytes.NewReader(make([]byte, 32))); err == nil {
		t.Error("a token for nothing")
	}
	if _, _, err := token.New("a b", token.Ingest, bytes.NewReader(make([]byte, 32))); err == nil {
		t.Error("a name with a blank")
	}
}

func TestAuthorize(t *testing.T) {
	h := http.Header{}
	token.Authorize(h, secret.Text{})
	if len(h) != 0 {
		t.Errorf("no secret sends %v", h)
	}
	if token.Authorize(h, secret.New("canary-secret")); h.Get("Authorization") != "Bearer canary-secret" {
		t.Errorf("sends %v", h)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("agents ingest " + sum + "\n# x\noncall query,admin " + strings.Replace(sum, "0", "1", 1))
	f.Add("a b c\r\n\x00")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := token.Parse(text)
		if err != nil {
			return
		}
		if n := strings.Count(text, "sha256:"); s.Len() > n {
			t.Errorf("%d tokens of %d lines", s.Len(), n)
		}
		if _, ok := s.Find([]byte("Bearer " + text)); ok {
			t.Error("the list is a secret of its own")
		}
	})
}
