package algo

import "fmt"

// Nearest returns which of the known names was probably meant by a misspelt one,
// "" when none is near.
func Nearest(name string, known []string) string {
	best, at := "", len(name)/3+2
	if len(name) > 60 {
		return ""
	}
	for _, k := range known {
		if d := distance(name, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// distance is how many letters must be put in, taken out, changed or swapped with
// their neighbour to make b of a.
func distance(a, b string) int {
	before, row, next := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next[j+1] = min(row[j]+cost, row[j+1]+1, next[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(b)]
}

// Meant is a hint for an error message about a name that is not known, "" when no
// known one is near.
func Meant(name string, known []string) string {
	if n := Nearest(name, known); n != "" {
		return fmt.Sprintf(", did you mean %q?", n)
	}
	return ""
}
