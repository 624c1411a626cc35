package text

import "unicode/utf8"

// Ellipsis ends a text that was clipped.
const Ellipsis = "…"

// Clip returns text with at most n runes; one that was longer ends with Ellipsis.
func Clip(text string, n int) string {
	if len(text) <= n || utf8.RuneCountInString(text) <= n {
		return text
	}
	if n <= 0 {
		return ""
	}
	at := 0
	for range n - 1 {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return text[:at] + Ellipsis
}

// ClipBytes returns text with at most n bytes, cut between runes; one that was
// longer ends with Ellipsis, where there is room for it.
func ClipBytes(text string, n int) string {
	if len(text) <= n {
		return text
	}
	end := Ellipsis
	if n < len(end) {
		end = ""
	}
	at := max(0, n-len(end))
	for at > 0 && !utf8.RuneStart(text[at]) {
		at--
	}
	return text[:at] + end
}
