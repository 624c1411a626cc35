package notify

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"pulse/detect/text"
)

// KindEmail sends a mail over a mail server. The mails of an incident or group form a
// thread.
const KindEmail = "email"

// Bounds of a mail; a line of a header may have 998 bytes.
const (
	emailSubject    = 250     // characters
	emailText       = 100_000 // characters
	emailRecipients = 50
)

func checkEmail(r *Receiver) error {
	r.tellPeople()
	if r.StartTLS == nil {
		yes := true
		r.StartTLS = &yes
	}
	switch {
	case len(r.To) == 0:
		return errors.New("to is missing")
	case len(r.To) > emailRecipients:
		return fmt.Errorf("to has %d addresses, at most %d", len(r.To), emailRecipients)
	case r.From == "":
		return errors.New("from is missing")
	case r.Smarthost == "":
		return errors.New("smarthost is missing, want host:port")
	case !r.Password.IsZero() && !r.encrypted():
		return errors.New("password needs starttls, or port 465")
	}
	if _, err := address(r.From); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	for i, to := range r.To {
		if _, err := address(to); err != nil {
			return fmt.Errorf("to[%d]: %w", i, err)
		}
	}
	return nil
}

// encrypted reports whether the mail server is spoken to over TLS only.
func (r *Receiver) encrypted() bool {
	return r.StartTLS == nil || *r.StartTLS || r.implicitTLS()
}

// implicitTLS reports whether TLS begins with the connection, which is what port 465
// is for.
func (r *Receiver) implicitTLS() bool { return strings.HasSuffix(r.Smarthost, ":465") }

// address reads `a@example.com` or `Name <a@example.com>` with printable ASCII in the
// address itself.
func address(s string) (*mail.Address, error) {
	a, err := mail.ParseAddress(s)
	if err != nil || len(s) > 320 || strings.ContainsFunc(a.Address, func(c rune) bool { return c <= ' ' || c > '~' || c == '<' || c == '>' }) {
		return nil, fmt.Errorf("%s is no mail address", quoted(s))
	}
	return a, nil
}

// deliverEmail sends one mail to all recipients.
func deliverEmail(ctx context.Context, s *Service, r *Receiver, b *bundle) answer {
	if err := b.read(); err != nil {
		return answer{verdict: hopeless, err: err.Error(), blocked: true}
	}
	message, err := emailMessage(r, b)
	if err != nil {
		return answer{verdict: hopeless, err: err.Error(), blocked: true}
	}
	return s.mail(ctx, r, message)
}

// emailMessage writes the mail: headers and a text in UTF-8. Its Message-ID is equal
// over all attempts, and its References over all mails of an incident or group.
func emailMessage(r *Receiver, b *bundle) ([]byte, error) {
	from, err := address(r.From)
	if err != nil {
		return nil, err
	}
	p := newPage(r, b, emailSubject)
	subject := text.Clip(oneLine(r.said.subject.or(b, b.subject)), emailSubject)
	_, domain, _ := strings.Cut(from.Address, "@")
	id := func(parts ...string) string {
		sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
		return "<" + hex.EncodeToString(sum[:16]) + ".pulse@" + domain + ">"
	}
	thread := id("thread", b.Receiver, b.Key)
	var w bytes.Buffer
	header := func(key, value string) { // encoded words stand on lines of their own, since a line may have 998 bytes
		fmt.Fprintf(&w, "%s: %s\r\n", key, strings.ReplaceAll(value, "?= =?", "?=\r\n =?"))
	}
	header("From", from.String())
	to := make([]string, len(r.To))
	for i, one := range r.To {
		a, err := address(one)
		if err != nil {
			return nil, err
		}
		to[i] = a.String()
	}
	header("To", strings.Join(to, ",\r\n "))
	header("Subject", mime.QEncoding.Encode("utf-8", subject))
	header("Date", time.UnixMilli(b.Now).UTC().Format("Mon, 02 Jan 2006 15:04:05 +0000"))
	header("Message-ID", id("mail", b.Receiver, b.ID))
	header("In-Reply-To", thread)
	header("References", thread)
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "quoted-printable")
	w.WriteString("\r\n")
	words := p.plain(emailText)
	if p.Text == "" {
		words = p.Title + "\n\n" + words
	}
	body := quotedprintable.NewWriter(&w)
	if _, err := body.Write([]byte(strings.TrimRight(words, "\n") + "\n")); err != nil {
		return nil, err
	}
	if err := body.Close(); err != nil {
		return nil, err
	}
	return w.Bytes(), nil
}
