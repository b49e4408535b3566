package doctor

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// follower is a running Pod of the workload "web" in the namespace shop as the
// webhook injects it, with discovery unless it is nil.
func follower(t *testing.T, upstreams string, discovery *sidecar.Discovery) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web", Labels: map[string]string{"app": "web"},
			Annotations: map[string]string{sidecar.UpstreamsAnnotation: upstreams},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "server", Image: "registry.example/web"}}},
	}
	text, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	policy := sidecar.DefaultPolicy()
	policy.Discovery = discovery
	result := sidecar.Inject(pod, "shop", policy)
	if len(result.Operations) == 0 {
		t.Fatalf("not injected: %+v", result)
	}
	if text, err = sidecar.Apply(text, result.Operations); err != nil {
		t.Fatal(err)
	}
	var injected corev1.Pod
	if err := json.Unmarshal(text, &injected); err != nil {
		t.Fatal(err)
	}
	injected.Status.Phase = corev1.PodRunning
	return &injected
}

// served is how sidecars reach discovery.
func served(ca []byte) *sidecar.Discovery {
	return &sidecar.Discovery{
		Host: "probeshift-discovery.probeshift.svc.cluster.local.", Port: 18000,
		ServerName: "probeshift-discovery.probeshift.svc", CA: string(ca), CheckInterval: 5 * time.Second,
	}
}

// authorityNow is a certificate that is valid at noon.
func authorityNow(t *testing.T) []byte {
	t.Helper()
	return authority(t, noon.Add(-time.Hour), noon.Add(time.Hour))
}

// withDiscovery makes a cluster in which discovery runs and is used.
func withDiscovery(f *Facts) {
	labels := map[string]string{"app.kubernetes.io/name": "probeshift", "app.kubernetes.io/component": "discovery"}
	webhook := map[string]string{"app.kubernetes.io/component": "webhook"}
	deployment := func(name string, labels map[string]string, args ...string) appsv1.Deployment {
		d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "probeshift", Name: name}}
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: labels}
		d.Spec.Template.Labels = labels
		d.Spec.Template.Spec.Containers = []corev1.Container{{Args: args, Ports: []corev1.ContainerPort{{Name: "xds", ContainerPort: 18000}}}}
		d.Status.ReadyReplicas = 1
		return d
	}
	f.Service.Value = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "probeshift", Name: "probeshift-webhook"}, Spec: corev1.ServiceSpec{Selector: webhook},
	}
	f.Deployments.Value = []appsv1.Deployment{
		deployment("probeshift-webhook", webhook, "--lb-discovery=true"),
		deployment("probeshift-discovery", labels, "--run=discovery"),
	}
	f.Namespaces.Value = append(f.Namespaces.Value, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "probeshift", Labels: map[string]string{"kubernetes.io/metadata.name": "probeshift"},
	}})
	f.Discovery.Streams.Value = map[string]int{"probeshift-discovery-a": 1}
}

