package ingest

// Ways is a set of the ways in that a source has taken.
type Ways uint8

const (
	ByPublish Ways = 1 << iota // Publish
	ByUpdate                   // Update, the Spectator clients'
	ByLine                     // Count and Gauge
	Inside                     // Append: the program itself
)

// Names lists what is in the set as it is shown.
func (w Ways) Names() []string {
	out := []string{}
	for i, name := range [...]string{"publish", "update", "line", "inside"} {
		if w&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}
