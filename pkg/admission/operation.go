package admission

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

// appendPatch writes RFC 6902 operations as a JSON array, and nothing when
// there are none. The values that a decision makes are written directly, any
// other through encoding/json; the result means the same either way.
func appendPatch(dst []byte, operations []jsonpatch.Operation) ([]byte, error) {
	if len(operations) == 0 {
		return dst, nil
	}
	dst = append(dst, '[')
	for i, operation := range operations {
		var err error
		dst = appendComma(dst, i)
		if dst, err = appendOperation(dst, operation); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// appendOperation writes one operation. As in the type's own MarshalJSON, a
// value of nil is null for add and replace and absent otherwise.
func appendOperation(dst []byte, operation jsonpatch.Operation) ([]byte, error) {
	dst = append(dst, `{"op":`...)
	dst = appendString(dst, operation.Operation)
	dst = append(dst, `,"path":`...)
	dst = appendString(dst, operation.Path)
	if operation.Value == nil && operation.Operation != "add" && operation.Operation != "replace" {
		return append(dst, '}'), nil
	}
	dst = append(dst, `,"value":`...)
	dst, err := appendValue(dst, operation.Value)
	if err != nil {
		return nil, fmt.Errorf("write the value of %s: %w", operation.Path, err)
	}
	return append(dst, '}'), nil
}

func appendValue(dst []byte, value any) ([]byte, error) {
	switch v := value.(type) {
	case string:
		return appendString(dst, v), nil
	case int32:
		return strconv.AppendInt(dst, int64(v), 10), nil
	case map[string]string:
		return appendMap(dst, v), nil
	case corev1.GRPCAction:
		return appendGRPC(dst, v), nil
	case *corev1.GRPCAction:
		if v != nil {
			return appendGRPC(dst, *v), nil
		}
	case corev1.ExecAction:
		return appendExec(dst, v), nil
	case *corev1.ExecAction:
		if v != nil {
			return appendExec(dst, *v), nil
		}
	}
	encoded, err := json.Marshal(value)
	return append(dst, encoded...), err
}

func appendMap(dst []byte, m map[string]string) []byte {
	if m == nil {
		return append(dst, `null`...)
	}
	dst = append(dst, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		dst = appendComma(dst, i)
		dst = appendString(dst, key)
		dst = append(dst, ':')
		dst = appendString(dst, m[key])
	}
	return append(dst, '}')
}

func appendGRPC(dst []byte, action corev1.GRPCAction) []byte {
	dst = append(dst, `{"port":`...)
	dst = strconv.AppendInt(dst, int64(action.Port), 10)
	dst = append(dst, `,"service":`...)
	if action.Service == nil {
		dst = append(dst, `null`...)
	} else {
		dst = appendString(dst, *action.Service)
	}
	if action.Mode != nil {
		dst = append(dst, `,"mode":`...)
		dst = appendString(dst, string(*action.Mode))
	}
	return append(dst, '}')
}

func appendExec(dst []byte, action corev1.ExecAction) []byte {
	if len(action.Command) == 0 {
		return append(dst, `{}`...)
	}
	dst = append(dst, `{"command":`...)
	dst = appendStrings(dst, action.Command)
	return append(dst, '}')
}
