package store

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"strconv"
	"strings"

	"pulse/store/archive"
	"pulse/store/disk"
	"pulse/store/match"
	"pulse/store/tags"
	"pulse/store/wal"
)

var errEnough = errors.New("enough lines")

// Inspect writes out what a file of a data folder holds, a line per record,
// block or series, at most limit lines (0: all). The name says what the file is.
// It reads only, as Check does.
func Inspect(w io.Writer, files disk.FS, name string, limit int) error {
	if _, err := files.Size(name); err != nil {
		return err
	}
	out := &lines{w: w, left: limit}
	if limit == 0 {
		out.left = math.MaxInt
	}
	var err error
	switch base := path.Base(name); {
	case strings.HasSuffix(base, ".wal"):
		err = inspectLog(out, files, path.Dir(name), base)
	case strings.HasSuffix(base, archiveSuffix):
		err = inspectBlocks(out, files, name)
	case strings.HasSuffix(base, snapshotSuffix):
		err = inspectSnapshot(out, files, name)
	default:
		err = fmt.Errorf("%s is no file of the log (.wal), of blocks (%s) or of a snapshot (%s)", name, archiveSuffix, snapshotSuffix)
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// lines writes up to a number of lines.
type lines struct {
	w    io.Writer
	left int
}

func (l *lines) print(format string, args ...any) error {
	if l.left <= 0 {
		return errEnough
	}
	l.left--
	_, err := fmt.Fprintf(l.w, format+"\n", args...)
	return err
}

func inspectLog(out *lines, files disk.FS, dir, base string) error {
	start, err := strconv.ParseUint(strings.TrimSuffix(base, ".wal"), 16, 64)
	if err != nil {
		return fmt.Errorf("%s is not named by the number of its first record", base)
	}
	report, err := wal.Read(files, dir, start, func(seg *wal.Segment) error {
		if seg.Start != start {
			return errEnough
		}
		var failed error
		err := readSegment(seg, func(r *wal.Record, err error) {
			if failed == nil {
				failed = out.record(r, err)
			}
		})
		return errors.Join(err, failed)
	})
	for _, d := range report.Skipped {
		if d.File == base {
			err = errors.Join(err, out.print("damaged at %d: %d bytes, %d records lost: %s", d.Offset, d.Bytes, d.Lost, d.Reason))
		}
	}
	return err
}

// record writes one record of the log.
func (l *lines) record(r *wal.Record, err error) error {
	if err != nil {
		return l.print("%d  unreadable: %v", r.LSN, err)
	}
	for _, x := range r.Series {
		if err := l.print("%d  series %s is %s", r.LSN, refText(x.Ref), x.Tags); err != nil {
			return err
		}
	}
	for _, x := range r.Senders {
		if err := l.print("%d  source %d is %q", r.LSN, x.ID, x.Key); err != nil {
			return err
		}
	}
	switch b := &r.Batch; r.Kind {
	case wal.KindBatch:
		if err := l.print("%d  batch of %d points from source %d, arrived %d, amounts %v, note of %d bytes", r.LSN, len(b.Refs), b.Source, b.Arrival, b.Amount, len(b.Note)); err != nil {
			return err
		}
		for i, ref := range b.Refs {
			if err := l.print("%d    %s  %d  %v", r.LSN, refText(ref), b.Times[i], b.Values[i]); err != nil {
				return err
			}
		}
	case wal.KindImport:
		for _, x := range r.Import.Lines {
			if err := l.print("%d  import into %s of %d values, step %d ms", r.LSN, refText(x.Ref), len(x.Values), x.Step); err != nil {
				return err
			}
		}
	case wal.KindMark:
		return l.print("%d  mark of %d bytes", r.LSN, len(r.Mark))
	case wal.KindNote:
		return l.print("%d  note of %d bytes, arrived %d", r.LSN, len(b.Note), b.Arrival)
	case wal.KindRepeat:
		return l.print("%d  definitions again", r.LSN)
	}
	return nil
}

// refText is a series' partition and slot.
func refText(ref uint32) string {
	return fmt.Sprintf("%d/%d", Ref(ref).partition(), Ref(ref).slot())
}

var fieldNames = [fields]string{"sum", "count", "min", "max"}

func inspectBlocks(out *lines, files disk.FS, name string) error {
	b, err := archive.OpenBlocks(files, name)
	if err != nil {
		return err
	}
	defer b.Release()
	if err := b.Verify(); err != nil {
		return err
	}
	g := newGrid(b.Step)
	if err := out.print("block %d of step %d ms, values stamped %d to %d, epoch %d, complete through %d, %d bytes",
		b.Number, b.Step, g.stamp(b.Number, 0), g.end(b.Number), b.Epoch, b.Through, b.Size()); err != nil {
		return err
	}
	return eachBlock(b, func(part int, slot uint32, field int, values []float64, err error) error {
		what := ""
		if b.Fields > 1 {
			what = " " + fieldNames[field]
		}
		if err != nil {
			return out.print("%d/%d%s  unreadable: %v", part, slot, what, err)
		}
		return out.print("%d/%d%s  %s", part, slot, what, spaced(values))
	})
}

// spaced returns values with a blank between, a dash for no data.
func spaced(values []float64) string {
	var b strings.Builder
	for i, v := range values {
		if i > 0 {
			b.WriteByte(' ')
		}
		if v != v {
			b.WriteByte('-')
			continue
		}
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
	}
	return b.String()
}

// inspectSnapshot reads the step out of the snapshot's own head.
func inspectSnapshot(out *lines, files disk.FS, name string) error {
	file, err := archive.Open(files, name, archive.Snapshot)
	if err != nil {
		return err
	}
	src, err := file.Section(snapshotHead)
	if err == nil {
		var head snapshot
		if head, err = readHead(src); err == nil {
			err = inspectSeries(out, files, name, head)
		}
	}
	file.Release()
	return err
}

func inspectSeries(out *lines, files disk.FS, name string, head snapshot) error {
	s, _, err := readSnapshot(files, name, head.step)
	if err != nil {
		return err
	}
	defer s.wipe(0)
	if err := out.print("up to record %d, needs the log from %d, primary step %d ms, %d series, %d sources",
		head.lsn, head.floor+1, head.step, s.searchable, len(s.sources.byKey)); err != nil {
		return err
	}
	dict := s.index.Dictionary()
	for it := s.index.Select(match.True).Iterator(); it.HasNext(); {
		ref := refOfSeat(it.Next())
		p := &s.parts[ref.partition()]
		var t tags.Tags = dict.Tags(p.pairsOf(ref.slot()))
		if err := out.print("%s  last written %d  %s", refText(uint32(ref)), p.slots[ref.slot()].last, t); err != nil {
			return err
		}
	}
	return nil
}
