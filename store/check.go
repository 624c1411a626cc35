package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"pulse/store/archive"
	"pulse/store/block"
	"pulse/store/disk"
	"pulse/store/wal"
)

// Finding is what Check has to say of one file, or of how files fit together.
type Finding struct {
	File string // in the data folder
	Bad  bool   // damaged, missing or contradictory
	Text string
}

// Check reads everything in a data folder and reports each file. It writes
// nothing, and may run on the folder of a live server, whose newest log file it
// then sees in the middle of a write. The error says that it could not go on.
func Check(files disk.FS, report func(Finding)) error {
	c := checker{files: files, report: report}
	if err := c.meta(); err != nil {
		return err
	}
	for _, part := range []func() error{c.log, c.snapshots, c.archives, c.quarantine} {
		if err := part(); err != nil {
			return err
		}
	}
	c.fit()
	return nil
}

type checker struct {
	files  disk.FS
	report func(Finding)
	step   int64

	first, last uint64 // records of the log; first 0: it has no file
	kept        []snapshot
}

func (c *checker) fine(file, format string, args ...any) {
	c.report(Finding{File: file, Text: fmt.Sprintf(format, args...)})
}

func (c *checker) bad(file, format string, args ...any) {
	c.report(Finding{File: file, Bad: true, Text: fmt.Sprintf(format, args...)})
}

func (c *checker) meta() error {
	text, err := readFile(c.files, metaName)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no %s: this is no data folder", metaName)
	}
	if err != nil {
		return err
	}
	var m meta
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("read %s: %w", metaName, err)
	}
	if m.Format < 1 || m.Format > format {
		return fmt.Errorf("%s has format %d, this program knows 1 to %d", metaName, m.Format, format)
	}
	if err := (Options{Step: m.Step}).Check(); err != nil {
		return fmt.Errorf("%s: %w", metaName, err)
	}
	c.step = m.Step
	c.fine(metaName, "format %d, primary step %d ms", m.Format, m.Step)
	return nil
}

// log checks framing first and then what every record says.
func (c *checker) log() error {
	err := wal.Verify(c.files, logDir, func(x wal.Item) {
		file := path.Join(logDir, x.File)
		if c.first == 0 {
			c.first = x.Start
		} else if x.Start > c.last+1 {
			c.bad(file, "records %d to %d are missing before it", c.last+1, x.Start-1)
		}
		c.last = max(c.last, x.Last, x.Start-1)
		for _, d := range x.Skipped {
			c.bad(file, "damaged at %d, %d bytes, %d records lost: %s", d.Offset, d.Bytes, d.Lost, d.Reason)
		}
		switch {
		case !x.Whole:
			c.fine(file, "no record; it was not finished when the server ended")
		case x.Tail > 0:
			c.fine(file, "records %d to %d, and %d bytes of a write that was not acknowledged", x.First, x.Last, x.Tail)
		default:
			c.fine(file, "records %d to %d, %d bytes", x.First, x.Last, x.Bytes)
		}
	})
	if err != nil {
		return err
	}
	_, err = wal.Read(c.files, logDir, 0, func(seg *wal.Segment) error {
		return readSegment(seg, func(r *wal.Record, err error) {
			if err != nil {
				c.bad(logDir, "record %d: %v", r.LSN, err)
			}
		})
	})
	return err
}

// readSegment decodes every record of a segment. A record that cannot be read
// has a number only.
func readSegment(seg *wal.Segment, each func(*wal.Record, error)) error {
	d := wal.NewDecoder()
	for lsn, payload := range seg.Records() {
		if err := d.Scan(lsn, payload); err != nil {
			each(&wal.Record{LSN: lsn}, err)
		}
	}
	for lsn, payload := range seg.Records() {
		r, err := d.Decode(lsn, payload, wal.AllPartitions)
		if err != nil {
			r = &wal.Record{LSN: lsn}
		}
		each(r, err)
	}
	return nil
}

