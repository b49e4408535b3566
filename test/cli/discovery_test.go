//go:build linux

package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/yaml"

	checks "github.com/probeshift/probeshift/pkg/doctor"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// doctorOnDiscovery looks at a cluster with the component lb-discovery, as the
// API server has it: the replica of discovery is a listener on this machine.
func doctorOnDiscovery(t *testing.T, c *cluster) {
	c.served(t, "following", "enabled")
	c.install(t, leadingToService(t))
	c.behindService(t, 2, "--lb-discovery=true")
	c.deployment(t, "discovery", 2, "--run=discovery")
	streams := c.replicaOfDiscovery(t)
	now, before := certificate(t), certificate(t)
	c.publish(t, now)

	c.serviceOf(t, "greeter", "", 9000, "grpc", 8080)
	c.serviceOf(t, "ledger", corev1.ClusterIPNone, 9000, "grpc", 8080)
	c.serviceOf(t, "cart", "", 80, "http", 8080)
	follow := func(name, upstreams, ca string) {
		policy := sidecar.DefaultPolicy()
		policy.Discovery = &sidecar.Discovery{
			Host: "probeshift-discovery.probeshift.svc.cluster.local.", Port: 18000,
			ServerName: "probeshift-discovery.probeshift.svc", CA: ca, CheckInterval: 5 * time.Second,
		}
		c.start(t, c.create(t, "following", injected(t, name, upstreams, policy)), "10.0.0.9", true)
	}
	follow("web", "greeter.following:9000", now)
	follow("report", "ledger.following:9000,nobody.following:1,cart.following:9000", now)
	follow("old", "greeter.following:9000", before)

	// Two of three are connected.
	streams.Store(2)
	results := c.diagnose(t, 2)
	verdict(t, results, "lb-discovery", checks.CannotTell, "3 that follow EndpointSlices", "open streams: 2", "envoy_control_plane_connected_state")
	verdict(t, results, "lb-followed", checks.Failed,
		"deployment/report: upstream following/ledger:9000: 9000 is a port of the headless Service and not of its Pods, which listen on 8080",
		"upstream following/nobody:1: there is no Service following/nobody",
		"upstream following/cart:9000: 9000 is no TCP port of the Service, which has 80",
		"Of 5 upstreams that are followed, 3 have endpoints")
	verdict(t, results, "lb-trust", checks.Failed, "deployment/old, 1 Pod: trusts none", "trusted by 2 Pods", "kubectl -n following rollout restart deployment/old")
	verdict(t, results, "lb-egress", checks.OK, "None shuts discovery out")
	if found := strings.Join(results["lb-upstreams"].Found, "\n"); strings.Contains(found, "following") {
		t.Errorf("DNS is held against sidecars that follow EndpointSlices: %s", found)
	}

	streams.Store(3)
	verdict(t, c.diagnose(t, 2), "lb-discovery", checks.OK, "open streams: 3")

	// Somebody who may read everything but what Pods serve.
	c.user(t, "reader", rbacv1.PolicyRule{APIGroups: []string{"*"}, Verbs: []string{"get", "list"}, Resources: []string{
		"namespaces", "nodes", "pods", "services", "configmaps", "deployments", "endpointslices", "networkpolicies", "mutatingwebhookconfigurations",
	}})
	eventually(t, "the rights are in force", func() bool {
		return c.diagnose(t, c.run(t, "doctor", "--as=reader").code, "--as=reader")["lb-trust"].Verdict == checks.Failed
	})
	verdict(t, c.diagnose(t, 2, "--as=reader"), "lb-discovery", checks.OK, "3 that follow EndpointSlices", "somebody who may get pods/proxy")

	c.shutsDiscoveryOut(t)
}

