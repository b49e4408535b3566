package admission

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
	kjson "sigs.k8s.io/json"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

/*
A Pod that asks for the load-balancing sidecar with annotations that make no sense
is the one kind of Pod that is ever refused, and only where its namespace is
enabled: without the sidecar it would silently not balance. An error of our own
lets the Pod through without the sidecar, with a warning.

Only such Pods are decoded whole; what the sidecar needs to know of a Pod is
spread over all of it.
*/

// Sidecars says how Pods get the load-balancing sidecar.
type Sidecars struct {
	// Policy is what the operator allows. Whether the namespace is only audited
	// is known from the path.
	Policy sidecar.Policy
	// APIServer tells the release of the API server, nil while it is not known.
	// It may be nil itself.
	APIServer func() *version.Version
	// Discovery tells how sidecars reach discovery, nil while that is not known. It
	// is nil itself where DNS alone is to name the members.
	Discovery func() *sidecar.Discovery
	// Inject decides about a Pod in a namespace.
	Inject func(*corev1.Pod, string, sidecar.Policy) sidecar.Result
}

// asksForSidecar says whether a Pod has annotations of the sidecar.
func (h *Handler) asksForSidecar(pod *corev1.Pod) bool {
	if h.Sidecars == nil {
		return false
	}
	for key := range pod.Annotations {
		if strings.HasPrefix(key, sidecar.Prefix) {
			return true
		}
	}
	return false
}

// inject decides about the sidecar of a Pod that asks for it. object is the Pod
// as sent.
func (h *Handler) inject(body []byte) (object []byte, r sidecar.Result) {
	request, err := decode[jsontext.Value](body)
	if err != nil {
		return nil, sidecar.Result{Outcome: sidecar.Failed, Err: err}
	}
	var pod corev1.Pod
	if err := kjson.UnmarshalCaseSensitivePreserveInts(request.Object, &pod); err != nil {
		return nil, sidecar.Result{Outcome: sidecar.Failed, Err: fmt.Errorf("decode the whole Pod: %w", err)}
	}
	policy := h.Sidecars.Policy
	policy.Audit = h.Policy.Audit
	if h.Sidecars.APIServer != nil {
		policy.APIServer = h.Sidecars.APIServer()
	}
	if h.Sidecars.Discovery != nil {
		if policy.Discovery = h.Sidecars.Discovery(); policy.Discovery == nil {
			policy.Discovery = &sidecar.Discovery{} // which nobody can use, and a warning says so
		}
	}
	return request.Object, h.Sidecars.Inject(&pod, request.Namespace, policy)
}

// examineWithSidecar answers a review of a Pod that asks for the sidecar. The
// operations of the probes come first: the sidecar becomes the first init
// container and moves all others.
func (h *Handler) examineWithSidecar(request header, pod *corev1.Pod, body []byte, policy mutate.Policy) verdict {
	object, injection := h.inject(body)
	if injection.Outcome == sidecar.Refused {
		h.tellInjection(request, pod, injection)
		return verdict{
			uid: request.UID, result: denied,
			denial:      &denial{code: http.StatusUnprocessableEntity, reason: "Invalid", message: oneLine(injection.Message(), maxDenial)},
			annotations: injectionAnnotations(injection),
		}
	}
	decision := h.Decide(withStatus(pod, injection), policy)
	if injection.Outcome == sidecar.Injected {
		operations := slices.Concat(decision.Operations, injection.Operations)
		if err := sidecar.Verify(object, operations); err != nil {
			injection = sidecar.Result{Outcome: sidecar.Failed, Err: fmt.Errorf("check the patch: %w", err)}
			decision = h.Decide(pod, policy)
		} else {
			decision.Operations = operations
		}
	}
	h.tellInjection(request, pod, injection)
	v := h.decided(request, pod, decision, injectionLines(injection))
	v.annotations = append(injectionAnnotations(injection), v.annotations...)
	if injection.Outcome == sidecar.Failed {
		v.result = internalError
	}
	return v
}

