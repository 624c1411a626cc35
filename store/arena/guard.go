package arena

import (
	"fmt"
	"runtime/debug"
)

// FaultError is memory that could not be read: the file behind it is shorter
// than when it was mapped, or its disk fails.
type FaultError struct {
	Addr uintptr
}

func (e *FaultError) Error() string { return fmt.Sprintf("memory fault at %#x", e.Addr) }

// nilPage is the size of the first page, which is never mapped: a fault in
// there is a nil pointer.
const nilPage = 4096

// Guard calls f and returns its error. A memory fault in f, in this goroutine,
// becomes a *FaultError; what f was about to do is then half done, and its
// deferred calls have run. Any other panic goes on.
func Guard(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		fault, ok := v.(interface {
			error
			Addr() uintptr
		})
		if !ok || fault.Addr() < nilPage {
			panic(v)
		}
		err = &FaultError{fault.Addr()}
	}()
	return f()
}
