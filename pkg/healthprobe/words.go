package healthprobe

import (
	"regexp"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

/*
The words of the one command may hold quotes and $X, ${X}, ${X:-default}. What
shells read in more than one way, and what depends on the files around, is not
plain: globs, tildes, braces, substitutions, $'...', a dollar sign without a
name.
*/

// plainWords says why the words of a command are not plain, or "". It notes the
// first variable that the manifest does not hold.
func (u *unwrapping) plainWords(words []*syntax.Word) (why string) {
	for _, word := range words {
		for _, part := range word.Parts {
			if why := u.plainPart(part); why != "" {
				return why
			}
		}
	}
	return ""
}

// plainPart says why a part of a word, outside of double quotes, is not plain.
func (u *unwrapping) plainPart(part syntax.WordPart) (why string) {
	switch part := part.(type) {
	case *syntax.Lit:
		if strings.ContainsAny(part.Value, "*?[~{}") {
			return "the script uses globs, tildes or braces"
		}
		return oddText(part)
	case *syntax.SglQuoted:
		if part.Dollar {
			return "the script quotes with $'...'"
		}
	case *syntax.DblQuoted:
		if part.Dollar {
			return "the script quotes with $\"...\""
		}
		return u.plainQuoted(part.Parts)
	case *syntax.ParamExp:
		if !u.plainParameter(part) {
			return substitutions
		}
		if strings.ContainsAny(u.environ().lookup(part.Param.Value), `*?[\`) {
			return "a variable's value is a glob to the shell"
		}
	default:
		return substitutions
	}
	return ""
}

// expandedSize bounds the bytes of plain words once they are expanded, before
// they are: a short script can name a long variable many times.
func (u *unwrapping) expandedSize(words []*syntax.Word) int {
	n := 0
	for _, word := range words {
		n += u.partsSize(word.Parts)
	}
	return n
}

func (u *unwrapping) partsSize(parts []syntax.WordPart) int {
	n := 0
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit:
			n += len(part.Value)
		case *syntax.SglQuoted:
			n += len(part.Value)
		case *syntax.DblQuoted:
			n += u.partsSize(part.Parts)
		case *syntax.ParamExp:
			n += len(u.environ().lookup(part.Param.Value))
			if part.Exp != nil && part.Exp.Word != nil {
				n += len(part.Exp.Word.Lit())
			}
		}
	}
	return n
}

const substitutions = "the script uses substitutions"

// plainQuoted says why the parts of a text in double quotes are not plain.
func (u *unwrapping) plainQuoted(parts []syntax.WordPart) (why string) {
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit:
			if why := oddText(part); why != "" {
				return why
			}
		case *syntax.ParamExp:
			if !u.plainParameter(part) {
				return substitutions
			}
		default:
			return substitutions
		}
	}
	return ""
}

// oddText tells the literal texts that shells read in more than one way: a
// dollar sign before a quote or a bracket, and a line continuation behind an
// escaped backslash, which the parser leaves in.
func oddText(text *syntax.Lit) (why string) {
	switch {
	case strings.Contains(text.Value, "$"):
		return "the script has a dollar sign without a name"
	case strings.Contains(text.Value, "\\\n"):
		return "the script continues a line behind backslashes"
	}
	return ""
}

// plainParameter says whether an expansion is $X, ${X} or ${X:-default} with a
// plain default.
func (u *unwrapping) plainParameter(p *syntax.ParamExp) bool {
	if !plainExpansion(p) {
		return false
	}
	if u.unknown == "" && strings.Contains(u.environ().lookup(p.Param.Value), markUnknown) {
		u.unknown = p.Param.Value
	}
	return true
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// plainDefault are the characters that mean themselves in a default value,
// whatever quotes stand around it.
var plainDefault = regexp.MustCompile(`^[A-Za-z0-9_.:,/=@%+-]+$`)

// plainExpansion says whether an expansion is $X, ${X} or ${X:-default}.
func plainExpansion(p *syntax.ParamExp) bool {
	special := p.Excl || p.Length || p.Width || p.IsSet || p.Flags != nil || p.NestedParam != nil || p.Index != nil ||
		len(p.Modifiers) > 0 || p.Slice != nil || p.Repl != nil || p.Names != 0
	if special || p.Param == nil || !variableName.MatchString(p.Param.Value) {
		return false
	}
	if p.Exp == nil {
		return true
	}
	empty := p.Exp.Word == nil || len(p.Exp.Word.Parts) == 0
	return p.Exp.Op == syntax.DefaultUnsetOrNull && (empty || plainDefault.MatchString(p.Exp.Word.Lit()))
}
