package healthprobe

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"

	"github.com/probeshift/probeshift/pkg/reason"
)

/*
A shell is looked through when its script runs one simple command and nothing
else can decide the verdict. bash is parsed as bash; sh, dash, ash and busybox
sh as POSIX shell, and what does not parse there is not looked through: &> for
example, which dash runs in the background and calls a success.

The shell's own words: short flags out of c, e, u and x with c among them, the
script, nothing more. In the script, around the command:

  - set with -e, -u, -x before it (-o pipefail for bash only, dash refuses it);
  - a leading exec;
  - redirections of output to /dev/null, >&1, >&2, 2>&1;
  - || exit N and || return N with N from 1 to 255, and || false.

Its words may hold quotes and $X, ${X}, ${X:-default}. Pipes, &&, further
commands, !, loops, substitutions, assignments, globs, tildes and braces are
shell-logic.
*/

// shellName returns the name of the shell a program is, or "".
func shellName(program string) string {
	switch name := lastElement(program); name {
	case "sh", "bash", "dash", "ash", "busybox":
		return name
	}
	return ""
}

// shell looks through a shell: words are its own, the shell's name first.
func (u *unwrapping) shell(words []string) ([]string, *stop) {
	name := shellName(words[0])
	if name == "busybox" {
		if len(words) < 2 || words[1] != "sh" && words[1] != "ash" {
			return nil, u.stop("it is started through busybox")
		}
		words = words[1:]
	}
	u.irreducible = reason.ShellLogic
	script, ok := shellScript(words[1:])
	if !ok {
		return nil, u.stop("the shell is started with other words than -c and a script")
	}
	if strings.ContainsAny(script, marks) {
		return nil, unresolved(cmp.Or(u.unknown, "in the script"))
	}
	if u.environ().bendsShell() {
		return nil, u.stop("a variable changes what the shell itself does")
	}
	lang := syntax.LangPOSIX
	if name == "bash" {
		lang = syntax.LangBash
	}
	if strings.Contains(script, "\r") { // a shell keeps it as part of a word, the parser does not
		return nil, u.stop("the script has carriage returns")
	}
	if continuedComment.MatchString(script) { // a comment ends with its line, the parser goes on
		return nil, u.stop("a comment ends in a backslash")
	}
	file, err := syntax.NewParser(syntax.Variant(lang)).Parse(strings.NewReader(script), "")
	if err != nil {
		return nil, u.stop("the script does not parse")
	}
	command, why := onlyCommand(file, lang == syntax.LangBash)
	if why == "" {
		why = u.plainWords(command)
	}
	if why != "" {
		return nil, u.stop(why)
	}
	if u.expandedSize(command) > maxCommand {
		return nil, &stop{reason.CommandTooLong, ""}
	}
	fields, err := expand.Fields(&expand.Config{Env: u.environ()}, command...)
	if err != nil {
		return nil, u.stop("its words do not expand")
	}
	if len(fields) > 0 && fields[0] == "exec" {
		fields = fields[1:]
	}
	return fields, nil
}

var shellFlags = regexp.MustCompile(`^-[ceux]+$`)

// continuedComment finds a line that may hold a comment and ends in a backslash.
var continuedComment = regexp.MustCompile(`#[^\n]*\\\n`)

// shellScript returns the script of a shell's own words.
func shellScript(words []string) (script string, ok bool) {
	command := false
	for len(words) > 0 && shellFlags.MatchString(words[0]) {
		command = command || strings.ContainsRune(words[0], 'c')
		words = words[1:]
	}
	if !command || len(words) != 1 || strings.HasPrefix(words[0], "-") || strings.HasPrefix(words[0], "+") {
		return "", false
	}
	return words[0], true
}

// onlyCommand returns the words of the one command that decides the verdict of
// a script, or why there is none.
func onlyCommand(file *syntax.File, bash bool) (words []*syntax.Word, why string) {
	if len(file.Stmts) == 0 {
		return nil, "the script is empty"
	}
	last := len(file.Stmts) - 1
	for _, stmt := range file.Stmts[:last] {
		if !isSet(stmt, bash) {
			return nil, "the script runs more than one command"
		}
	}
	stmt := file.Stmts[last]
	if or, ok := stmt.Cmd.(*syntax.BinaryCmd); ok {
		if or.Op != syntax.OrStmt || !runsPlainly(stmt) || len(stmt.Redirs) > 0 || !isFailure(or.Y) {
			return nil, "the script joins commands"
		}
		stmt = or.X
	}
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Assigns) > 0 || len(call.Args) == 0 || !runsPlainly(stmt) {
		return nil, "the script is more than one simple command"
	}
	for i, redirect := range stmt.Redirs {
		if !discardsOutput(redirect) {
			return nil, "the script redirects to a file"
		}
		if i > 0 && stmt.Redirs[i-1].Word.End() == redirect.Pos() { // dash takes the 1 of 2>&1>/dev/null for the next one's
			return nil, "a redirection touches the one before it"
		}
	}
	return call.Args, ""
}

// runsPlainly says whether a statement runs in the foreground and is not negated.
func runsPlainly(stmt *syntax.Stmt) bool {
	return !stmt.Negated && !stmt.Background && !stmt.Coprocess && !stmt.Disown
}

// literals returns the words of a simple command without redirections or
// assignments when all of them are literal.
func literals(stmt *syntax.Stmt) []string {
	call, ok := stmt.Cmd.(*syntax.CallExpr)
	if !ok || len(call.Assigns) > 0 || len(stmt.Redirs) > 0 || !runsPlainly(stmt) {
		return nil
	}
	var words []string
	for _, arg := range call.Args {
		words = append(words, arg.Lit()) // "" for anything but a literal
	}
	return words
}

// isSet says whether a statement is set with options that do not change the
// verdict of one simple command.
func isSet(stmt *syntax.Stmt, bash bool) bool {
	words := literals(stmt)
	if len(words) < 2 || words[0] != "set" {
		return false
	}
	for options := words[1:]; len(options) > 0; options = options[1:] {
		flags, option := strings.CutSuffix(options[0], "o")
		if option {
			if !bash || len(options) < 2 || options[1] != "pipefail" {
				return false
			}
			options = options[1:]
		}
		if !strings.HasPrefix(flags, "-") || strings.Trim(flags[1:], "eux") != "" || flags == "-" && !option {
			return false
		}
	}
	return true
}

// isFailure says whether the right side of || fails: exit N, return N or false.
func isFailure(stmt *syntax.Stmt) bool {
	words := literals(stmt)
	switch {
	case len(words) == 1:
		return words[0] == "false"
	case len(words) == 2 && (words[0] == "exit" || words[0] == "return"):
		n, err := strconv.Atoi(words[1])
		return err == nil && n >= 1 && n <= 255 && words[1][0] != '+' && words[1][0] != '0'
	}
	return false
}

// discardsOutput says whether a redirection only throws output away or sends
// it where other output goes.
func discardsOutput(redirect *syntax.Redirect) bool {
	if redirect.N != nil && (len(redirect.N.Value) != 1 || redirect.N.Value[0] < '0' || redirect.N.Value[0] > '9') {
		return false
	}
	switch redirect.Op {
	case syntax.RdrOut, syntax.AppOut, syntax.RdrAll, syntax.AppAll:
		return redirect.Word.Lit() == "/dev/null"
	case syntax.DplOut:
		return redirect.Word.Lit() == "1" || redirect.Word.Lit() == "2"
	default:
		return false
	}
}
