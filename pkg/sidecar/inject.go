package sidecar

import (
	"fmt"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// Policy is what the operator and the namespace allow.
type Policy struct {
	// Image is Envoy's image (--lb-image). No annotation sets it.
	Image string
	// ClusterDomain is the domain of the cluster's Services (--cluster-domain),
	// without a final dot.
	ClusterDomain string
	// IPv6 says that Pods have IPv6 addresses alone. A dual-stack Pod has IPv4's
	// loopback addresses too.
	IPv6 bool
	// Discovery is how sidecars reach discovery (--lb-discovery); nil where DNS
	// alone names the members. One that cannot be used, because its CA is not
	// known yet, leaves Pods to DNS with a warning.
	Discovery *Discovery
	// Audit turns problems into warnings and patches nothing, as a namespace
	// labelled "audit" asks for.
	Audit bool
	// APIServer is the release of the API server; nil where it is not known.
	APIServer *version.Version
	// ToolNames are further names of grpc_health_probe, whose probes tell where
	// the app listens.
	ToolNames []string
	// MeshProxies are further names of containers that are mesh proxies.
	MeshProxies []string
}

// Discovery is where sidecars learn the members of Services' pools.
type Discovery = envoy.Discovery

// DefaultPolicy is the policy of a webhook without flags in a cluster whose
// domain is cluster.local.
func DefaultPolicy() Policy { return Policy{Image: DefaultImage, ClusterDomain: "cluster.local"} }

// maxUpstreams is how many upstreams a Pod may list. It bounds what one Pod
// costs. What fits into an argument is less with protocol auto, about 60, as many
// with http, and more with tcp, about 150; with discovery it is 30, 50 and 70, and
// those with more work from DNS alone.
const maxUpstreams = 100

// Outcome is what became of a Pod.
type Outcome string

// The outcomes. The zero value is a Pod that does not concern us.
const (
	// Injected: the Pod gets the sidecar.
	Injected Outcome = "injected"
	// WouldInject: it would, in a namespace that is not only audited.
	WouldInject Outcome = "would-inject"
	// Refused: the Pod asks for the sidecar in a way that cannot be granted.
	Refused Outcome = "refused"
	// WouldRefuse: it would be refused, in a namespace that is not only audited.
	WouldRefuse Outcome = "would-refuse"
	// AlreadyInjected: the Pod has the sidecar, and is not touched.
	AlreadyInjected Outcome = "already-injected"
	// NotAsked: the Pod has keys of the sidecar but no upstreams.
	NotAsked Outcome = "not-asked"
	// Failed: an error of our own; the Pod is let through without the sidecar.
	Failed Outcome = "failed"
)

// Outcomes returns every outcome but the zero value.
func Outcomes() []Outcome {
	return []Outcome{Injected, WouldInject, Refused, WouldRefuse, AlreadyInjected, NotAsked, Failed}
}

// The warnings.
const (
	// NoUpstreams: keys of ours without the one that switches them on.
	NoUpstreams Code = "no-upstreams"
	// NowBurstable: the Pod's quality of service changes.
	NowBurstable Code = "burstable"
	// DNSOnly: the pools follow DNS alone, though discovery is switched on.
	DNSOnly Code = "dns-only"
	// PodResources: the sidecar shares the Pod's resources.
	PodResources Code = "pod-resources"
	// LaterMesh: a mesh came into the Pod after the sidecar.
	LaterMesh Code = "later-mesh"
	// LaterPortClash: a container came after the sidecar that listens on a port
	// of it.
	LaterPortClash Code = "later-port-clash"
	// ChangedAnnotations: the Pod was copied, and asks for something else now,
	// or for the same in another namespace.
	ChangedAnnotations Code = "changed-annotations"
)

// WarningCodes returns every code of a warning.
func WarningCodes() []Code {
	return []Code{NoUpstreams, NowBurstable, DNSOnly, PodResources, LaterMesh, LaterPortClash, ChangedAnnotations}
}

// Warning is worth a person's time and refuses nothing.
type Warning struct {
	Code Code
	// Text is one short sentence.
	Text string
}

// Result is what Inject decided.
type Result struct {
	Outcome Outcome
	// Operations are the RFC 6902 patch of an injected Pod, with the indexes of
	// the Pod as sent. Operations that change no list may go in front of them.
	Operations []jsonpatch.Operation
	// Problems say why a Pod is refused, or would be.
	Problems []Problem
	Warnings []Warning
	// Status is what the status annotation says of an injected Pod, now, before
	// or if it was allowed.
	Status Status
	// StatusText is the annotation's value, of a Pod that is injected now.
	StatusText string
	// Config is what Envoy is told, of a Pod that is or would be injected.
	Config envoy.Config
	// Err is the error of a failed injection.
	Err error
}

// Message tells all problems in one line.
func (r Result) Message() string { return message(r.Problems) }

// Inject decides about a Pod that is created in a namespace. It does not change
// the Pod. Nothing is patched unless everything is.
func Inject(pod *corev1.Pod, namespace string, policy Policy) Result {
	keys := ourKeys(pod.Annotations)
	if len(keys) == 0 {
		return Result{}
	}
	if status, found := ReadStatus(pod.Annotations); found && status.matches(pod) {
		return Result{Outcome: AlreadyInjected, Status: status, Warnings: later(pod, namespace, status, policy)}
	}
	if _, asked := pod.Annotations[UpstreamsAnnotation]; !asked {
		return notAsked(keys)
	}
	s, problems := readSettings(pod.Annotations)
	if len(s.upstreams) > maxUpstreams {
		return refused(append(problems, Problem{
			TooLarge, fmt.Sprintf("annotation %s lists %d upstreams, more than %d", UpstreamsAnnotation, len(s.upstreams), maxUpstreams), "list fewer upstreams",
		}), policy)
	}
	upstreams, bad := readUpstreamList(s.upstreams, namespace, policy.ClusterDomain)
	problems = append(problems, bad...)
	taken := listenersOf(pod, s.appPorts, policy.ToolNames)
	problems = append(problems, refusals(pod, s, upstreams, taken, policy)...)

	r, bad := newInjection(pod, namespace, policy, s, upstreams, taken)
	if problems = append(problems, bad...); len(problems) > 0 {
		return refused(problems, policy)
	}
	return r.result()
}

func refused(problems []Problem, policy Policy) Result {
	if policy.Audit {
		return Result{Outcome: WouldRefuse, Problems: problems}
	}
	return Result{Outcome: Refused, Problems: problems}
}

// notAsked is a Pod that has keys of ours and no upstreams. A status alone was
// copied from a Pod that had them, and means nothing.
func notAsked(keys []string) Result {
	for _, key := range keys {
		if key != StatusAnnotation {
			return Result{Outcome: NotAsked, Warnings: []Warning{{
				NoUpstreams, fmt.Sprintf("annotation %s does nothing without %s", shown(key), UpstreamsAnnotation),
			}}}
		}
	}
	return Result{}
}

// later finds what came into the Pod after the sidecar.
func later(pod *corev1.Pod, namespace string, status Status, policy Policy) []Warning {
	var warnings []Warning
	if asked := mesh(pod, policy.MeshProxies); asked != "" {
		warnings = append(warnings, Warning{LaterMesh, "the Pod has the sidecar and is part of a mesh too (" + asked + "): remove one"})
	}
	s, _ := readSettings(pod.Annotations)
	taken := listenersOf(pod, s.appPorts, policy.ToolNames)
	for _, u := range status.Upstreams {
		if who := taken[u.Listen.Port()]; who != "" {
			warnings = append(warnings, Warning{LaterPortClash, fmt.Sprintf("port %d is the sidecar's for %s, and %s", u.Listen.Port(), u.Name, who)})
		}
	}
	if status.Asked != hashAsked(namespace, pod.Annotations) {
		warnings = append(warnings, Warning{ChangedAnnotations, "annotations or namespace changed: take out " + ContainerName + ", its hostAliases and ports"})
	}
	return warnings
}
