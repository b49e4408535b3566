package main

import (
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// environment is a container's, as the kubelet makes it from its manifest in a
// Pod of these labels and this address.
func environment(c corev1.Container, labels map[string]string, podIP netip.Addr) map[string]string {
	variables := map[string]string{}
	for _, variable := range c.Env {
		value := expand(variable.Value, variables)
		if from := variable.ValueFrom; from != nil && from.FieldRef != nil {
			value = fieldOf(from.FieldRef.FieldPath, labels, podIP)
		}
		variables[variable.Name] = value
	}
	return variables
}

// fieldOf is a field of the Pod in the downward API, empty where it has none.
func fieldOf(path string, labels map[string]string, podIP netip.Addr) string {
	if path == "status.podIP" {
		return podIP.String()
	}
	if key, found := strings.CutPrefix(path, "metadata.labels['"); found {
		return labels[strings.TrimSuffix(key, "']")]
	}
	return ""
}

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
