package conformance

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strings"
)

// equal returns an error that shows both unless got is want.
func equal(got, want any) error {
	if reflect.DeepEqual(got, want) {
		return nil
	}
	return fmt.Errorf("  got   %#v\n  want  %#v", got, want)
}

// same compares lists without telling an absent one from an empty one.
func same[T any](got, want []T) error {
	if len(got) == 0 && len(want) == 0 {
		return nil
	}
	return equal(got, want)
}

// tolerance is how far a number may be off: absolute when a case says so, else
// 1e-9 of the wanted number.
type tolerance struct{ Tolerance *float64 }

func (t tolerance) near(got, want float64) bool {
	switch {
	case math.IsNaN(want) || math.IsNaN(got):
		return math.IsNaN(want) && math.IsNaN(got)
	case got == want:
		return true
	case math.IsInf(got, 0) || math.IsInf(want, 0):
		return false
	case t.Tolerance != nil:
		return math.Abs(got-want) <= *t.Tolerance
	}
	return math.Abs(got-want) <= 1e-9*math.Abs(want)
}

func (t tolerance) value(got, want float64) error {
	if t.near(got, want) {
		return nil
	}
	return fmt.Errorf("  got   %v\n  want  %v", got, want)
}

func (t tolerance) values(got, want []float64) error {
	for i := range want {
		if i < len(got) && !t.near(got[i], want[i]) {
			return fmt.Errorf("  got   %v\n  want  %v (at %d)", got, want, i)
		}
	}
	if len(got) != len(want) {
		return fmt.Errorf("  got   %v (%d values)\n  want  %v (%d values)", got, len(got), want, len(want))
	}
	return nil
}

// failure is the error that a case wants. Error is the message, or true when
// any will do.
type failure struct {
	Error         any
	ErrorContains string
}

func (f failure) wanted() bool {
	return f.ErrorContains != "" || f.Error != nil && f.Error != false
}

// check compares the error that came with the wanted one, of which there may
// be none.
func (f failure) check(err error) error {
	switch {
	case !f.wanted():
		return err
	case err == nil:
		return fmt.Errorf("  got   no error\n  want  %s", f)
	case f.ErrorContains != "":
		if strings.Contains(err.Error(), f.ErrorContains) {
			return nil
		}
	case f.Error == true || plain(err.Error()) == plain(fmt.Sprint(f.Error)):
		return nil
	}
	return fmt.Errorf("  got   error %q\n  want  %s", err, f)
}

func (f failure) String() string {
	switch {
	case f.ErrorContains != "":
		return fmt.Sprintf("an error with %q", f.ErrorContains)
	case f.Error == true:
		return "an error"
	}
	return fmt.Sprintf("error %q", f.Error)
}

// class is what the original runtime puts before a message.
var class = regexp.MustCompile(`^([A-Za-z]+(Exception|Error): |requirement failed: |assertion failed: )+`)

func plain(message string) string { return class.ReplaceAllString(message, "") }

// all joins what several comparisons found.
func all(errs ...error) error { return errors.Join(errs...) }
