package mutate

import (
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/reason"
)

/*
The patch is built by hand, never as the difference of a typed round trip: that
would delete fields that this binary's k8s.io/api does not know. Nothing but a
probe's handler, its timeoutSeconds when it changes, and our annotation is
touched.
*/

// patch adds the operations to a result. Where they cannot be sent, nothing is
// rewritten and the findings say why.
func patch(pod *corev1.Pod, objectBytes int, verdicts []verdict, result Result) Result {
	room := min(maxStatus, maxAnnotations-annotationsSize(pod.Annotations, ""), maxObject-objectBytes)
	text, fits := newStatus(verdicts, room)
	if !fits {
		return withhold(result, reason.StatusTooLarge, "")
	}
	var ops []jsonpatch.Operation
	for _, v := range verdicts {
		ops = append(ops, operations(v)...)
	}
	ops = append(ops, annotate(pod.Annotations, text)...)
	if err := verify(pod, ops); err != nil {
		return withhold(result, reason.InternalError, err.Error())
	}
	result.Operations = ops
	return result
}

// withhold turns everything that would have been changed into a skipped
// finding.
func withhold(result Result, code reason.Code, detail string) Result {
	for i := range result.Findings {
		f := &result.Findings[i]
		if f.Known || f.Outcome != Rewritten && f.Outcome != Restored {
			continue
		}
		f.Outcome, f.Reason, f.Detail, f.Known = Skipped, code, detail, false
		f.GRPC, f.NewTimeoutSeconds = nil, 0
	}
	return result
}

// operations are what a verdict changes at its probe. A grpc handler of ours
// that is beside an exec handler goes in any case.
func operations(v verdict) []jsonpatch.Operation {
	f := v.finding
	if f == nil || f.Known {
		return nil
	}
	var ops []jsonpatch.Operation
	if v.site.leftover {
		ops = append(ops, jsonpatch.NewOperation("remove", v.site.path+"/grpc", nil))
	}
	switch {
	case f.Outcome == Rewritten:
		ops = append(ops,
			jsonpatch.NewOperation("remove", v.site.path+"/exec", nil),
			jsonpatch.NewOperation("add", v.site.path+"/grpc", *f.GRPC),
		)
		return append(ops, setTimeout(v.site, f.NewTimeoutSeconds)...)
	case v.site.leftover:
		return append(ops, setTimeout(v.site, f.TimeoutSeconds)...)
	case f.Outcome == Restored:
		ops := []jsonpatch.Operation{
			jsonpatch.NewOperation("remove", v.site.path+"/grpc", nil),
			jsonpatch.NewOperation("add", v.site.path+"/exec", corev1.ExecAction{Command: f.Command}),
		}
		return append(ops, setTimeout(v.site, f.TimeoutSeconds)...)
	}
	return nil
}

// setTimeout changes the timeout where it differs; then it is there, because it
// is not zero.
func setTimeout(s site, seconds int32) []jsonpatch.Operation {
	if s.probe.TimeoutSeconds == seconds {
		return nil
	}
	return []jsonpatch.Operation{jsonpatch.NewOperation("replace", s.path+"/timeoutSeconds", seconds)}
}

// restore gives a probe that we rewrote its exec handler back.
func (j judge) restore(s site, prior entry) verdict {
	f := &Finding{
		Container:      s.container.Name,
		Probe:          s.kind,
		Outcome:        Restored,
		Reason:         reason.Mesh,
		Detail:         j.mesh,
		Command:        prior.Exec,
		TimeoutSeconds: prior.TimeoutSeconds,
	}
	return verdict{site: s, finding: f, entry: newEntry(f)}
}

// escapeKey escapes a key for a JSON pointer (RFC 6901).
var escapeKey = strings.NewReplacer("~", "~0", "/", "~1")

// annotate writes the status annotation. Where a Pod has no annotations, the
// map may be absent, so it is added whole.
func annotate(annotations map[string]string, text string) []jsonpatch.Operation {
	if len(annotations) == 0 {
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", "/metadata/annotations", map[string]string{StatusAnnotation: text})}
	}
	path := "/metadata/annotations/" + escapeKey.Replace(StatusAnnotation)
	old, there := annotations[StatusAnnotation]
	switch {
	case !there:
		return []jsonpatch.Operation{jsonpatch.NewOperation("add", path, text)}
	case old != text:
		return []jsonpatch.Operation{jsonpatch.NewOperation("replace", path, text)}
	}
	return nil
}

// annotationsSize is the size of all annotations once the status is text.
func annotationsSize(annotations map[string]string, text string) int {
	size := len(StatusAnnotation) + len(text)
	for key, value := range annotations {
		if key != StatusAnnotation {
			size += len(key) + len(value)
		}
	}
	return size
}
