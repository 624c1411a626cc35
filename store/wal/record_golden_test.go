package wal_test

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pulse/bench/testkit"
	"pulse/store/tags"
	"pulse/store/wal"
)

// TestRecordSamples plays scripts that show the bytes of payloads. `segment`
// begins one; `batch`, `import`, `mark`, `note` and `repeat` give the bytes that
// the next record has today; `read` reads the records of a segment as an earlier
// version wrote them: those scripts stay as they are for ever.
//
// In bytes, a line is a record with its LSN in front, `xN` repeats the byte
// before, and a comment follows `#`; a line that begins with a blank goes on.
func TestRecordSamples(t *testing.T) {
	testkit.Run(t, "testdata/records/*.txt", func(t *testing.T) func(*testkit.Command) string {
		s := &sampler{t: t}
		return s.run
	})
}

type sampler struct {
	t *testing.T
	e *wal.Encoder
}

func (s *sampler) run(c *testkit.Command) string {
	switch c.Name {
	case "segment":
		s.e = wal.NewEncoder(wal.EncoderOptions{Step: s.number(c.Arg("step", "10000"))})
		s.e.Begin(uint64(s.number(c.Arg("first", "1"))))
		return "ok"
	case "batch":
		return hexLines(s.batch(c))
	case "import":
		return hexLines(s.imported(c))
	case "mark":
		return hexLines(s.e.Mark(nil, []byte(c.Input)))
	case "note":
		return hexLines(s.e.Note(nil, s.number(c.Arg("arrival", "0")), []byte(c.Input)))
	case "repeat":
		return hexLines(s.e.Repeat(nil, true))
	case "read":
		return s.read(c)
	}
	s.t.Fatalf("%s: unknown command %q", c.Pos, c.Name)
	return ""
}

// batch has lines `ref time value`, `series ref at tags` and `sender id at key`.
// A ref is partition/slot; a line `ref..slot time value` stands for several.
func (s *sampler) batch(c *testkit.Command) []byte {
	b := wal.Batch{
		Source: uint32(s.number(c.Arg("source", "0"))), Arrival: s.number(c.Arg("arrival", "0")),
		Amount: c.Arg("amount", "no") == "yes", Note: []byte(c.Arg("note", "")),
	}
	b.Now = b.Arrival + s.number(c.Arg("after", "0"))
	var series []wal.Series
	var senders []wal.Sender
	for _, line := range c.Lines() {
		f := strings.Fields(line)
		switch f[0] {
		case "series":
			series = append(series, wal.Series{Ref: s.ref(f[1]), At: s.number(f[2]), Tags: parseTags(f[3])})
		case "sender":
			senders = append(senders, wal.Sender{ID: uint32(s.number(f[1])), At: s.number(f[2]), Key: f[3]})
		default:
			first, last, several := strings.Cut(f[0], "..")
			from := s.ref(first)
			to := from
			if several {
				to = from&^(1<<26-1) | uint32(s.number(last))
			}
			for ref := from; ref <= to; ref++ {
				b.Refs, b.Times, b.Values = append(b.Refs, ref), append(b.Times, s.number(f[1])), append(b.Values, s.value(f[2]))
			}
		}
	}
	return s.e.Batch(nil, &b, series, senders)
}

// imported has lines `ref step time:value...` and `series ref at tags`.
func (s *sampler) imported(c *testkit.Command) []byte {
	m := wal.Import{Now: s.number(c.Arg("now", "0")), Note: []byte(c.Arg("note", ""))}
	var series []wal.Series
	for _, line := range c.Lines() {
		f := strings.Fields(line)
		if f[0] == "series" {
			series = append(series, wal.Series{Ref: s.ref(f[1]), At: s.number(f[2]), Tags: parseTags(f[3])})
			continue
		}
		l := wal.ImportLine{Ref: s.ref(f[0]), Step: s.number(f[1])}
		for _, pair := range f[2:] {
			at, v, _ := strings.Cut(pair, ":")
			l.Times, l.Values = append(l.Times, s.number(at)), append(l.Values, s.value(v))
		}
		m.Lines = append(m.Lines, l)
	}
	return s.e.Import(nil, &m, series)
}

