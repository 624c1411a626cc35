package main

import (
	"fmt"
	"os"
	"path/filepath"

	"pulse/store"
	"pulse/store/disk"
)

// storeCmd looks into data folders.
type storeCmd struct {
	Check storeCheckCmd `cmd:"" help:"Read everything in a data folder and report what is damaged."`
	Dump  storeDumpCmd  `cmd:"" help:"Show log records, blocks or the series of a snapshot."`
}

type storeCheckCmd struct {
	Dir   string `arg:"" help:"Data folder." type:"existingdir"`
	Quiet bool   `help:"Report only what is damaged." short:"q"`
}

// Run reports a line per file. What is damaged makes it fail.
func (c *storeCheckCmd) Run(e *env) error {
	files, err := disk.Dir(c.Dir)
	if err != nil {
		return err
	}
	seen, bad := 0, 0
	err = store.Check(files, func(f store.Finding) {
		seen++
		mark := "ok "
		if f.Bad {
			bad++
			mark = "BAD"
		} else if c.Quiet {
			return
		}
		fmt.Fprintf(e.stdout, "%s  %s  %s\n", mark, f.File, f.Text)
	})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", c.Dir, err)
	case bad > 0:
		return fmt.Errorf("%s: %d of %d findings are bad", c.Dir, bad, seen)
	}
	fmt.Fprintf(e.stdout, "%s is sound\n", c.Dir)
	return nil
}

type storeDumpCmd struct {
	File  string `arg:"" help:"A segment (.wal), archive file (.arc) or snapshot (.snap)." type:"existingfile"`
	Limit int    `help:"Lines shown at most; 0 for all." default:"1000"`
}

// Run writes the lines.
func (c *storeDumpCmd) Run(e *env) error {
	if c.Limit < 0 {
		return fmt.Errorf("--limit %d is below 0", c.Limit)
	}
	if _, err := os.Stat(c.File); err != nil {
		return err
	}
	files, err := disk.Dir(filepath.Dir(c.File))
	if err != nil {
		return err
	}
	return store.Inspect(e.stdout, files, filepath.Base(c.File), c.Limit)
}
