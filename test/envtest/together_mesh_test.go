package envtest

import (
	"encoding/json"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// setAnnotations adds annotations to a Pod.
func setAnnotations(pod *corev1.Pod, annotations map[string]string) {
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	maps.Copy(pod.Annotations, annotations)
}

// injectIstio does to a Pod what Istio's injector does, in outline: an init
// container, its proxy as a native sidecar, and the probes that the kubelet
// would make over HTTP, TCP and gRPC moved to its agent. Exec probes stay.
func injectIstio(pod *corev1.Pod) {
	probers := map[string]any{}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		for path, p := range map[string]*corev1.Probe{"livez": c.LivenessProbe, "readyz": c.ReadinessProbe, "startupz": c.StartupProbe} {
			if p == nil || p.Exec != nil {
				continue
			}
			at := "/app-health/" + c.Name + "/" + path
			probers[at] = map[string]any{"grpc": p.GRPC, "timeoutSeconds": p.TimeoutSeconds}
			p.ProbeHandler = corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: at, Port: intstr.FromInt32(15020), Scheme: corev1.URISchemeHTTP}}
		}
	}
	moved, err := json.Marshal(probers)
	if err != nil {
		moved = []byte(err.Error())
	}
	always := corev1.ContainerRestartPolicyAlways
	pod.Spec.InitContainers = append(pod.Spec.InitContainers,
		corev1.Container{
			Name: "istio-init", Image: "example.com/istio/proxyv2:1.27.0",
			Args: []string{"istio-iptables", "-p", "15001", "-z", "15006", "-u", "1337", "-m", "REDIRECT", "-i", "*", "-b", "*", "-d", "15090,15021,15020"},
		},
		corev1.Container{
			Name: "istio-proxy", Image: "example.com/istio/proxyv2:1.27.0", RestartPolicy: &always,
			Args:  []string{"proxy", "sidecar", "--proxyLogLevel=warning"},
			Ports: []corev1.ContainerPort{{Name: "http-envoy-prom", ContainerPort: 15090}},
			Env:   []corev1.EnvVar{{Name: "ISTIO_KUBE_APP_PROBERS", Value: string(moved)}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: "/healthz/ready", Port: intstr.FromInt32(15021),
			}}, TimeoutSeconds: 3, PeriodSeconds: 15},
			StartupProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: "/healthz/ready", Port: intstr.FromInt32(15021),
			}}, TimeoutSeconds: 3, PeriodSeconds: 1, FailureThreshold: 600},
		})
	setAnnotations(pod, map[string]string{
		"sidecar.istio.io/status":                 `{"initContainers":["istio-init","istio-proxy"],"containers":null,"revision":"default"}`,
		"istio.io/rev":                            "default",
		"kubectl.kubernetes.io/default-container": pod.Spec.Containers[0].Name,
		"prometheus.io/path":                      "/stats/prometheus",
		"prometheus.io/port":                      "15020",
		"prometheus.io/scrape":                    "true",
	})
}

// linkerdProxy is Linkerd's proxy, in outline.
func linkerdProxy() corev1.Container {
	live := func(path string) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(4191)}}}
	}
	return corev1.Container{
		Name: "linkerd-proxy", Image: "example.com/linkerd/proxy:2.18.0",
		Ports:         []corev1.ContainerPort{{Name: "linkerd-proxy", ContainerPort: 4143}, {Name: "linkerd-admin", ContainerPort: 4191}},
		LivenessProbe: live("/live"), ReadinessProbe: live("/ready"),
	}
}

func linkerdAnnotations() map[string]string {
	return map[string]string{
		"linkerd.io/created-by": "linkerd/proxy-injector 2.18.0", "linkerd.io/inject": "enabled", "linkerd.io/proxy-version": "2.18.0",
	}
}

// injectLinkerd does to a Pod what Linkerd's injector does, in outline: an init
// container and its proxy, before all others.
func injectLinkerd(pod *corev1.Pod) {
	pod.Spec.InitContainers = append(pod.Spec.InitContainers, corev1.Container{
		Name: "linkerd-init", Image: "example.com/linkerd/proxy-init:2.4.0", Args: []string{"--incoming-proxy-port", "4143", "--outgoing-proxy-port", "4140"},
	})
	pod.Spec.Containers = append([]corev1.Container{linkerdProxy()}, pod.Spec.Containers...)
	setAnnotations(pod, linkerdAnnotations())
}

// injectLinkerdNative is the same with the proxy as a native sidecar.
func injectLinkerdNative(pod *corev1.Pod) {
	proxy, always := linkerdProxy(), corev1.ContainerRestartPolicyAlways
	proxy.RestartPolicy = &always
	pod.Spec.InitContainers = append([]corev1.Container{
		{Name: "linkerd-init", Image: "example.com/linkerd/proxy-init:2.4.0"}, proxy,
	}, pod.Spec.InitContainers...)
	setAnnotations(pod, linkerdAnnotations())
}