// shutsDiscoveryOut looks at a policy that lets nothing out but DNS, and at the
// one that doctor gives to apply.
func (c *cluster) shutsDiscoveryOut(t *testing.T) {
	t.Helper()
	policies := c.client.NetworkingV1().NetworkPolicies("following")
	udp, port := corev1.ProtocolUDP, intstr.FromInt32(53)
	_, err := policies.Create(t.Context(), &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "dns-alone"},
		Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress:      []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{{Protocol: &udp, Port: &port}}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	results := c.diagnose(t, 2)
	verdict(t, results, "lb-egress", checks.Failed, "Namespace following: no rule of dns-alone leads to discovery (namespace probeshift, port 18000).",
		"sidecars of deployment/old, deployment/report, deployment/web work from DNS")
	var cure networkingv1.NetworkPolicy
	if err := yaml.UnmarshalStrict([]byte(results["lb-egress"].Apply), &cure); err != nil {
		t.Fatal(err)
	}
	if _, err := policies.Create(t.Context(), &cure, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	verdict(t, c.diagnose(t, 2), "lb-egress", checks.OK, "None shuts discovery out")
}

// leadingToService is a configuration that names our Service.
func leadingToService(t *testing.T) *admissionv1.MutatingWebhookConfiguration {
	t.Helper()
	configuration := startWebhook(t)
	path := "/mutate-v1-pod"
	for i := range configuration.Webhooks {
		configuration.Webhooks[i].ClientConfig = admissionv1.WebhookClientConfig{
			Service: &admissionv1.ServiceReference{Namespace: own, Name: "probeshift-webhook", Path: &path},
		}
	}
	return configuration
}

// certificate is one in PEM that signs others.
func certificate(t *testing.T) string {
	t.Helper()
	text, _, err := cert.GenerateSelfSignedCertKey("probeshift-discovery.probeshift.svc", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// publish makes the ConfigMap that discovery writes.
func (c *cluster) publish(t *testing.T, ca string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	published := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "probeshift-discovery-ca"}, Data: map[string]string{"ca.crt": ca}}
	if _, err := c.client.CoreV1().ConfigMaps(own).Create(ctx, published, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.client.CoreV1().ConfigMaps(own).Delete(ctx, published.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
}

// serviceOf makes a Service with a port, and a slice with a Pod behind it whose
// port has this name and number.
func (c *cluster) serviceOf(t *testing.T, name, clusterIP string, port int32, portName string, target int32) {
	t.Helper()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{
		ClusterIP: clusterIP, Ports: []corev1.ServicePort{{Name: portName, Port: port, TargetPort: intstr.FromInt32(target)}},
	}}
	if _, err := c.client.CoreV1().Services("following").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name + "-a", Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &target}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.7"}}},
	}
	if _, err := c.client.DiscoveryV1().EndpointSlices("following").Create(t.Context(), slice, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// replicaOfDiscovery makes a Pod of discovery whose metrics are served on this
// machine, with a number of streams that can be set.
func (c *cluster) replicaOfDiscovery(t *testing.T) *streamGauge {
	t.Helper()
	gauge := &streamGauge{}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(ownAddress(t), "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: gauge, ReadHeaderTimeout: time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	ctx := context.WithoutCancel(t.Context())
	address := listener.Addr().(*net.TCPAddr)
	pod := c.create(t, own, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "probeshift-discovery-a", Labels: componentLabels("discovery")},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64),
			Containers: []corev1.Container{{
				Name: "discovery", Image: "localhost/probeshift/webhook", Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: int32(address.Port)}},
			}},
		},
	})
	c.start(t, pod, address.IP.String(), true)
	t.Cleanup(func() {
		if err := c.client.CoreV1().Pods(own).Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	})
	return gauge
}

// ownAddress is an address of this machine that API servers connect to: they
// refuse Pods on loopback.
func ownAddress(t *testing.T) string {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("this machine has no IPv4 address but loopback's; give it one, for instance by a dummy interface")
	return ""
}

// streamGauge serves the metric of open streams.
type streamGauge struct{ atomic.Int64 }

func (g *streamGauge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/metrics" {
		http.NotFound(w, r)
		return
	}
	_, _ = fmt.Fprintf(w, "# TYPE %[1]s gauge\n%[1]s %[2]d\n", checks.StreamsMetric, g.Load())
}
