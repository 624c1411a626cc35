package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"pulse/store/disk"
)

// QuarantineFolder is where damaged files go. Nothing in there is ever read or
// removed by the program.
const QuarantineFolder = "quarantine"

// maxQuarantined is how many files of one name are told apart.
const maxQuarantined = 1000

// Quarantine moves a file out of the way and writes the reason beside it. It
// returns the new name.
func Quarantine(files disk.FS, name, reason string) (string, error) {
	if err := files.MkdirAll(QuarantineFolder); err != nil {
		return "", fmt.Errorf("quarantine %s: %w", name, err)
	}
	base := path.Join(QuarantineFolder, strings.ReplaceAll(path.Clean(name), "/", "_"))
	to := base
	for i := 1; ; i++ {
		_, err := files.Size(to)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil || i == maxQuarantined {
			return "", fmt.Errorf("quarantine %s: no free name like %s: %v", name, to, err)
		}
		to = fmt.Sprintf("%s.%d", base, i)
	}
	if err := files.Rename(name, to); err != nil {
		return "", fmt.Errorf("quarantine %s: %w", name, err)
	}
	for _, folder := range []string{QuarantineFolder, path.Dir(name)} {
		if err := files.SyncDir(folder); err != nil {
			return to, fmt.Errorf("quarantine %s: %w", name, err)
		}
	}
	// The reason is for people; the file is what counts.
	note, err := files.Create(to + ".txt")
	if err != nil {
		return to, nil
	}
	_, _ = fmt.Fprintf(note, "%s: %s\n", name, reason)
	_ = note.Close()
	return to, nil
}
