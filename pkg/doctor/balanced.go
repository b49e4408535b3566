package doctor

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/pkg/survey"
)

// BalancedKey is the same for load-balanced Pods that are alike.
type BalancedKey struct {
	Owner  survey.Owner
	Status string
	// Aliased says that the hosts file captures the dialled names.
	Aliased bool
}

// Balanced is a Pod with a load-balancing sidecar.
type Balanced struct {
	Upstreams []Upstream
	// Members says where the pools' members come from, "dns" without discovery.
	Members string
	// Following is what it asks discovery for, nil where it does not.
	Following *Following
	// Labels are those of one of the Pods.
	Labels map[string]string
	// Running counts the Pods whose containers have been started.
	Running int
}

// Upstream is what the sidecar's status tells of one.
type Upstream struct {
	// Dialled is what the application dials, NAME:PORT.
	Dialled string
	// Service is the backend, zero for a name outside the cluster.
	Service ServiceName
	// Host is the backend's name as the status has it.
	Host string
	// Port is what the sidecar dials.
	Port int32
}

// addBalanced notes a Pod that has the sidecar, or asks for it in vain.
func (p *Pods) addBalanced(pod *corev1.Pod) {
	if _, asks := pod.Annotations[sidecar.UpstreamsAnnotation]; !asks {
		return
	}
	if !slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == sidecar.ContainerName }) {
		p.addUnbalanced(pod)
		return
	}
	text := pod.Annotations[sidecar.StatusAnnotation]
	key := BalancedKey{survey.OwnerOf(pod), text, len(pod.Spec.HostAliases) > 0}
	b, known := p.Balanced[key]
	if !known {
		status, readable := sidecar.ReadStatus(pod.Annotations)
		if !readable {
			return
		}
		b = readBalanced(pod, status)
	}
	if pod.Status.Phase == corev1.PodRunning {
		b.Running++
	}
	p.Balanced[key] = b
}

// addUnbalanced counts a Pod that runs, or is about to, without the sidecar that
// it asks for, unless that is as somebody wants it or no webhook could help.
func (p *Pods) addUnbalanced(pod *corev1.Pod) {
	_, static := pod.Annotations[corev1.MirrorPodAnnotationKey]
	ended := pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if static || ended || pod.Labels[survey.WebhookLabel] == "disabled" {
		return
	}
	a := p.ageOf(pod)
	if p.Unbalanced[a] == nil {
		p.Unbalanced[a] = map[survey.Owner]int{}
	}
	p.Unbalanced[a][survey.OwnerOf(pod)]++
}

// readBalanced reads what is the same for Pods that are alike.
func readBalanced(pod *corev1.Pod, status sidecar.Status) Balanced {
	b := Balanced{Members: status.Members, Labels: pod.Labels}
	for _, u := range status.Upstreams {
		if upstream, ok := readUpstream(u); ok {
			b.Upstreams = append(b.Upstreams, upstream)
		}
	}
	if bootstrap, found := sidecar.Bootstrap(pod); found {
		b.Following = readFollowing(bootstrap)
	}
	return b
}

// readUpstream reads an upstream of the status: its name is BACKEND:PORT, and
// @DIALLED behind it where a backend is there twice. A backend of two labels is
// a Service.
func readUpstream(u sidecar.UpstreamStatus) (Upstream, bool) {
	name, _, _ := strings.Cut(u.Name, "@")
	host, portText, ok := strings.Cut(name, ":")
	port, err := strconv.ParseInt(portText, 10, 32)
	if !ok || err != nil {
		return Upstream{}, false
	}
	upstream := Upstream{Dialled: u.Dialled, Host: host, Port: int32(port)}
	if labels := strings.Split(host, "."); len(labels) == 2 {
		upstream.Service = ServiceName{Namespace: labels[1], Name: labels[0]}
	}
	return upstream, true
}

// Backends are the Services that the upstreams of load-balanced Pods name.
func (p *Pods) Backends() []ServiceName {
	seen := map[ServiceName]bool{}
	for _, b := range p.Balanced {
		for _, u := range b.Upstreams {
			seen[u.Service] = true
			seen[dialledService(u)] = true
		}
		for _, name := range b.Following.names() {
			seen[ServiceName{Namespace: name.Namespace, Name: name.Service}] = true
		}
	}
	delete(seen, ServiceName{})
	var names []ServiceName
	for name := range seen {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b ServiceName) int { return strings.Compare(a.String(), b.String()) })
	return names
}

// dialledService is the Service whose name the application dials.
func dialledService(u Upstream) ServiceName {
	host, _, _ := strings.Cut(u.Dialled, ":")
	if labels := strings.Split(host, "."); len(labels) == 2 {
		return ServiceName{Namespace: labels[1], Name: labels[0]}
	}
	return ServiceName{}
}

// sortedBalanced are the keys of load-balanced Pods, in a fixed order.
func (p *Pods) sortedBalanced() []BalancedKey {
	var keys []BalancedKey
	for key := range p.Balanced {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b BalancedKey) int {
		if c := a.Owner.Compare(b.Owner); c != 0 {
			return c
		}
		return strings.Compare(a.Status, b.Status)
	})
	return keys
}
