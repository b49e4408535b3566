package mutate

import (
	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
)

// Policy is what the operator and the namespace allow. The Pod's annotations
// decide below it. The zero value is the most careful one.
type Policy struct {
	// Audit yields findings only: no operations, not even the status
	// annotation, whatever the Pod says. It is the ceiling that a namespace
	// labelled "audit" sets.
	Audit bool
	// AnyPort lifts the evidence of declared ports and host network (--ports=any).
	AnyPort bool
	// IgnoreMesh rewrites in Pods of a service mesh too (--mesh=ignore).
	IgnoreMesh bool
	// IgnoreIPFamily lifts rule ip-family (--ip-family=ignore).
	IgnoreIPFamily bool
	// IPv6 says that the primary IP of Pods is IPv6.
	IPv6 bool
	// TLSProbes is the operator's statement that every API server and kubelet
	// has the gate GRPCContainerProbeTLS (--grpc-probe-tls=always).
	TLSProbes bool
	// SkipBarePods leaves Pods without a controlling owner alone (--bare-pods=skip).
	SkipBarePods bool
	// Template says that the Pod is a template to which a platform adds env
	// later (a Knative Service), so that an undefined variable is unknown
	// rather than undefined.
	Template bool
	// ObjectBytes is the size of the Pod as JSON, 0 where it does not matter. A
	// Pod that etcd would no longer take with our status is left alone.
	ObjectBytes int
	// ToolNames are further names of the tool's binary.
	ToolNames []string
	// MeshProxies are further names of containers that are mesh proxies.
	MeshProxies []string
}

// Result is what Mutate decided.
type Result struct {
	// Operations are the RFC 6902 patch, empty when nothing changes.
	Operations []jsonpatch.Operation
	Findings   []Finding
	Remarks    []Remark
	// Reinvoked says that the Pod already carried our status annotation.
	Reinvoked bool
}

// Mutate decides about every exec probe of the tool in the Pod: liveness,
// readiness and startup probes of its containers and native sidecars. It does
// not change the Pod. The operations' indexes are those of the Pod as given.
func Mutate(pod *corev1.Pod, policy Policy) Result {
	switches, remarks := readSwitches(pod.Annotations, policy)
	prior, reinvoked := readStatus(pod.Annotations)
	j := newJudge(pod, switches, prior)
	verdicts := j.all()

	result := Result{Reinvoked: reinvoked}
	if !anyTold(verdicts) {
		result.Remarks = remarks
	}
	for _, v := range verdicts {
		if v.finding != nil {
			result.Findings = append(result.Findings, *v.finding)
		}
	}
	if !policy.Audit && len(result.Findings) > 0 {
		result = patch(pod, policy.ObjectBytes, verdicts, result)
	}
	result.Remarks = append(result.Remarks, bareRemark(pod, result.Findings)...)
	return result
}

// anyTold says whether an earlier call has spoken about this Pod: the status
// holds an entry that is true of one of its probes.
func anyTold(verdicts []verdict) bool {
	for _, v := range verdicts {
		if v.finding == nil || v.finding.Known || v.finding.Outcome == Restored {
			return true
		}
	}
	return false
}
