package detect

import "fmt"

// maxNesting bounds how deep brackets and list marks of a YAML file stand in each
// other: reading YAML takes time with the square of that.
const maxNesting = 500

var errNesting = fmt.Errorf("nested more than %d deep", maxNesting)

// tooDeep returns the first place at which the text is nested too deeply, or none.
// It looks at brackets and at marks in front of a line; what is in quotes counts too.
func tooDeep(text []byte) Place {
	brackets, marks, leading := 0, 0, true
	p := Place{Line: 1}
	for _, c := range text {
		p.Column++
		switch c {
		case '\n':
			p = Place{Line: p.Line + 1}
			marks, leading = 0, true
			continue
		case '[', '{':
			brackets++
		case ']', '}':
			brackets = max(0, brackets-1)
		case '-', '?':
			if leading {
				marks++
			}
		}
		leading = leading && (c == '-' || c == '?' || c == ' ' || c == '\t')
		if brackets > maxNesting || marks > maxNesting {
			return p
		}
	}
	return Place{}
}