func TestWhatASidecarAsksForIsReadFromItsArguments(t *testing.T) {
	ca := authorityNow(t)
	f := facts(t)
	f.Pods.Value.Add(follower(t, "greeter:9000,ledger.bank:5432,api.example.com.:443", served(ca)))
	f.Pods.Value.Add(follower(t, "greeter:9000,ledger.bank:5432,api.example.com.:443", served(ca)))
	if len(f.Pods.Value.Balanced) != 1 {
		t.Fatalf("Pods that are alike are kept apart: %v", f.Pods.Value.Balanced)
	}
	for _, b := range f.Pods.Value.Balanced {
		want := &Following{
			Names: []resource.Name{
				{Namespace: "shop", Service: "greeter", Port: 9000},
				{Namespace: "bank", Service: "ledger", Port: 5432},
			},
			Service: ServiceName{Namespace: "probeshift", Name: "probeshift-discovery"}, Port: 18000, CA: string(ca),
		}
		if diff := cmp.Diff(want, b.Following); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if b.Running != 2 {
			t.Errorf("%d running Pods, want 2", b.Running)
		}
	}
	want := Followed{
		Services:  []ServiceName{{Namespace: "bank", Name: "ledger"}, {Namespace: "shop", Name: "greeter"}},
		Clients:   []string{"shop"},
		Discovery: "probeshift",
	}
	if diff := cmp.Diff(want, f.Pods.Value.Followed()); diff != "" {
		t.Errorf("what is to be read (-want +got):\n%s", diff)
	}
	f = facts(t)
	f.Pods.Value.Add(follower(t, "greeter:9000", nil))
	if diff := cmp.Diff(Followed{}, f.Pods.Value.Followed()); diff != "" {
		t.Errorf("of a sidecar that works from DNS (-want +got):\n%s", diff)
	}
	for _, text := range []string{"", "{", "[]", `{"static_resources":{"clusters":[{"eds_cluster_config":{"service_name":"*"}}]}}`} {
		if got := readFollowing(text); got != nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestDiscoverysOwnVerdictIsToldOfEachUpstream(t *testing.T) {
	name := ServiceName{Namespace: "shop", Name: "greeter"}
	service := func(change ...func(*corev1.ServiceSpec)) *corev1.Service {
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "greeter"}}
		s.Spec.ClusterIP, s.Spec.Ports = "10.96.0.10", []corev1.ServicePort{{Name: "grpc", Port: 9000}}
		for _, c := range change {
			c(&s.Spec)
		}
		return s
	}
	slice := func(kind discoveryv1.AddressType, port string, address string, ready bool) []*discoveryv1.EndpointSlice {
		return []*discoveryv1.EndpointSlice{{
			ObjectMeta:  metav1.ObjectMeta{Namespace: "shop", Name: "greeter-a", Labels: map[string]string{discoveryv1.LabelServiceName: "greeter"}},
			AddressType: kind,
			Ports:       []discoveryv1.EndpointPort{{Name: &port, Port: new(int32(8080))}},
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
		}}
	}
	healthy := slice(discoveryv1.AddressTypeIPv4, "grpc", "10.0.0.1", true)
	headless := func(s *corev1.ServiceSpec) { s.ClusterIP = corev1.ClusterIPNone }
	local := corev1.ServiceInternalTrafficPolicyLocal
	for what, tc := range map[string]struct {
		service *corev1.Service
		slices  []*discoveryv1.EndpointSlice
		verdict Verdict
		says    string
	}{
		"a Service with endpoints": {service(), healthy, OK, "The one upstream that is followed has endpoints"},
		"no Service":               {nil, healthy, Failed, "there is no Service shop/greeter"},
		"no such port": {service(func(s *corev1.ServiceSpec) { s.Ports[0].Port = 80 }), healthy, Failed,
			"9000 is no TCP port of the Service, which has 80"},
		"Pods without the port": {service(), slice(discoveryv1.AddressTypeIPv4, "http", "10.0.0.1", true), Failed, `named "grpc"`},
		"an external name": {service(func(s *corev1.ServiceSpec) {
			s.Type, s.ClusterIP, s.ExternalName = corev1.ServiceTypeExternalName, "", "greeter.example.com"
		}), nil, OK, "of type ExternalName"},
		"names in the slices": {service(), slice(discoveryv1.AddressTypeFQDN, "grpc", "greeter.example.com", true), OK, "hold names in place of addresses"},
		"a port of a headless Service that its Pods do not have": {service(headless), healthy, Failed,
			"which listen on 8080: DNS does not lead from one to the other, and a sidecar that starts while discovery is away reaches nobody"},
		"no endpoints":              {service(), nil, OK, "the Service has no endpoints"},
		"none that is ready":        {service(), slice(discoveryv1.AddressTypeIPv4, "grpc", "10.0.0.1", false), OK, "none of 1 endpoints is ready"},
		"endpoints of the node":     {service(func(s *corev1.ServiceSpec) { s.InternalTrafficPolicy = &local }), healthy, OK, "internalTrafficPolicy is Local"},
		"one endpoint for a client": {service(func(s *corev1.ServiceSpec) { s.SessionAffinity = corev1.ServiceAffinityClientIP }), healthy, OK, "sessionAffinity"},
	} {
		t.Run(what, func(t *testing.T) {
			f := facts(t, withDiscovery)
			f.Services.Value = map[ServiceName]*corev1.Service{name: tc.service}
			f.Discovery.Slices.Value = map[ServiceName][]*discoveryv1.EndpointSlice{name: tc.slices}
			f.Pods.Value.Add(follower(t, "greeter:9000", served(authorityNow(t))))
			r := checkFollowed(f)
			if r.Verdict != tc.verdict || !strings.Contains(strings.Join(r.Found, "\n"), tc.says) || (tc.verdict != OK) != (len(r.Remedy) > 0) {
				t.Errorf("%+v", r)
			}
			// DNS has nothing to do with it.
			if r := checkUpstreams(f); r.Verdict != OK {
				t.Errorf("%+v", r)
			}
			if r := checkUpstreamPorts(f); r.Verdict == Failed {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestASidecarByDNSIsToBeMadeAnewWhereDiscoveryIsOn(t *testing.T) {
	service := &corev1.Service{Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.0.10", Selector: map[string]string{"app": "greeter"}, Ports: []corev1.ServicePort{{Port: 9000}},
	}}
	service.Name, service.Namespace = "greeter", "shop"
	for what, tc := range map[string]struct {
		change func(*Facts)
		remedy string
		apply  bool
	}{
		"discovery is on":  {withDiscovery, "Create the Pods of pod/web in shop anew", false},
		"discovery is off": {func(*Facts) {}, "apply the component lb-discovery", true},
	} {
		t.Run(what, func(t *testing.T) {
			f := facts(t, tc.change)
			f.Services.Value = map[ServiceName]*corev1.Service{{Namespace: "shop", Name: "greeter"}: service}
			f.Pods.Value.Add(follower(t, "greeter:9000", nil))
			r := checkUpstreams(f)
			if r.Verdict != Failed || !strings.Contains(strings.Join(r.Remedy, "\n"), tc.remedy) || (r.Apply != "") != tc.apply {
				t.Errorf("%+v", r)
			}
		})
	}
}
