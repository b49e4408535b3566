package admission

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxShort is how many bytes of a name from outside are repeated in a text.
// It is what a warning of 119 bytes has room for next to its own words.
const maxShort = 40

// short makes a name from outside fit to be repeated.
func short(s string) string { return oneLine(s, maxShort) }

// oneLine returns s as valid UTF-8 on one line of at most limit bytes, with
// control and other unprintable characters escaped and what is too long cut
// and marked.
func oneLine(s string, limit int) string {
	if len(s) <= limit && plain(s) {
		return s
	}
	const mark = "..."
	var b strings.Builder
	fits := 0 // the length up to which the mark would still fit
	for _, c := range s {
		if unicode.IsPrint(c) {
			b.WriteRune(c)
		} else {
			quoted := strconv.QuoteRuneToASCII(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		if b.Len() > limit {
			return b.String()[:fits] + mark
		}
		if b.Len() <= limit-len(mark) {
			fits = b.Len()
		}
	}
	return b.String()
}

// plain says whether s is printable ASCII.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= utf8.RuneSelf || s[i] == 0x7f {
			return false
		}
	}
	return true
}
