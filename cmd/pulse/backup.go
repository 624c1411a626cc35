package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.etcd.io/bbolt"
)

const backupFolder = "backup"

// backup makes a folder beside the data that a server can be started on: a fresh
// snapshot, the archive files, and the database. Snapshots and archive files
// never change, so they are linked and cost no space until the originals are
// removed. It returns the folder's name.
func (s *server) backup(ctx context.Context) (dir string, err error) {
	if s.data == "" {
		return "", errors.New("there is no data folder: the server was started with an empty --data")
	}
	s.backups.Lock()
	defer s.backups.Unlock()
	if err := s.store.Snapshot(ctx); err != nil {
		return "", err
	}
	dir = filepath.Join(s.data, backupFolder, s.clock.Now().UTC().Format("20060102T150405.000Z"))
	unfinished := dir + ".tmp"
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(unfinished))
		}
	}()
	if err := os.MkdirAll(unfinished, 0o700); err != nil {
		return "", err
	}
	for _, name := range []string{"snapshot", "archive"} {
		if err := linkFiles(ctx, filepath.Join(s.data, name), filepath.Join(unfinished, name)); err != nil {
			return "", err
		}
	}
	if err := copyFile(filepath.Join(s.data, "meta.json"), filepath.Join(unfinished, "meta.json")); err != nil {
		return "", err
	}
	err = s.db.View(func(tx *bbolt.Tx) error { return tx.CopyFile(filepath.Join(unfinished, "state.db"), 0o600) })
	if err != nil {
		return "", fmt.Errorf("copy state.db: %w", err)
	}
	if err := syncAll(unfinished); err != nil {
		return "", err
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return "", err
	}
	return dir, syncPath(filepath.Dir(dir))
}

// syncAll makes a folder and everything in it durable.
func syncAll(dir string) error {
	return filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(name)
	})
}

func syncPath(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// linkFiles links every finished file under a folder into another. A file that
// is removed meanwhile has run out of its time, or another has taken its place.
func linkFiles(ctx context.Context, from, to string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if filepath.Ext(name) == ".tmp" {
			return nil
		}
		if err := os.Link(name, target); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return copyFile(name, target) // the file system knows no links
		}
		return nil
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
