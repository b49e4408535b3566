package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"github.com/probeshift/probeshift/pkg/mutate"
)

/*
A template is decoded as kubectl and the API server would do it together: YAML
1.1 becomes JSON (sigs.k8s.io/yaml, on go.yaml.in/yaml/v2), and JSON becomes a
typed object, case-sensitive, with unknown fields dropped. The nodes come from
the parser of YAML 1.2; where its scalars differ, yes, no, on and off are
booleans here as they are for kubectl.
*/

// maxExpanded is how many nodes a template may have once its aliases are
// expanded; more is an attack, not a manifest.
const maxExpanded = 100_000

var errTooFar = errors.New("its aliases expand too far")

// decodePod decodes a Pod or a Pod template.
func decodePod(node *yaml.Node) (*corev1.Pod, error) {
	value, err := (&converter{left: maxExpanded}).mapping(node, 0)
	if err != nil {
		return nil, err
	}
	encoded, err := json.Marshal(map[string]any{"metadata": value["metadata"], "spec": value["spec"]})
	if err != nil {
		return nil, err
	}
	var pod struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Spec     corev1.PodSpec    `json:"spec"`
	}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(encoded, &pod); err != nil {
		return nil, errors.New(plain(strings.TrimPrefix(err.Error(), "json: ")))
	}
	decoded := &corev1.Pod{ObjectMeta: pod.Metadata, Spec: pod.Spec}
	return decoded, checkTimeouts(decoded)
}

// wrongType is the text of a decoder's error, whose type is not exported: what was
// read, the field without its Go type, and the Go type that it has to have.
var wrongType = regexp.MustCompile(`^cannot unmarshal (\w+)(?: \S+)? into Go struct field \w*\.(\S+) of type (\S+)$`)

// embedded is a Go type in the path of a field, where a manifest has no field.
var embedded = regexp.MustCompile(`\b[A-Z]\w*\.`)

// plain says in words of YAML that a field holds the wrong type; other texts stay.
func plain(text string) string {
	form := wrongType.FindStringSubmatch(text)
	if form == nil {
		return text
	}
	is, known := map[string]string{"string": "a text", "number": "a number", "bool": "true or false", "array": "a list", "object": "a mapping"}[form[1]]
	if !known {
		return text
	}
	return embedded.ReplaceAllString(form[2], "") + " is " + is + ", and has to be " + wanted(form[1], form[3])
}

// wanted is what a field of a Go type takes instead of what was read.
func wanted(read, goType string) string {
	switch goType = strings.TrimLeft(goType, "*"); {
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case goType == "string" && (read == "number" || read == "bool"):
		return "a text: put it in quotes"
	case goType == "string":
		return "a text"
	case goType == "bool":
		return "true or false"
	case strings.HasPrefix(goType, "int") && !strings.Contains(goType, "."), strings.HasPrefix(goType, "uint"):
		return "a whole number"
	case read == "string": // what is left are structures, maps, and texts of a named type
		return "a mapping"
	case read == "object":
		return "a text"
	}
	return "a mapping or a text"
}

// checkTimeouts refuses a negative timeoutSeconds, as the API server would; package
// mutate sees only Pods that passed it.
func checkTimeouts(pod *corev1.Pod) (err error) {
	visitProbes(pod, func(_ string, _ int, c *corev1.Container, kind mutate.ProbeKind, probe *corev1.Probe) {
		if probe.TimeoutSeconds < 0 && err == nil {
			err = fmt.Errorf("container %s: timeoutSeconds of the %s probe is negative", c.Name, kind)
		}
	})
	return err
}

// converter turns nodes into what encoding/json encodes.
type converter struct{ left int }

// maxDepth is how deep a template may nest.
const maxDepth = 200

func (c *converter) value(node *yaml.Node, depth int) (any, error) {
	if c.left--; c.left < 0 || depth > maxDepth {
		return nil, errTooFar
	}
	node = target(node)
	switch node.Kind {
	case yaml.MappingNode:
		return c.mapping(node, depth)
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for _, item := range node.Content {
			v, err := c.value(item, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	default:
		return scalar(node)
	}
}

func (c *converter) mapping(node *yaml.Node, depth int) (map[string]any, error) {
	if c.left--; c.left < 0 || depth > maxDepth {
		return nil, errTooFar
	}
	result := make(map[string]any, len(node.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if isMerge(key) {
			merges = append(merges, mergedMappings(value)...)
			continue
		}
		if key = target(key); key.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("line %d: a key is no text", node.Line)
		}
		if _, twice := result[key.Value]; twice {
			return nil, fmt.Errorf("line %d: key %q is there twice", key.Line, key.Value)
		}
		v, err := c.value(value, depth+1)
		if err != nil {
			return nil, err
		}
		result[key.Value] = v
	}
	for _, from := range merges {
		inherited, err := c.mapping(from, depth+1)
		if err != nil {
			return nil, err
		}
		for key, v := range inherited {
			if _, own := result[key]; !own {
				result[key] = v
			}
		}
	}
	return result, nil
}

// booleans of YAML 1.1 that YAML 1.2 reads as text.
var (
	oldTrue  = []string{"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"}
	oldFalse = []string{"n", "N", "no", "No", "NO", "off", "Off", "OFF"}
)

// scalar is the value of a scalar.
func scalar(node *yaml.Node) (any, error) {
	if node.Style == 0 {
		switch {
		case slices.Contains(oldTrue, node.Value):
			return true, nil
		case slices.Contains(oldFalse, node.Value):
			return false, nil
		}
	}
	switch node.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := node.Decode(&b)
		return b, located(node, err)
	case "!!int":
		return integer(node)
	case "!!float":
		var f float64
		if err := node.Decode(&f); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("line %d: JSON has no number %s", node.Line, node.Value)
		}
		return f, nil
	case "!!str", "!!timestamp":
		return node.Value, nil
	case "!!binary":
		var s string
		err := node.Decode(&s)
		return s, located(node, err)
	}
	return nil, fmt.Errorf("line %d: tag %s is not known", node.Line, node.Tag)
}

func integer(node *yaml.Node) (any, error) {
	plain := strings.ReplaceAll(node.Value, "_", "")
	if i, err := strconv.ParseInt(plain, 0, 64); err == nil {
		return i, nil
	}
	if u, err := strconv.ParseUint(plain, 0, 64); err == nil {
		return u, nil
	}
	var i int64
	err := node.Decode(&i)
	return i, located(node, err)
}

func located(node *yaml.Node, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("line %d: %q does not decode", node.Line, node.Value)
}
