package simulation_test

import (
	"os"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
)

// database is the file of alert state and outbox. It can be made to fail: what is
// written goes to a descriptor that takes nothing, as on a disk with a fault.
type database struct {
	*bbolt.DB
	file    *os.File
	good    int // a descriptor of the file that can be written
	failing bool
}

func openDatabase(path string) (*database, error) {
	d := &database{}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoGrowSync: true, NoStatistics: true, InitialMmapSize: 16 << 20, Timeout: time.Second,
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			d.file, err = os.OpenFile(name, flag, mode)
			return d.file, err
		}})
	if err != nil {
		return nil, err
	}
	d.DB = db
	d.good, err = syscall.Dup(int(d.file.Fd()))
	return d, err
}

// fail makes every write fail, or not any more.
func (d *database) fail(is bool) error {
	if d.failing == is {
		return nil
	}
	d.failing = is
	if !is {
		return syscall.Dup3(d.good, int(d.file.Fd()), syscall.O_CLOEXEC)
	}
	none, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer none.Close()
	return syscall.Dup3(int(none.Fd()), int(d.file.Fd()), syscall.O_CLOEXEC)
}

// end closes it as the end of the process does.
func (d *database) end() error {
	if err := d.fail(false); err != nil {
		return err
	}
	err := d.DB.Close()
	if err2 := syscall.Close(d.good); err == nil {
		err = err2
	}
	return err
}
