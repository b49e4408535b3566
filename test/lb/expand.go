package main

import "strings"

// expand replaces $(NAME) by a variable's value, as the kubelet does in a
// container's command and arguments: $$ is a plain $, and what is no reference
// to a variable that is there stays as it is.
func expand(text string, variables map[string]string) string {
	var expanded strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		expanded.WriteString(before)
		if !found {
			return expanded.String()
		}
		text = after
		switch {
		case strings.HasPrefix(text, "$"):
			expanded.WriteString("$")
			text = text[1:]
		case strings.HasPrefix(text, "("):
			name, rest, closed := strings.Cut(text[1:], ")")
			value, known := variables[name]
			if !closed || !known {
				expanded.WriteString("$")
				continue
			}
			expanded.WriteString(value)
			text = rest
		default:
			expanded.WriteString("$")
		}
	}
}
