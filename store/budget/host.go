package budget

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
)

// Host returns how many bytes of memory this process may use at most: what the
// machine has, or the lowest limit of the control groups that it is in, of
// either version. root is the root of the file system.
func Host(root fs.FS) (int64, error) {
	total, err := machine(root)
	if err != nil {
		return 0, err
	}
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return total, nil // no control groups
	}
	for line := range strings.Lines(string(groups)) {
		// hierarchy:controllers:path; version 2 has hierarchy 0 and no controllers.
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) < 3 {
			continue
		}
		switch {
		case parts[1] == "":
			total = lowest(root, total, "sys/fs/cgroup", parts[2], "memory.max")
			total = lowest(root, total, "sys/fs/cgroup/unified", parts[2], "memory.max")
		case strings.Contains(","+parts[1]+",", ",memory,"):
			total = lowest(root, total, "sys/fs/cgroup/memory", parts[2], "memory.limit_in_bytes")
		}
	}
	return total, nil
}

// machine returns the memory of the machine.
func machine(root fs.FS) (int64, error) {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("find out how much memory there is: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, "MemTotal:")
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
		if err != nil || kib <= 0 || kib > 1<<50 {
			return 0, fmt.Errorf("find out how much memory there is: /proc/meminfo says %q", strings.TrimSpace(line))
		}
		return kib << 10, nil
	}
	return 0, fmt.Errorf("find out how much memory there is: /proc/meminfo has no MemTotal")
}

// lowest returns the lowest limit of a group and those above it, at most n. In
// a container the path may be that of the host and only the mounted root is
// there. A file that is missing or says max sets no limit.
func lowest(root fs.FS, n int64, mount, group, file string) int64 {
	for at := path.Join(mount, path.Clean("/"+group)); ; at = path.Dir(at) {
		if text, err := fs.ReadFile(root, path.Join(at, file)); err == nil {
			if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 {
				n = min(n, limit)
			}
		}
		if at == mount || len(at) < len(mount) {
			return n
		}
	}
}
