//go:build linux

package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	checks "github.com/probeshift/probeshift/pkg/doctor"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// corefile is kubeadm's, shortened.
const corefile = `.:53 {
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       ttl 30
    }
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
    }
}
`

// balanced is a Pod as the webhook injects it, as far as doctor looks at it: the
// annotations, the sidecar and the aliases.
func balanced(t *testing.T, name, upstreams string) *corev1.Pod {
	t.Helper()
	return injected(t, name, upstreams, sidecar.DefaultPolicy())
}

// injected is such a Pod by a policy.
func injected(t *testing.T, name, upstreams string, policy sidecar.Policy) *corev1.Pod {
	t.Helper()
	pod := legacy(name, "x", func(p *corev1.Pod) {
		p.Annotations = map[string]string{sidecar.UpstreamsAnnotation: upstreams}
		p.Spec.Containers[0].Ports = nil
		p.Spec.Containers[0].LivenessProbe, p.Spec.Containers[0].ReadinessProbe = nil, nil
	})
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	result := sidecar.Inject(pod, "balancing", policy)
	if len(result.Operations) == 0 {
		t.Fatalf("not injected: %+v", result)
	}
	if text, err = sidecar.Apply(text, result.Operations); err != nil {
		t.Fatal(err)
	}
	var after corev1.Pod
	if err := json.Unmarshal(text, &after); err != nil {
		t.Fatal(err)
	}
	return &after
}

func (c *cluster) service(t *testing.T, name string, headless bool, ports ...corev1.ServicePort) {
	t.Helper()
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: ports}}
	if headless {
		s.Spec.ClusterIP = corev1.ClusterIPNone
	}
	if _, err := c.client.CoreV1().Services("balancing").Create(t.Context(), s, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func doctorOnUpstreams(t *testing.T, c *cluster) {
	ctx := context.WithoutCancel(t.Context())
	c.served(t, "balancing", "enabled")
	c.node(t, "old", "v1.28.1")
	grpcPort := corev1.ServicePort{Name: "grpc", Port: 80, TargetPort: intstr.FromInt32(9000)}
	c.service(t, "greeter", false, grpcPort)
	c.service(t, "ledger", true, grpcPort)
	c.service(t, "cart", true, corev1.ServicePort{Name: "grpc", Port: 9000}, corev1.ServicePort{Name: "metrics", Port: 9090})
	c.create(t, "balancing", balanced(t, "web", "greeter:80"))
	c.create(t, "balancing", balanced(t, "report", "ledger:80"))
	c.create(t, "balancing", balanced(t, "shop", "cart:9000,api.example.com.:443"))
	c.create(t, "balancing", balanced(t, "lost", "nobody:9000"))
	_, err := c.client.CoreV1().ConfigMaps("kube-system").Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "coredns"}, Data: map[string]string{"Corefile": corefile}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.client.CoreV1().ConfigMaps("kube-system").Delete(ctx, "coredns", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	c.install(t, startWebhook(t))
	c.waitCalled(t, "balancing")
	c.patchNamespace(t, "balancing", func(n *corev1.Namespace) { n.Labels["istio-injection"] = "enabled" })
	// A live Pod that asks too late.
	c.nextSecond(t)
	asks := c.create(t, "balancing", legacy("asks", "x"))
	asks.Annotations[sidecar.UpstreamsAnnotation] = "cart:9000"
	if _, err := c.client.CoreV1().Pods("balancing").Update(t.Context(), asks, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	// Pods that ask where nobody listens, and where one only looks.
	c.served(t, "watched-clients", "audit")
	c.namespace(t, "unlabelled", nil)
	t.Cleanup(func() { c.empty(t, "unlabelled") })
	for _, namespace := range []string{"unlabelled", "watched-clients", "kube-system"} {
		pod := legacy("asks", "x", func(p *corev1.Pod) {
			p.Annotations = map[string]string{sidecar.UpstreamsAnnotation: "cart.balancing:9000"}
		})
		c.create(t, namespace, pod)
	}
	t.Cleanup(func() {
		if err := c.client.CoreV1().Pods("kube-system").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	})

	results := c.diagnose(t, 2)
	verdict(t, results, "lb-upstreams", checks.Failed,
		"balancing deployment/web: the Service balancing/greeter has a cluster IP", "greeter.balancing:80=greeter-headless.balancing:9000",
		"balancing deployment/lost: the Service balancing/nobody of upstream nobody.balancing is not there", "clusterIP: None", "name: greeter-headless")
	verdict(t, results, "lb-ports", checks.Failed,
		"upstream ledger.balancing:80 dials port 80 of the Pods behind the headless Service balancing/ledger, which leads to 9000",
		"ledger.balancing:80=ledger.balancing:9000", "captures the name balancing/cart on all ports, and the Service's 9090 lead nowhere")
	verdict(t, results, "dns-caches", checks.OK, "coredns keeps answers for up to 30s", "after up to 37s", "preStop")
	verdict(t, results, "kubelets", checks.Failed, "Nodes older than 1.29: old")
	verdict(t, results, "lb-sidecars", checks.Failed, "deployment/web has the sidecar in a namespace that Istio injects into")
	verdict(t, results, "lb-missed", checks.Failed, "balancing deployment/asks: 1 Pod without the sidecar",
		"Namespace unlabelled has no label probeshift.dev/webhook; 1 Pod without the sidecar: deployment/asks",
		"kubectl label namespace unlabelled probeshift.dev/webhook=enabled", "kubectl -n unlabelled rollout restart deployment/asks",
		"Namespace watched-clients is only audited", "Namespace kube-system is never served")

	// What is to be applied can be, and is what was missing.
	var twin corev1.Service
	if err := yaml.UnmarshalStrict([]byte(results["lb-upstreams"].Apply), &twin); err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.CoreV1().Services(twin.Namespace).Create(t.Context(), &twin, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.create(t, "balancing", balanced(t, "cured", "greeter:80=greeter-headless:9000"))
	if found := strings.Join(c.diagnose(t, 2)["lb-upstreams"].Found, "\n"); strings.Contains(found, "cured") {
		t.Errorf("the remedy is no remedy: %s", found)
	}
}
