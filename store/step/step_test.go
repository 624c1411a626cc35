package step_test

import (
	"math"
	"testing"

	"pulse/store/step"
)

const (
	second = int64(1000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

func TestFloorCeil(t *testing.T) {
	f := func(at, s, floor, ceil int64) {
		t.Helper()
		if got := step.Floor(at, s); got != floor {
			t.Errorf("Floor(%d, %d) = %d, want %d", at, s, got, floor)
		}
		if got := step.Ceil(at, s); got != ceil {
			t.Errorf("Ceil(%d, %d) = %d, want %d", at, s, got, ceil)
		}
	}
	f(0, 10, 0, 0)
	f(1, 2, 0, 2)
	f(2, 2, 2, 2)
	f(3, 2, 2, 4)
	f(11000, 5000, 10000, 15000)
	f(87123, minute, minute, 2*minute)
	f(-1, 10, -10, 0)
	f(-10, 10, -10, -10)
	f(-11, 10, -20, -10)
}

func TestRound(t *testing.T) {
	f := func(primary, s, blockStep, want int64) {
		t.Helper()
		if got, err := step.RoundBlocks(primary, s, blockStep); err != nil || got != want {
			t.Errorf("RoundBlocks(%d, %d, %d) = %d, %v, want %d", primary, s, blockStep, got, err, want)
		}
	}
	f(1, 20, hour, 50)
	f(1, 200, hour, 500)
	f(minute, day, hour, day)
	f(minute, 7*day, hour, 7*day)
	f(minute, 12*hour+1, hour, day)
	f(minute, 12*hour, hour, 12*hour)
	f(minute, day+1, 0, 2*day)
	f(minute, 1, 0, minute)
	f(5*second, minute, 10*minute, minute)
	f(5*second, 2*minute, 10*minute, 2*minute)
	f(5*second, 3*minute, 10*minute, 5*minute) // 3 and 4 do not divide 10
	f(5*second, 3*minute, 0, 3*minute)
	f(4*second, 5*second, 0, 12*second) // 5, 6 and 10 are no multiples of 4

	fails := func(primary, s, blockStep int64) {
		t.Helper()
		if got, err := step.RoundBlocks(primary, s, blockStep); err == nil {
			t.Errorf("RoundBlocks(%d, %d, %d) = %d, want an error", primary, s, blockStep, got)
		}
	}
	fails(0, 1, 0)
	fails(minute, 0, 0)
	fails(minute, -1, 0)
	fails(minute, minute, -1)
	fails(minute, math.MaxInt64, 0)
}

func TestCompute(t *testing.T) {
	const end = int64(1700006400000)
	f := func(width, length, want int64) {
		t.Helper()
		if got := step.ComputeBlocks(minute, width, end-length, end, hour); got != want {
			t.Errorf("width %d over %d ms: step %d, want %d", width, length, got, want)
		}
	}
	f(1, day, day)
	f(1, 30*day, 30*day)
	f(700, 3*hour, minute)
	f(700, 7*day, 15*minute)
	f(1440, day, minute)
	f(1440, day+minute, 2*minute)
	f(600, day, 3*minute)
	f(430, 12*hour, 2*minute)
	f(300, 30*day, 3*hour)
	f(0, hour, hour)
	f(100, 0, minute)
	f(100, -hour, minute)
	if got := step.Compute(minute, math.MaxInt64, 0, day); got != minute {
		t.Errorf("endless width: step %d, want %d", got, minute)
	}
}

func TestFirstPrimary(t *testing.T) {
	f := func(at, s, multiple, want int64) {
		t.Helper()
		if got, err := step.FirstPrimary(at, s, multiple); err != nil || got != want {
			t.Errorf("FirstPrimary(%d, %d, %d) = %d, %v, want %d", at, s, multiple, got, err, want)
		}
	}
	f(hour, hour, 60, minute)
	f(0, 3*minute, 3, -2*minute)
	f(2*minute, 2*minute, 2, minute)
	f(minute, minute, 1, minute)

	fails := func(at, s, multiple int64) {
		t.Helper()
		if got, err := step.FirstPrimary(at, s, multiple); err == nil {
			t.Errorf("FirstPrimary(%d, %d, %d) = %d, want an error", at, s, multiple, got)
		}
	}
	fails(61*second, minute, 1)
	fails(minute, minute, 7)
	fails(0, minute, 0)
	fails(0, 0, 1)
}

func TestStepsAscendAndDivideADay(t *testing.T) {
	last := int64(0)
	for _, s := range step.Steps() {
		if s <= last {
			t.Errorf("step %d after %d", s, last)
		}
		if day%s != 0 {
			t.Errorf("step %d does not divide a day", s)
		}
		last = s
	}
}

func TestValidPrimary(t *testing.T) {
	valid := []int64{}
	for s := int64(0); s <= hour; s++ {
		if step.ValidPrimary(s) {
			valid = append(valid, s)
		}
	}
	want := []int64{100, 500, 1000, 2000, 3000, 4000, 5000, 6000, 10000, 12000, 15000, 20000, 30000, 60000}
	if len(valid) != len(want) {
		t.Fatalf("valid primary steps %v, want %v", valid, want)
	}
	for i := range want {
		if valid[i] != want[i] {
			t.Fatalf("valid primary steps %v, want %v", valid, want)
		}
	}
}