func (s *sampler) read(c *testkit.Command) string {
	type record struct {
		lsn     uint64
		payload []byte
	}
	var records []record
	for _, line := range c.Lines() {
		line, _, _ = strings.Cut(line, "#")
		goesOn := strings.HasPrefix(line, " ")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if !goesOn {
			lsn, ok := strings.CutSuffix(words[0], ":")
			if !ok {
				s.t.Fatalf("%s: no number in front of %q", c.Pos, line)
			}
			records, words = append(records, record{lsn: uint64(s.number(lsn))}), words[1:]
		}
		r := &records[len(records)-1]
		for _, w := range words {
			if n, ok := strings.CutPrefix(w, "x"); ok {
				for range s.number(n) - 1 {
					r.payload = append(r.payload, r.payload[len(r.payload)-1])
				}
				continue
			}
			b, err := hex.DecodeString(w)
			if err != nil {
				s.t.Fatalf("%s: %v", c.Pos, err)
			}
			r.payload = append(r.payload, b...)
		}
	}
	var out strings.Builder
	d := wal.NewDecoder()
	for _, r := range records {
		if err := d.Scan(r.lsn, r.payload); err != nil {
			fmt.Fprintf(&out, "scan: %v\n", err)
		}
	}
	for _, r := range records {
		rec, err := d.Decode(r.lsn, r.payload, wal.AllPartitions)
		if err != nil {
			fmt.Fprintf(&out, "%v\n", err)
			continue
		}
		describe(&out, rec)
	}
	return strings.TrimSuffix(out.String(), "\n")
}

func describe(out *strings.Builder, r *wal.Record) {
	fmt.Fprintf(out, "%d %v\n", r.LSN, r.Kind)
	for _, d := range r.Series {
		fmt.Fprintf(out, "  series %s at %d since %d: %v\n", refText(d.Ref), d.At, d.LSN, d.Tags)
	}
	for _, d := range r.Senders {
		fmt.Fprintf(out, "  sender %d at %d since %d: %s\n", d.ID, d.At, d.LSN, d.Key)
	}
	b := &r.Batch
	switch r.Kind {
	case wal.KindBatch:
		fmt.Fprintf(out, "  source %d arrival %d now %d amount %v note %q\n", b.Source, b.Arrival, b.Now, b.Amount, b.Note)
		points(out, b)
	case wal.KindImport:
		fmt.Fprintf(out, "  now %d note %q\n", r.Import.Now, r.Import.Note)
		for _, l := range r.Import.Lines {
			fmt.Fprintf(out, "  %s step %d:", refText(l.Ref), l.Step)
			for i, v := range l.Values {
				fmt.Fprintf(out, " %d:%s", l.Times[i], valueText(v))
			}
			out.WriteString("\n")
		}
	case wal.KindMark:
		fmt.Fprintf(out, "  %q\n", r.Mark)
	case wal.KindNote:
		fmt.Fprintf(out, "  arrival %d %q\n", b.Arrival, b.Note)
	}
}

// points prints runs of equal points together.
func points(out *strings.Builder, b *wal.Batch) {
	for i := 0; i < len(b.Refs); {
		n := i + 1
		for n < len(b.Refs) && b.Refs[n] == b.Refs[n-1]+1 && b.Times[n] == b.Times[i] && math.Float64bits(b.Values[n]) == math.Float64bits(b.Values[i]) {
			n++
		}
		fmt.Fprintf(out, "  %s", refText(b.Refs[i]))
		if n > i+1 {
			fmt.Fprintf(out, "..%d", b.Refs[n-1]&(1<<26-1))
		}
		fmt.Fprintf(out, " %d %s\n", b.Times[i], valueText(b.Values[i]))
		i = n
	}
}

func valueText(v float64) string {
	if v != v || v != 0 && math.Abs(v) < 1e-300 {
		return fmt.Sprintf("%#x", math.Float64bits(v))
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}

func refText(ref uint32) string { return fmt.Sprintf("%d/%d", ref>>26, ref&(1<<26-1)) }

func (s *sampler) ref(text string) uint32 {
	p, slot, _ := strings.Cut(text, "/")
	return uint32(s.number(p))<<26 | uint32(s.number(slot))
}

func (s *sampler) number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// value reads a number, a quotient, or the bits of a double in hexadecimal.
func (s *sampler) value(text string) float64 {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		n, err := strconv.ParseUint(digits, 16, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		return math.Float64frombits(n)
	}
	if r, ok := new(big.Rat).SetString(text); ok && text != "-0" {
		v, _ := r.Float64()
		return v
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func parseTags(text string) tags.Tags {
	var list []string
	for _, pair := range strings.Split(text, ",") {
		k, v, _ := strings.Cut(pair, "=")
		list = append(list, k, v)
	}
	return tags.Of(list...)
}

// hexLines are bytes, 16 to a line, with how many they are.
func hexLines(b []byte) string {
	var out strings.Builder
	for i := 0; i < len(b); i += 16 {
		fmt.Fprintf(&out, "% x\n", b[i:min(i+16, len(b))])
	}
	fmt.Fprintf(&out, "%d bytes", len(b))
	return out.String()
}