// withStatus is the Pod as it is once the sidecar's status is written, so that
// the status of the probes leaves room for it.
func withStatus(pod *corev1.Pod, injection sidecar.Result) *corev1.Pod {
	if injection.Outcome != sidecar.Injected {
		return pod
	}
	annotated := *pod
	annotated.Annotations = maps.Clone(pod.Annotations)
	annotated.Annotations[sidecar.StatusAnnotation] = injection.StatusText
	return &annotated
}

// tellInjection tells an injection in metrics, to the Pod's controller and in the
// log.
func (h *Handler) tellInjection(request header, pod *corev1.Pod, injection sidecar.Result) {
	if !request.DryRun {
		h.Metrics.injected(injection.Outcome)
		if owner := metav1.GetControllerOfNoCopy(pod); h.Events != nil && owner != nil {
			h.Events.Injected(request.Namespace, owner, injection)
		}
	}
	log := h.Log.WithValues("uid", request.UID, "namespace", request.Namespace, "name", podName(pod), "dryRun", request.DryRun)
	switch outcome := injection.Outcome; {
	case outcome == "", outcome == sidecar.NotAsked:
	case outcome == sidecar.AlreadyInjected && len(injection.Warnings) == 0: // it was told when it was injected
	case outcome == sidecar.Failed:
		h.Metrics.internalErrors.Inc()
		log.Error(injection.Err, "sidecar not injected")
	default:
		log.Info("sidecar decided", "outcome", injection.Outcome, "upstreams", upstreamNames(injection),
			"members", injection.Status.Members, "problems", problemTexts(injection), "warnings", warningCodes(injection))
	}
}

// injectionLines are the warnings of an injection.
func injectionLines(injection sidecar.Result) []string {
	var lines []string
	switch injection.Outcome {
	case sidecar.WouldInject:
		lines = append(lines, "probeshift: the sidecar would be injected for "+upstreamNames(injection))
	case sidecar.Failed:
		lines = append(lines, "probeshift: the sidecar is not injected: "+errInternal.Error())
	default:
	}
	for _, p := range injection.Problems {
		lines = append(lines, fmt.Sprintf("probeshift: the sidecar would be refused: %s: %s", p.Code, p))
	}
	for _, w := range injection.Warnings {
		lines = append(lines, fmt.Sprintf("probeshift: %s: %s", w.Code, w.Text))
	}
	return lines
}

// injectionAnnotations tell an injection in the API server's audit log.
func injectionAnnotations(injection sidecar.Result) []annotation {
	if injection.Outcome == "" || injection.Outcome == sidecar.NotAsked {
		return nil
	}
	value := upstreamNames(injection)
	if len(injection.Problems) > 0 {
		value = injection.Message()
	}
	codes := warningCodes(injection)
	list := []annotation{{"sidecar-" + string(injection.Outcome), oneLine(value, maxAnnotation)}}
	if len(codes) == 0 {
		return list
	}
	if injection.Outcome == sidecar.AlreadyInjected {
		return append(list, annotation{"sidecar-later-warnings", strings.Join(codes, ", ")})
	}
	return append(list, annotation{"sidecar-warnings", strings.Join(codes, ", ")})
}

func upstreamNames(injection sidecar.Result) string {
	var names []string
	for _, u := range injection.Status.Upstreams {
		names = append(names, u.Name)
	}
	return oneLine(strings.Join(names, ", "), maxAnnotation)
}

func problemTexts(injection sidecar.Result) []string {
	var texts []string
	for _, p := range injection.Problems[:min(len(injection.Problems), maxLogged)] {
		texts = append(texts, oneLine(p.String(), 400))
	}
	return texts
}

// warningCodes are the codes of the warnings, each once.
func warningCodes(injection sidecar.Result) []string {
	var codes []string
	for _, w := range injection.Warnings {
		if code := string(w.Code); !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	return codes
}
