package healthprobe

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

/*
Before the kubelet runs an exec probe it expands $(VAR) in each word from the
container's own env, and from nothing else: ExpandContainerCommandOnlyStatic in
k8s.io/kubernetes pkg/kubelet/container/helpers.go, with the syntax of
third_party/forked/golang/expansion.

  - The env list is taken as a map: the last entry of a name wins, and an entry
    with valueFrom counts as the empty string.
  - An undefined name stays as it is written.
  - $$ is a dollar sign, so $$(VAR) is a literal $(VAR).
  - Values are not expanded again.
*/

// maxCommand is the number of bytes that the words of a command may have
// together, before and after the kubelet's expansion.
const maxCommand = 1024

// expandWords expands each word as the kubelet does. It returns false when the
// words together grow beyond maxCommand. In a template (see Container.Template)
// undefined collects the first variable that the env does not hold.
func expandWords(words []string, env []corev1.EnvVar) (expanded []string, undefined string, ok bool) {
	raw, total := 0, 0
	for i, word := range words {
		if raw += len(word); raw > maxCommand {
			return nil, undefined, false
		}
		if strings.IndexByte(word, '$') >= 0 {
			if expanded == nil {
				expanded = append(make([]string, 0, len(words)), words[:i]...)
			}
			word = expandReferences(word, func(name string) string {
				if value, found := lastValue(env, name); found {
					return value
				}
				if undefined == "" && isVariableName(name) {
					undefined = name
				}
				return "$(" + name + ")"
			}, maxCommand)
		}
		if expanded != nil {
			expanded = append(expanded, word)
		}
		if total += len(word); total > maxCommand {
			return nil, undefined, false
		}
	}
	if expanded == nil {
		expanded = words
	}
	return expanded, undefined, true
}

// lastValue looks a name up as the kubelet's map of the env list does.
func lastValue(env []corev1.EnvVar, name string) (value string, found bool) {
	for _, v := range slices.Backward(env) {
		if v.Name == name {
			return v.Value, true
		}
	}
	return "", false
}

// expandReferences replaces each $(name) in s by what resolve returns for it.
// It gives up once the result is longer than limit bytes, and then returns
// something longer than limit.
func expandReferences(s string, resolve func(name string) string, limit int) string {
	var out strings.Builder
	for len(s) > 0 && out.Len() <= limit {
		dollar := strings.IndexByte(s, '$')
		if dollar < 0 || dollar == len(s)-1 {
			break
		}
		out.WriteString(s[:dollar])
		s = s[dollar:]
		switch s[1] {
		case '$':
			out.WriteByte('$')
			s = s[2:]
		case '(':
			end := strings.IndexByte(s, ')')
			if end < 0 {
				out.WriteString("$(")
				s = s[2:]
				continue
			}
			out.WriteString(resolve(s[2:end]))
			s = s[end+1:]
		default:
			out.WriteByte('$')
			s = s[1:]
		}
	}
	out.WriteString(s)
	return out.String()
}

// isVariableName says whether a name could be one that a platform adds: letters,
// digits, underscores, dashes and dots.
func isVariableName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == ""
}