// snapshots loads each one whole.
func (c *checker) snapshots() error {
	names, err := listSnapshots(c.files)
	if err != nil {
		return err
	}
	for _, lsn := range names {
		name := snapshotName(lsn)
		s, head, err := readSnapshot(c.files, name, c.step)
		if err != nil {
			c.bad(name, "%v", err)
			continue
		}
		c.kept = append(c.kept, head)
		c.fine(name, "up to record %d, needs the log from %d; %d series", head.lsn, head.floor+1, s.searchable)
		s.wipe(0)
	}
	return nil
}

// readSnapshot loads a snapshot file into a store of its own.
func readSnapshot(files disk.FS, name string, step int64) (*Store, snapshot, error) {
	s, err := New(Options{Step: step, MaxSeries: partitions * maxSlots / seenPerSeries, MaxSources: 1 << 20})
	if err != nil {
		return nil, snapshot{}, err
	}
	s.folder = &folder{Durable: Durable{FS: files}}
	head, _, err := s.restore(name)
	return s, head, err
}

// archives checks every block of every archive file.
func (c *checker) archives() error {
	folders, err := c.files.List(archiveDir)
	if err != nil {
		return err
	}
	for _, folder := range folders {
		bases, err := c.files.List(path.Join(archiveDir, folder))
		if err != nil {
			return err
		}
		files, blocks, bytes, before := 0, 0, int64(0), int64(-1<<63)
		for _, base := range bases {
			name := path.Join(archiveDir, folder, base)
			number, epoch, ok := parseArchiveName(base)
			if !ok {
				c.fine(name, "not an archive file; it is not used")
				continue
			}
			n, size, err := checkBlocks(c.files, name, folder, number, epoch)
			if err != nil {
				c.bad(name, "%v", err)
				continue
			}
			if number == before {
				c.fine(name, "one of several of a block time; the one of the highest epoch holds")
			}
			files, blocks, bytes, before = files+1, blocks+n, bytes+size, number
		}
		c.fine(path.Join(archiveDir, folder), "%d files, %d blocks, %d bytes", files, blocks, bytes)
	}
	return nil
}

// checkBlocks reads an archive file whole and decodes its blocks.
func checkBlocks(files disk.FS, name, folder string, number int64, epoch uint32) (blocks int, size int64, err error) {
	b, err := archive.OpenBlocks(files, name)
	if err != nil {
		return 0, 0, err
	}
	defer b.Release()
	if strconv.FormatInt(b.Step, 10) != folder || b.Number != number || b.Epoch != epoch {
		return 0, 0, fmt.Errorf("it holds block %d, epoch %d, of step %d ms", b.Number, b.Epoch, b.Step)
	}
	if err := b.Verify(); err != nil {
		return 0, 0, err
	}
	err = eachBlock(b, func(part int, slot uint32, field int, values []float64, err error) error {
		if err != nil {
			return fmt.Errorf("partition %d, slot %d: %w", part, slot, err)
		}
		blocks++
		return nil
	})
	return blocks, b.Size(), err
}

// eachBlock decodes every block of a file that has been verified.
func eachBlock(b *archive.BlockFile, each func(part int, slot uint32, field int, values []float64, err error) error) error {
	var row [block.Size]float64
	var inline [8]byte
	for i := range archive.Parts {
		part := b.Part(i)
		for k, word := range part.Words {
			if word == 0 {
				continue
			}
			_, err := block.Decode(row[:], archive.BlockAt(word, part.Data, &inline))
			if err := each(i, uint32(k/b.Fields), k%b.Fields, row[:], err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) quarantine() error {
	names, err := c.files.List(archive.QuarantineFolder)
	for _, name := range names {
		c.fine(path.Join(archive.QuarantineFolder, name), "kept after damage; nothing reads it")
	}
	return err
}

// fit checks that the log goes on where the newest snapshot ends.
func (c *checker) fit() {
	slices.SortFunc(c.kept, func(a, b snapshot) int { return strings.Compare(snapshotName(a.lsn), snapshotName(b.lsn)) })
	from := uint64(1)
	if n := len(c.kept); n > 0 {
		from = c.kept[n-1].floor + 1
	}
	if c.first > from {
		c.bad(logDir, "records %d to %d are in no snapshot and not in the log", from, c.first-1)
	}
}
