package healthprobe

import (
	"regexp"
	"slices"
	"strings"
)

/*
A name of the tool is a last path element grpc_health_probe or
grpc-health-probe, optionally followed by platform and version suffixes as
release downloads have them (grpc_health_probe-linux-amd64,
grpc-health-probe_arm64, grpc_health_probe-v0.4.40), or a name the operator
adds by configuration.
*/

// toolName matches the tool's names; the suffixes are GOOS, GOARCH (and uname's
// spelling of it) and versions.
var toolName = regexp.MustCompile(`^(?:grpc_health_probe|grpc-health-probe)(?:[-_.](?:linux|darwin|windows|freebsd|` +
	`amd64|x86_64|arm64|aarch64|arm|armv[5-8]|386|ppc64le|s390x|riscv64|v?[0-9]+(?:\.[0-9]+)*))*$`)

// maxName is the longest name of a file (NAME_MAX).
const maxName = 255

// isTool says whether word, or its last path element, names the tool.
func (r Reader) isTool(word string) bool {
	base := lastElement(word)
	if slices.Contains(r.ToolNames, base) {
		return true
	}
	return strings.HasPrefix(base, "grpc") && len(base) <= maxName && toolName.MatchString(base)
}

// names says whether the command names the tool: as the program or any later
// word, and in the text of a shell script anywhere. A word counts as a script
// when a shell stands before it.
func (r Reader) names(words []string) bool {
	shell := false
	for _, word := range words {
		if r.isTool(word) || shell && r.namedIn(word) {
			return true
		}
		shell = shell || shellName(word) != ""
	}
	return false
}

// namedIn says whether any word of a text names the tool. It splits at every
// character that no path has, because a script that does not parse must be
// recognised too.
func (r Reader) namedIn(text string) bool {
	if len(r.ToolNames) == 0 && !strings.Contains(text, "health") {
		return false
	}
	return slices.ContainsFunc(strings.FieldsFunc(text, func(c rune) bool {
		return !strings.ContainsRune("_-./+", c) && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c < 0x80
	}), r.isTool)
}

// lastElement is the part of a path behind its last slash.
func lastElement(path string) string {
	return path[strings.LastIndexByte(path, '/')+1:]
}
