package sidecar

import (
	"fmt"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// nativeSidecars is the first release whose API server keeps restartPolicy of
// init containers without a feature gate set (KEP-753). An older one drops the
// field, and the Pod would wait for the end of an init container for good.
const nativeSidecars = "1.29"

// refusals are the problems of Pods that cannot have the sidecar, whatever its
// annotations say.
func refusals(pod *corev1.Pod, s settings, upstreams []upstream, taken listeners, policy Policy) []Problem {
	var problems []Problem
	add := func(code Code, text, remedy string) { problems = append(problems, Problem{code, text, remedy}) }
	if v := policy.APIServer; v != nil && v.LessThan(version.MustParseGeneric(nativeSidecars)) {
		add(OldAPIServer, fmt.Sprintf("the API server is of release %s and does not know native sidecars", v),
			"use Kubernetes "+nativeSidecars+" or newer, or remove the annotations")
	}
	if pod.Spec.HostNetwork {
		add(HostNetwork, "the Pod uses the host's network, whose loopback addresses it shares with the node", "remove hostNetwork, or balance in the app")
	}
	if isWindows(pod) {
		add(Windows, "the Pod runs on Windows, where the sidecar does not", "remove the annotations")
	}
	if asked := mesh(pod, policy.MeshProxies); asked != "" {
		add(Mesh, "the Pod is part of a service mesh ("+asked+"), which balances by itself", "remove one of the two")
	}
	if hasContainer(pod, ContainerName) {
		add(NameTaken, "the Pod has a container named "+ContainerName+" that is not the one its annotation "+StatusAnnotation+" tells of",
			"remove it, its hostAliases and the status; or rename it, if it is your own")
	}
	if s.intercept.aliases() {
		for _, where := range hostsVolumes(pod) {
			add(HostsVolume, where+" mounts a volume at "+hostsFile+", which hides the names that the sidecar takes over", "remove it, or use intercept env or none")
		}
	}
	problems = append(problems, dnsProblems(pod, upstreams, policy.ClusterDomain)...)
	if who := taken[s.metricsPort]; who != "" {
		add(MetricsPortClash, fmt.Sprintf("the sidecar's metrics port is %d, on which the Pod itself listens (%s)", s.metricsPort, who),
			"set "+Prefix+"metrics-port to another")
	}
	return problems
}

// dnsProblems finds backends that the Pod's resolver cannot find.
func dnsProblems(pod *corev1.Pod, upstreams []upstream, domain string) []Problem {
	if slices.Contains([]corev1.DNSPolicy{"", corev1.DNSClusterFirst, corev1.DNSClusterFirstWithHostNet}, pod.Spec.DNSPolicy) {
		return nil
	}
	for _, u := range upstreams {
		if u.backend.within(domain) {
			return []Problem{{
				DNSPolicy, fmt.Sprintf("the Pod's dnsPolicy is %s, so that it does not find %s", pod.Spec.DNSPolicy, u.backend.full),
				"use dnsPolicy ClusterFirst",
			}}
		}
	}
	return nil
}

func isWindows(pod *corev1.Pod) bool {
	return pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows || pod.Spec.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows)
}

// mesh names what makes a Pod part of a mesh, or asks for one; or it is "".
func mesh(pod *corev1.Pod, proxies []string) string {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if mutate.IsMeshProxy(list[i].Name, proxies) {
				return "container " + list[i].Name
			}
		}
	}
	if revision := pod.Labels["istio.io/rev"]; revision != "" && pod.Labels["sidecar.istio.io/inject"] != "false" {
		return "label istio.io/rev"
	}
	for _, ask := range []struct {
		kind   string
		values map[string]string
		key    string
		yes    []string
	}{
		{"label", pod.Labels, "sidecar.istio.io/inject", []string{"true"}},
		{"annotation", pod.Annotations, "sidecar.istio.io/inject", []string{"true", "yes", "y", "on"}},
		{"annotation", pod.Annotations, "linkerd.io/inject", []string{"enabled", "ingress"}},
		{"label", pod.Labels, "kuma.io/sidecar-injection", []string{"enabled", "true"}},
		{"annotation", pod.Annotations, "consul.hashicorp.com/connect-inject", []string{"true"}},
	} {
		if slices.Contains(ask.yes, ask.values[ask.key]) {
			return ask.kind + " " + ask.key
		}
	}
	if _, there := pod.Annotations["sidecar.istio.io/status"]; there {
		return "annotation sidecar.istio.io/status"
	}
	return ""
}

func hasContainer(pod *corev1.Pod, name string) bool {
	named := func(c corev1.Container) bool { return c.Name == name }
	return slices.ContainsFunc(pod.Spec.InitContainers, named) || slices.ContainsFunc(pod.Spec.Containers, named)
}

// hostsFile is written by the kubelet, unless a container mounts a volume there.
const hostsFile = "/etc/hosts"

func hostsVolumes(pod *corev1.Pod) []string {
	var found []string
	visitContainers(pod, func(c *corev1.Container, _ string) {
		if slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return path.Clean("/"+m.MountPath) == hostsFile }) {
			found = append(found, "container "+c.Name)
		}
	})
	return found
}
