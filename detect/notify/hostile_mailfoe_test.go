package notify_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/mail"
	"strings"
)

// mail answers a mail program: with STARTTLS and a password, as most do.
func (f *foe) mail(raw net.Conn) {
	c := raw
	at := func(stage string) bool { // whether the fault has taken over
		x := f.now()
		switch {
		case x == nil || x.tls != nil || x.stage != stage:
			return false
		case x.late != nil:
			x.late(f, c)
		}
		return true
	}
	if x := f.now(); x != nil && x.early != nil {
		x.early(f, c)
		return
	}
	if at("") {
		return
	}
	say := func(line string) { io.WriteString(c, line+"\r\n") }
	say("220 inside ready")
	in := bufio.NewReader(c)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(line)), " ")
		f.note(line, c != raw)
		if at(verb) {
			return
		}
		switch verb {
		case "EHLO":
			say("250-inside\r\n250-STARTTLS\r\n250 AUTH PLAIN")
		case "STARTTLS":
			say("220 go on")
			config := f.tls
			if x := f.now(); x != nil && x.tls != nil {
				config = x.tls
			}
			if at("handshake") {
				return
			}
			over := tls.Server(raw, config)
			if over.Handshake() != nil {
				return
			}
			c, in = over, bufio.NewReader(over)
		case "AUTH":
			say("235 welcome")
		case "DATA":
			say("354 go on")
			one, err := f.letter(in)
			if err != nil {
				return
			}
			x := f.now()
			one.taken = x == nil || x.stage != "taken"
			f.hear(one)
			if at("taken") {
				return
			}
			say("250 taken")
		case "QUIT":
			return
		default:
			say("250 ok")
		}
	}
}

// note wants that a password is said over TLS only.
func (f *foe) note(line string, secure bool) {
	if strings.Contains(strings.ToUpper(line), "AUTH") && !secure {
		f.t.Errorf("a password in the open: %q", line)
	}
}

func (f *foe) letter(in *bufio.Reader) (saying, error) {
	var text strings.Builder
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return saying{}, err
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(strings.TrimPrefix(line, "."))
	}
	m, err := mail.ReadMessage(strings.NewReader(text.String()))
	if err != nil {
		f.t.Errorf("%v in %s", err, text.String())
		return saying{}, err
	}
	subject := m.Header.Get("Subject")
	return saying{ident: strings.TrimPrefix(ruleName.FindString(subject), "rule-"), resolved: strings.Contains(subject, "RESOLVED"),
		key: m.Header.Get("Message-ID") + m.Header.Get("References")}, nil
}
