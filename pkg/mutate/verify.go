package mutate

import (
	"errors"
	"fmt"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

/*
A patch that does not apply, or whose result does not validate, refuses the Pod
whatever the webhook's failurePolicy. So every patch is applied here, to the
handlers and timeouts of the Pod's probes alone, before it is sent: each
operation must be one of the few this package builds and must find what it
needs, and in the end every touched probe must have exactly one handler with a
valid port.
*/

// verify says why a patch must not be sent, or nil.
func verify(pod *corev1.Pod, ops []jsonpatch.Operation) error {
	probes := map[string]corev1.Probe{}
	visitProbes(pod, func(s site) { probes[s.path] = *s.probe })
	annotated := len(pod.Annotations) > 0
	touched := map[string]bool{}
	for _, op := range ops {
		path, field := splitPath(op.Path)
		if path == "/metadata" || path == "/metadata/annotations" {
			if err := verifyAnnotation(op, field, annotated); err != nil {
				return err
			}
			continue
		}
		probe, ok := probes[path]
		if !ok {
			return fmt.Errorf("operation %s %s: there is no such probe", op.Operation, op.Path)
		}
		if err := apply(&probe, op, field); err != nil {
			return fmt.Errorf("operation %s %s: %w", op.Operation, op.Path, err)
		}
		probes[path], touched[path] = probe, true
	}
	for path := range touched {
		if err := validate(probes[path]); err != nil {
			return fmt.Errorf("probe %s: %w", path, err)
		}
	}
	return nil
}

// splitPath splits a JSON pointer before its last element.
func splitPath(pointer string) (path, field string) {
	for i := len(pointer) - 1; i >= 0; i-- {
		if pointer[i] == '/' {
			return pointer[:i], pointer[i+1:]
		}
	}
	return "", pointer
}

// verifyAnnotation checks the operation that writes the status.
func verifyAnnotation(op jsonpatch.Operation, field string, annotated bool) error {
	switch value := op.Value.(type) {
	case map[string]string:
		if op.Operation == "add" && field == "annotations" && !annotated && len(value) == 1 && value[StatusAnnotation] != "" {
			return nil
		}
	case string:
		if (op.Operation == "add" || op.Operation == "replace") && field == escapeKey.Replace(StatusAnnotation) && annotated && value != "" {
			return nil
		}
	}
	return fmt.Errorf("operation %s %s does not write the status", op.Operation, op.Path)
}

// apply carries an operation out on a copy of a probe.
func apply(p *corev1.Probe, op jsonpatch.Operation, field string) error {
	switch op.Operation + " " + field {
	case "remove exec":
		if p.Exec == nil {
			return errors.New("there is no exec")
		}
		p.Exec = nil
	case "remove grpc":
		if p.GRPC == nil {
			return errors.New("there is no grpc")
		}
		p.GRPC = nil
	case "add grpc":
		action, ok := op.Value.(corev1.GRPCAction)
		if !ok || p.GRPC != nil {
			return errors.New("there is a grpc already, or the value is none")
		}
		p.GRPC = &action
	case "add exec":
		action, ok := op.Value.(corev1.ExecAction)
		if !ok || p.Exec != nil {
			return errors.New("there is an exec already, or the value is none")
		}
		p.Exec = &action
	case "replace timeoutSeconds":
		seconds, ok := op.Value.(int32)
		if !ok || p.TimeoutSeconds == 0 {
			return errors.New("there is no timeout, or the value is none")
		}
		p.TimeoutSeconds = seconds
	default:
		return errors.New("it is none that is ever sent")
	}
	return nil
}

// validate checks a patched probe as the API server does (validateHandler and
// ValidateProbe in k8s.io/kubernetes pkg/apis/core/validation).
func validate(p corev1.Probe) error {
	switch {
	case handlers(&p) != 1:
		return fmt.Errorf("it has %d handlers", handlers(&p))
	case p.GRPC != nil && (p.GRPC.Port < 1 || p.GRPC.Port > 65535):
		return fmt.Errorf("port %d is not between 1 and 65535", p.GRPC.Port)
	case p.Exec != nil && len(p.Exec.Command) == 0:
		return errors.New("its command is empty")
	case p.TimeoutSeconds < 0:
		return errors.New("its timeout is negative")
	}
	return nil
}
