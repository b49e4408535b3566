package admission

import (
	"errors"
	"runtime"
	"runtime/debug"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// verdict is what is answered to one review. Without a denial it is allowed.
type verdict struct {
	// uid is empty when the review holds none. Nothing can be answered then.
	uid    string
	result result
	// problem says why the Pod was not examined.
	problem string
	// patch is the JSON patch, nil without operations.
	patch       []byte
	warnings    []string
	annotations []annotation
	// denial is set for a Pod whose owner asked for the sidecar in a way that
	// cannot be granted, and for nothing else.
	denial *denial
}

// denial is the status (meta/v1) with which a Pod is refused.
type denial struct {
	code            int // as in HTTP
	reason, message string
}

// maxDenial bounds the message of a denial, in bytes.
const maxDenial = 8 << 10

// review reads a body and returns what is answered to it. It does not panic.
// The error tells what went wrong when the body was read; it is nil for a
// whole body.
func (h *Handler) review(body []byte, problem error) (v verdict) {
	defer func() {
		if cause := recover(); cause != nil {
			v = h.panicked(body, cause)
		}
	}()
	if problem != nil {
		return h.notExamined(findUID(body), problem)
	}
	if !h.mentions.in(body) {
		return h.pass(body)
	}
	return h.examine(body)
}

// pass answers a review of a Pod that does not concern us.
func (h *Handler) pass(body []byte) verdict {
	request, err := decode[unread](body)
	switch {
	case err != nil:
		return h.notExamined(findUID(body), err)
	case request.Object.absent():
		return h.notExamined(request.UID, errNoObject)
	}
	return verdict{uid: request.UID, result: nothingToDo}
}

var (
	errNoObject = errors.New("request.object is null")
	errNoPod    = errors.New("request.object has no metadata or no spec")
	errInternal = errors.New("internal error")
)

// examine answers a review of a Pod that may concern us.
func (h *Handler) examine(body []byte) verdict {
	request, err := decode[*pod](body)
	switch p := request.Object; {
	case err != nil:
		return h.notExamined(findUID(body), err)
	case p == nil:
		return h.notExamined(request.UID, errNoObject)
	case p.Metadata == nil || p.Spec == nil:
		return h.notExamined(request.UID, errNoPod)
	case p.isMirror():
		return verdict{uid: request.UID, result: nothingToDo}
	}
	pod := request.Object.core()
	policy := h.policy()
	policy.ObjectBytes = len(body)
	if h.asksForSidecar(pod) {
		return h.examineWithSidecar(request.header, pod, body, policy)
	}
	return h.decided(request.header, pod, h.Decide(pod, policy), nil)
}

// policy is what the operator allows at this moment.
func (h *Handler) policy() mutate.Policy {
	policy := h.Policy
	if h.TLSProbes != nil {
		policy.TLSProbes = h.TLSProbes()
	}
	return policy
}

// decided tells a decision: as the answer, in metrics and in the log. lines are
// warnings that come before its own.
func (h *Handler) decided(request header, pod *corev1.Pod, decision mutate.Result, lines []string) verdict {
	patch, err := appendPatch(nil, decision.Operations)
	if err != nil {
		h.Log.Error(err, "patch cannot be written", "uid", request.UID)
		return h.failed(request.UID)
	}
	news := unknown(decision.Findings)
	if !request.DryRun {
		h.Metrics.found(news)
		h.tellOwner(request.Namespace, pod, news)
	}
	h.logDecision(request, pod, decision, news)
	return verdict{
		uid:         request.UID,
		result:      resultOf(decision),
		patch:       patch,
		warnings:    warnings(lines, decision.Remarks, news),
		annotations: annotations(decision.Reinvoked, news),
	}
}

// tellOwner tells the Pod's controller, for there is hardly anybody else to
// tell: the API warnings of its Pods reach nobody.
func (h *Handler) tellOwner(namespace string, pod *corev1.Pod, news []mutate.Finding) {
	owner := metav1.GetControllerOfNoCopy(pod)
	if h.Events != nil && owner != nil && len(news) > 0 {
		h.Events.Found(namespace, owner, news)
	}
}

// unknown returns the findings that no earlier call has told.
func unknown(findings []mutate.Finding) []mutate.Finding {
	news := findings[:0:0]
	for _, f := range findings {
		if !f.Known {
			news = append(news, f)
		}
	}
	return news
}

func resultOf(decision mutate.Result) result {
	switch {
	case len(decision.Operations) > 0:
		return patched
	case len(decision.Findings) > 0:
		return unchanged
	}
	return nothingToDo
}

// notExamined answers a review that cannot be read or is for something else.
func (h *Handler) notExamined(uid string, problem error) verdict {
	if uid != "" {
		h.Log.Info("pod not examined", "uid", short(uid), "problem", problem.Error())
	}
	return verdict{uid: uid, result: refusedInput, problem: problem.Error(), warnings: []string{notExaminedWarning(problem)}}
}

// panicked answers after a panic. The panic's text may hold a value of the
// Pod, so only the runtime's own texts are logged, and the stack.
func (h *Handler) panicked(body []byte, cause any) verdict {
	err := errInternal
	if known, ok := cause.(runtime.Error); ok {
		err = known
	}
	uid := findUID(body)
	h.Log.Error(err, "panic while a review was read", "uid", short(uid), "stack", string(debug.Stack()))
	return h.failed(uid)
}

// failed answers after an error of our own.
func (h *Handler) failed(uid string) verdict {
	h.Metrics.internalErrors.Inc()
	return verdict{uid: uid, result: internalError, problem: errInternal.Error(), warnings: []string{notExaminedWarning(errInternal)}}
}
