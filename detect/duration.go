package detect

import "pulse/detect/duration"

// Duration is a length of time in ms that reads and prints as text such as
// `30s`, `1m30s` or `100ms`.
type Duration = duration.Duration

const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// ParseDuration is duration.Parse.
func ParseDuration(text string) (Duration, error) { return duration.Parse(text) }
