package conformance

import (
	"strconv"
	"time"

	"pulse/query/when"
	"pulse/store/step"
)

func parseDuration(c *testCase) error {
	var input string
	var expect struct {
		failure
		Nanos integer
	}
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	got, err := when.ParseDuration(input)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return equal(got.Nanoseconds(), int64(expect.Nanos))
}

func formatDuration(c *testCase) error {
	var input struct {
		Seconds, Millis, Nanos literal
	}
	var expect struct{ Text string }
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	unit, n := time.Second, input.Seconds
	switch {
	case input.Millis != "":
		unit, n = time.Millisecond, input.Millis
	case input.Nanos != "":
		unit, n = time.Nanosecond, input.Nanos
	}
	count, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil {
		return err
	}
	return equal(when.FormatDuration(time.Duration(count)*unit), expect.Text)
}

// zoned is what a case may say about the parsing of times.
type zoned struct {
	DefaultZone string
	Refs        map[string]int64
}

func (z zoned) refs() when.Refs {
	refs := when.Refs{"now": 0}
	for name, at := range z.Refs {
		refs[name] = at
	}
	return refs
}

func parseDate(c *testCase) error {
	var input string
	var given zoned
	var expect struct {
		failure
		EpochMillis integer
	}
	if err := c.read(&input, &given, &expect); err != nil {
		return err
	}
	zone, err := time.LoadLocation(given.DefaultZone)
	if err != nil {
		return err
	}
	got, err := when.ParseTime(input, given.refs(), zone)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return equal(got, int64(expect.EpochMillis))
}

func timeRange(c *testCase) error {
	var input struct{ S, E string }
	var given zoned
	var expect struct {
		failure
		Start, End integer
	}
	if err := c.read(&input, &given, &expect); err != nil {
		return err
	}
	zone, err := time.LoadLocation(given.DefaultZone)
	if err != nil {
		return err
	}
	start, end, err := when.ParseRange(input.S, input.E, given.refs()["now"], zone)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return all(equal(start, int64(expect.Start)), equal(end, int64(expect.End)))
}

func isRelative(c *testCase) error {
	var input string
	var expect struct{ Result bool }
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	return equal(when.IsRelative(input), expect.Result)
}

// stepResult is what the cases about steps expect.
type stepResult struct {
	failure
	Step, Timestamp int64
}

func stepRound(c *testCase) error {
	var input struct{ Primary, Step int64 }
	var given struct{ BlockStep int64 }
	var expect stepResult
	if err := c.read(&input, &given, &expect); err != nil {
		return err
	}
	got, err := step.RoundBlocks(input.Primary, input.Step, given.BlockStep)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return equal(got, expect.Step)
}

func stepCompute(c *testCase) error {
	var input struct{ Primary, Width, Start, End int64 }
	var given struct{ BlockStep int64 }
	var expect stepResult
	if err := c.read(&input, &given, &expect); err != nil {
		return err
	}
	return equal(step.ComputeBlocks(input.Primary, input.Width, input.Start, input.End, given.BlockStep), expect.Step)
}

func stepBoundary(c *testCase) error {
	var input struct{ Timestamp, Step int64 }
	var expect stepResult
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	return equal(step.Ceil(input.Timestamp, input.Step), expect.Timestamp)
}

func stepFirstPrimary(c *testCase) error {
	var input struct{ Timestamp, Step, Multiple int64 }
	var expect stepResult
	if err := c.read(&input, nil, &expect); err != nil {
		return err
	}
	got, err := step.FirstPrimary(input.Timestamp, input.Step, input.Multiple)
	if expect.wanted() || err != nil {
		return expect.check(err)
	}
	return equal(got, expect.Timestamp)
}
