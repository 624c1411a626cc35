package asl

//go:generate go test . -run TestPageOfWords -rewrite

// ByName returns the words up to and including a vocabulary, which builds on
// those before it, and what a program in it should leave. Names are std, query,
// data, math, stateful, filter, style and custom; the empty name means all.
func ByName(name string) (Vocabulary, Want, bool) {
	vocabularies := []struct {
		name  string
		words func() Vocabulary
		want  Want
	}{
		{"std", Standard, Anything},
		{"query", QueryWords, OneQuery},
		{"data", DataWords, Drawable},
		{"math", MathWords, Drawable},
		{"stateful", StatefulWords, Drawable},
		{"filter", FilterWords, Drawable},
		{"style", StyleWords, Drawable},
	}
	if name == "" || name == "custom" {
		return All(), Drawable, true
	}
	var words Vocabulary
	for _, v := range vocabularies {
		words = Join(words, v.words())
		if v.name == name {
			return words, v.want, true
		}
	}
	return nil, 0, false
}
