//go:build linux

package cli

import "regexp"

var (
	// escapes are the sequences that give text a style.
	escapes = regexp.MustCompile("\x1b\\[[0-9;]*m")
	// erased is what was written on a line until it was erased.
	erased = regexp.MustCompile("(?m)^.*\r\x1b\\[K")
	// dates are the days that certificates end on.
	dates = regexp.MustCompile(`\d{4}-\d{2}-\d{2}`)
	// serverVersion is that of the API server that the tests run with.
	serverVersion = regexp.MustCompile(`(api-server +)v1\.[0-9.]+[0-9]`)
)

// onScreen is what is left to be read of what a terminal got: no progress, no
// colours.
func onScreen(text string) string {
	return escapes.ReplaceAllString(erased.ReplaceAllString(text, ""), "")
}
