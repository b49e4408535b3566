package sidecar

import (
	"cmp"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

/*
The sidecar asks for little CPU and has no limit of it: CFS throttling stops a
proxy for tens of milliseconds and eats the p99. A Guaranteed Pod stays one, so
there its limits are its requests. A Pod with resources of its own as a whole
(spec.resources, KEP-2837) shares those with the sidecar.
*/

// quantities are the four annotations; nil is what was not set.
type quantities struct {
	cpuRequest, memoryRequest, cpuLimit, memoryLimit *resource.Quantity
}

func (q quantities) any() bool {
	return q.cpuRequest != nil || q.memoryRequest != nil || q.cpuLimit != nil || q.memoryLimit != nil
}

// qos is the part of a Pod's quality of service that matters here.
type qos int

const (
	burstable qos = iota
	guaranteed
	bestEffort
)

// qosOf computes what the kubelet will (ComputePodQOS in k8s.io/kubernetes
// pkg/apis/core/v1/helper/qos), for a Pod without resources as a whole.
func qosOf(pod *corev1.Pod) qos {
	asks, whole := false, true
	visitContainers(pod, func(c *corev1.Container, _ string) {
		for _, kind := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			request, hasRequest := c.Resources.Requests[kind]
			limit, hasLimit := c.Resources.Limits[kind]
			if hasLimit && !hasRequest { // the API server's default
				request = limit
			}
			asks = asks || !request.IsZero() || !limit.IsZero()
			whole = whole && !limit.IsZero() && isSane(request) && isSane(limit) && request.Cmp(limit) == 0
		}
	})
	switch {
	case !asks:
		return bestEffort
	case whole:
		return guaranteed
	}
	return burstable
}

// isSane says whether a quantity can be compared in no time: 1e30000000 is one
// that the API server takes and that cannot.
func isSane(q resource.Quantity) bool {
	c := q.DeepCopy()
	d := c.AsDec()
	return d.Scale() > -30 && d.Scale() < 30 && d.UnscaledBig().BitLen() < 256
}

// resources are the sidecar's own, with a warning where a person should know.
func (q quantities) resources(pod *corev1.Pod) (corev1.ResourceRequirements, []Warning, []Problem) {
	if pod.Spec.Resources != nil {
		text := "the sidecar shares spec.resources: leave room for 200m of CPU and 128Mi there"
		if q.any() {
			text = "the sidecar shares spec.resources: its own requests and limits are not used"
		}
		return corev1.ResourceRequirements{}, []Warning{{PodResources, text}}, nil
	}
	class := qosOf(pod)
	cpu, cpuProblems := q.pair("cpu", q.cpuRequest, q.cpuLimit, class, "20m", "", "200m")
	memory, memoryProblems := q.pair("memory", q.memoryRequest, q.memoryLimit, class, "48Mi", "256Mi", "128Mi")
	requirements := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: *cpu.request, corev1.ResourceMemory: *memory.request},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: *memory.limit},
	}
	if cpu.limit != nil {
		requirements.Limits[corev1.ResourceCPU] = *cpu.limit
	}
	var warnings []Warning
	if class == bestEffort {
		warnings = append(warnings, Warning{NowBurstable, "the Pod was BestEffort and is Burstable with the sidecar's requests"})
	}
	return requirements, warnings, append(cpuProblems, memoryProblems...)
}

// pair is the request and limit of one resource; limit may be nil.
type pair struct{ request, limit *resource.Quantity }

// pair fills in what was not set. A request alone raises the limit to it, and a
// limit alone lowers the request, so that the two never contradict each other.
func (q quantities) pair(kind string, request, limit *resource.Quantity, class qos, usualRequest, usualLimit, whole string) (pair, []Problem) {
	if request != nil && limit != nil && request.Cmp(*limit) > 0 {
		return pair{request, limit}, []Problem{{
			BadResources, fmt.Sprintf("annotation %s%s-request is %s, more than %s-limit, %s", Prefix, kind, request, kind, limit),
			"make the limit at least the request",
		}}
	}
	quantity := func(s string) *resource.Quantity {
		parsed := resource.MustParse(s)
		return &parsed
	}
	if class == guaranteed {
		both := cmp.Or(limit, request, quantity(whole))
		return pair{cmp.Or(request, both), both}, nil
	}
	p := pair{request, limit}
	if p.request == nil {
		p.request = quantity(usualRequest)
		if limit != nil && p.request.Cmp(*limit) > 0 {
			p.request = limit
		}
	}
	if p.limit == nil && usualLimit != "" {
		p.limit = quantity(usualLimit)
		if p.request.Cmp(*p.limit) > 0 {
			p.limit = p.request
		}
	}
	return p, nil
}
