package healthprobe

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/probeshift/probeshift/pkg/reason"
)

/*
Around the tool these programs are looked through, in any order: timeout, env
and shells. What they do to the verdict is known exactly:

  - timeout (GNU): [-k N] [-s TERM|INT|KILL] [--preserve-status] [--foreground]
    N COMMAND, N a number with an optional s, m, h or d. It ends the command
    after N, which fails the probe; 0 means no limit.
  - env: NAME=VALUE words, then the command.
  - sh, bash, dash, ash and busybox sh: shell.go.

Every other program, and every other option of these, may change the verdict in
a way that is not known.
*/

// maxDepth is how many wrappers are looked through.
const maxDepth = 8

// call is how the tool is started once all wrappers are looked through.
type call struct {
	// args are the tool's arguments, without its name.
	args []string
	// env is the environment the tool sees, when a wrapper needed it.
	env environ
	// limit is the smallest duration of the timeout wrappers; 0 is none.
	limit time.Duration
	// unknown is a variable in args that the manifest does not hold, or "".
	unknown string
}

// proxied says whether the tool's environment may hold a proxy.
func (c call) proxied(container Container) bool {
	if c.env != nil {
		return c.env.proxied()
	}
	for _, v := range container.Env {
		if v.Name == "HTTPS_PROXY" || v.Name == "https_proxy" {
			return newEnviron(container).proxied()
		}
	}
	return false
}

// stop is the reason why a command is not read further.
type stop struct {
	code   reason.Code
	detail string
}

// unwrap looks through the wrappers in words until it reaches the tool.
func (r Reader) unwrap(words []string, c Container) (call, *stop) {
	u := unwrapping{container: c, irreducible: reason.UnknownWrapper}
	if slices.ContainsFunc(words, unreadable) {
		return call{}, u.stop("a word has characters that cannot be read")
	}
	for depth := 0; ; depth++ {
		switch {
		case len(words) == 0:
			return call{}, u.stop("no command is left to run")
		case size(words) > maxCommand:
			return call{}, &stop{reason.CommandTooLong, ""}
		case depth == maxDepth: // a script may come from a variable, and start itself again
			return call{}, u.stop("it is started through too many programs")
		}
		var halt *stop
		program := words[0]
		switch {
		case strings.ContainsAny(program, marks):
			return call{}, unresolved(cmp.Or(u.unknown, "in the program's name"))
		case r.isTool(program):
			return call{args: words[1:], env: u.env, limit: u.limit, unknown: u.unknown}, nil
		case shellName(program) != "":
			words, halt = u.shell(words)
		case lastElement(program) == "timeout":
			words, halt = u.timeout(words[1:])
		case lastElement(program) == "env":
			words, halt = u.assignments(words[1:])
		default:
			halt = u.stop("it is started through " + programName(program))
		}
		if halt != nil {
			return call{}, halt
		}
	}
}

// unwrapping is what has been learned on the way to the tool.
type unwrapping struct {
	container Container
	env       environ // built when it is needed
	limit     time.Duration
	// unknown is the first variable met that the manifest does not hold.
	unknown string
	// irreducible is the code of a form that cannot be looked through:
	// unknown-wrapper, and shell-logic from the first shell on.
	irreducible reason.Code
}

// environ is the environment as the next program sees it.
func (u *unwrapping) environ() environ {
	if u.env == nil {
		u.env = newEnviron(u.container)
	}
	return u.env
}

func (u *unwrapping) stop(detail string) *stop { return &stop{u.irreducible, detail} }

// size is the number of bytes in words.
func size(words []string) int {
	n := 0
	for _, word := range words {
		n += len(word)
	}
	return n
}

// programName names a program for a message. A word with = is an assignment
// that somebody wrote where no shell reads it; its value may be secret.
func programName(program string) string {
	if name, _, ok := strings.Cut(program, "="); ok {
		return "an assignment of " + printable(lastElement(name))
	}
	return printable(lastElement(program))
}

// assignments reads the words of env behind its name.
func (u *unwrapping) assignments(words []string) ([]string, *stop) {
	n := 0
	for n < len(words) && strings.IndexByte(words[n], '=') > 0 && words[n][0] != '-' {
		n++
	}
	if n == len(words) || words[n] == "" || words[n][0] == '-' || words[n][0] == '=' {
		return nil, u.stop("env is used with options, or without a command")
	}
	u.env = u.environ().with(words[:n])
	return words[n:], nil
}

// timeout reads the words of timeout behind its name.
func (u *unwrapping) timeout(words []string) ([]string, *stop) {
	form := u.stop("timeout is used in a form that is not looked through")
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		option, value := words[0], ""
		words = words[1:]
		if option == "-k" || option == "-s" {
			if len(words) == 0 {
				return nil, form
			}
			value, words = words[0], words[1:]
		}
		if !timeoutOption(option, value) {
			return nil, form
		}
	}
	if len(words) < 2 {
		return nil, form
	}
	limit, ok := parseTimeout(words[0])
	if !ok {
		return nil, form
	}
	if limit > 0 && (u.limit == 0 || limit < u.limit) {
		u.limit = limit
	}
	return words[1:], nil
}

// timeoutOption says whether an option of timeout leaves its verdict as it is:
// a failure once the time is over.
func timeoutOption(option, value string) bool {
	switch option {
	case "--preserve-status", "--foreground":
		return true
	case "-s":
		return value == "TERM" || value == "INT" || value == "KILL"
	case "-k":
		_, ok := parseTimeout(value)
		return ok
	}
	return false
}

var timeoutForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)([smhd]?)$`)

// parseTimeout reads a duration as GNU timeout does. A duration too long for
// time.Duration is the longest there is; one too short is a nanosecond.
func parseTimeout(s string) (time.Duration, bool) {
	form := timeoutForm.FindStringSubmatch(s)
	if form == nil {
		return 0, false
	}
	number, err := strconv.ParseFloat(form[1], 64)
	if err != nil {
		number = math.MaxFloat64
	}
	unit := map[string]time.Duration{"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}[form[2]]
	switch nanoseconds := number * float64(unit); {
	case nanoseconds >= math.MaxInt64:
		return math.MaxInt64, true
	case number > 0 && nanoseconds < 1:
		return 1, true
	default:
		return time.Duration(nanoseconds), true
	}
}

// printable returns a word for a message: plain ASCII, at most 40 bytes.
func printable(word string) string {
	word = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, word)
	if len(word) > 40 {
		return word[:40] + "..."
	}
	return word
}
