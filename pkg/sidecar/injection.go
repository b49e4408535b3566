package sidecar

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// injection is everything that is known of a Pod that can have the sidecar.
type injection struct {
	pod       *corev1.Pod
	namespace string
	policy    Policy
	settings  settings
	routes    []route
	texts     []jsonpatch.Operation
	sysctl    bool
	resources corev1.ResourceRequirements
	warnings  []Warning
}

// newInjection plans the injection beside who listens in the Pod already. The
// problems are those of the plan; with any of them it must not be carried out.
func newInjection(pod *corev1.Pod, namespace string, policy Policy, s settings, upstreams []upstream, taken listeners) (injection, []Problem) {
	i := injection{pod: pod, namespace: namespace, policy: policy, settings: s}
	var all, problems []Problem
	i.routes, all = newRoutes(pod, upstreams, s.intercept, namespace, taken, policy.IPv6)
	if s.intercept.aliases() && !hasContainer(pod, ContainerName) { // else they may be those of a copied sidecar
		all = append(all, ownAliases(pod, i.routes)...)
	}
	found := rewrite(pod, namespace, s.intercept, i.routes, policy.ToolNames)
	i.texts = found.operations
	all = append(all, found.problems...)
	i.sysctl, problems = needsSysctl(pod, i.routes, s.metricsPort)
	all = append(all, problems...)
	i.resources, i.warnings, problems = s.resources.resources(pod)
	return i, append(all, problems...)
}

// result carries the injection out.
func (i injection) result() Result {
	told, bootstrap, err := i.told()
	r := Result{Outcome: Injected, Warnings: i.warnings, Config: told}
	switch {
	case errors.Is(err, envoy.ErrTooLong):
		return refused([]Problem{{
			TooLarge, fmt.Sprintf("the configuration for %d upstreams is longer than an argument of a program may be", len(i.routes)),
			"list fewer upstreams, or set protocol to http or tcp, which takes less than auto",
		}}, i.policy)
	case err != nil:
		return Result{Outcome: Failed, Err: err}
	}
	p := patch{sysctl: i.sysctl, container: newContainer(i.pod, i.policy.Image, r.Config, bootstrap, i.resources)}
	if i.settings.intercept.aliases() {
		p.aliases = hostAliases(i.routes)
	}
	r.Status = newStatus(i.pod, i.namespace, &p.container, p.aliases, i.routes, r.Config)
	if p.status, err = r.Status.text(); err != nil {
		return Result{Outcome: Failed, Err: fmt.Errorf("write the status: %w", err)}
	}
	if problems := i.tooLarge(p); len(problems) > 0 {
		return refused(problems, i.policy)
	}
	if i.policy.Audit {
		r.Outcome = WouldInject
		return r
	}
	r.StatusText = p.status
	r.Operations = slices.Concat(i.texts, p.operations(i.pod))
	return r
}

// told is what Envoy is told, and the same as it is written. Where discovery cannot
// be used that is DNS alone, with a warning: that it is switched on refuses nobody
// who would have the sidecar without it.
func (i *injection) told() (c envoy.Config, bootstrap string, err error) {
	c = config(i.routes, i.settings, i.policy)
	bootstrap, err = render(c)
	if err == nil || c.Discovery == nil {
		return c, bootstrap, err
	}
	i.warnings = append(i.warnings, dnsOnly(err))
	i.policy.Discovery = nil
	return i.told()
}

// dnsOnly tells why discovery is not used.
func dnsOnly(err error) Warning {
	if errors.Is(err, envoy.ErrTooLong) {
		return Warning{DNSOnly, "too many upstreams to follow discovery: they follow DNS; list fewer, or set protocol"}
	}
	return Warning{DNSOnly, "discovery is not known to the webhook yet, the upstreams follow DNS"}
}

// render writes what Envoy is told.
func render(c envoy.Config) (string, error) {
	bootstrap, err := envoy.Bootstrap(c)
	if err != nil {
		return "", fmt.Errorf("make Envoy's configuration: %w", err)
	}
	return envoy.Argument(bootstrap)
}

// tooLarge finds what Linux, the API server or etcd would not take.
func (i injection) tooLarge(p patch) []Problem {
	var problems []Problem
	const remedy = "list fewer upstreams"
	annotations := annotationsSize(i.pod.Annotations) - len(i.pod.Annotations[StatusAnnotation]) + len(StatusAnnotation) + len(p.status)
	if annotations > maxAnnotations {
		problems = append(problems, Problem{TooLarge, fmt.Sprintf("the Pod's annotations would have %d bytes, more than %d", annotations, maxAnnotations), remedy})
	}
	object, err := json.Marshal(i.pod)
	if size := len(object) + len(p.container.Args[1]) + len(p.status); err == nil && size > maxObject {
		problems = append(problems, Problem{TooLarge, fmt.Sprintf("the Pod would have %d bytes, more than the API server stores", size), remedy})
	}
	return problems
}
