package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// smallDisk mounts a file system of the given size in memory and returns its folder.
func smallDisk(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+strconv.Itoa(bytes)); err != nil {
		t.Skipf("this user may not mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// imageDisk is an ext4 file system in a file.
type imageDisk struct {
	t          *testing.T
	image, dir string
	mounted    bool
}

// newImageDisk makes and mounts one.
func newImageDisk(t *testing.T, bytes int64) *imageDisk {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root may mount the image of a disk")
	}
	for _, tool := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	above := t.TempDir()
	d := &imageDisk{t: t, image: filepath.Join(above, "image"), dir: filepath.Join(above, "disk")}
	must(t, os.Mkdir(d.dir, 0o700))
	must(t, os.WriteFile(d.image, nil, 0o600))
	must(t, os.Truncate(d.image, bytes))
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", d.image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v\n%s", err, out)
	}
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		t.Skipf("this machine does not mount images of disks: %v: %s", err, strings.TrimSpace(string(out)))
	}
	d.mounted = true
	t.Cleanup(func() { // who read the files at last may not have let go of the folder
		if !d.mounted {
			return
		}
		if out, err := exec.Command("umount", "-l", d.dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v\n%s", err, out)
		}
	})
	return d
}

func (d *imageDisk) unmount() {
	d.t.Helper()
	if !d.mounted {
		return
	}
	if out, err := exec.Command("umount", d.dir).CombinedOutput(); err != nil {
		d.t.Fatalf("umount: %v\n%s", err, out)
	}
	d.mounted = false
}

// again mounts the file system anew, which repeats its own journal.
func (d *imageDisk) again() {
	d.t.Helper()
	d.unmount()
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.dir).CombinedOutput(); err != nil {
		d.t.Fatalf("mount: %v\n%s", err, out)
	}
	d.mounted = true
}

// pause stops the process and returns when none of its threads is at work, in the
// kernel neither: a sync that is under way while a file system is cut off may
// be told that it succeeded, which no machine without power tells anybody.
func (v *victim) pause(t *testing.T) {
	t.Helper()
	must(t, v.cmd.Process.Signal(syscall.SIGSTOP))
	for deadline := time.Now().Add(killWait); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", v.cmd.Process.Pid))
		must(t, err)
		busy := 0
		for _, name := range threads {
			if b, err := os.ReadFile(name); err == nil && !strings.Contains(string(b), ") T ") {
				busy++
			}
		}
		if busy == 0 && len(threads) > 0 {
			return
		}
	}
	t.Fatal("the server does not stop")
}

const (
	ext4Shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN
	noFlush      = 2          // EXT4_GOING_FLAGS_NOLOGFLUSH
)

// cut ends all writing to the image at once: what was not synced before is lost,
// as with a loss of power, and every later write and sync fails.
func (d *imageDisk) cut() {
	d.t.Helper()
	f, err := os.Open(d.dir)
	must(d.t, err)
	defer f.Close()
	how := uint32(noFlush)
	if _, _, no := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), ext4Shutdown, uintptr(unsafe.Pointer(&how))); no != 0 {
		d.t.Skipf("this kernel cannot cut off a file system: %v", no)
	}
}
