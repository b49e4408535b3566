package discovery_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/probeshift/probeshift/pkg/discovery"
	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

func TestAnEmptyAssignmentTakesBackWhatWasSaidOfAName(t *testing.T) {
	name := resource.Name{Namespace: "shop", Service: "greeter", Port: 9000, Zone: "zone-a"}
	empty := discovery.Empty(name)
	if err := empty.ValidateAll(); err != nil {
		t.Error(err)
	}
	if len(members(empty)) != 0 || empty.GetClusterName() != "shop/greeter:9000@zone-a" {
		t.Errorf("Empty = %v", empty)
	}
	none := discovery.Assign(name, &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 9000}}}}, nil)
	if diff := cmp.Diff(string(encoded(t, none.Assignment)), string(encoded(t, empty))); diff != "" {
		t.Errorf("a Service without endpoints is told otherwise:\n%s", diff)
	}
}

func TestMissingSlicesArePassedOver(t *testing.T) {
	name := resource.Name{Namespace: "shop", Service: "greeter", Port: 9000}
	service := &corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 9000}}}}
	if got := discovery.Assign(name, service, []*discoveryv1.EndpointSlice{nil}).Verdict.Reason; got != discovery.NoEndpoints {
		t.Errorf("reason = %s, want %s", got, discovery.NoEndpoints)
	}
}

func TestStrippingLeavesWhatIsNeeded(t *testing.T) {
	managed := []metav1.ManagedFieldsEntry{{Manager: "kube-controller-manager"}}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "greeter-abcde", UID: "1", ResourceVersion: "2", ManagedFields: managed,
			Labels:      map[string]string{discoveryv1.LabelServiceName: "greeter", "a": "b"},
			Annotations: map[string]string{"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-02T03:04:05Z"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("grpc"), Port: new(int32(8080)), AppProtocol: new("kubernetes.io/h2c")}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.0.0.1", "10.0.0.2"}, NodeName: new("node-1"), Zone: new("zone-a"), Hostname: new("greeter-0"),
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Name: "greeter-0"},
			Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			Hints: &discoveryv1.EndpointHints{
				ForZones: []discoveryv1.ForZone{{Name: "zone-a"}}, ForNodes: []discoveryv1.ForNode{{Name: "node-1"}},
			},
		}},
	}
	want := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "greeter-abcde", UID: "1", ResourceVersion: "2",
			Labels: map[string]string{discoveryv1.LabelServiceName: "greeter"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("grpc"), Port: new(int32(8080))}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses: []string{"10.0.0.1"}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)},
			Hints: &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "zone-a"}}},
		}},
	}
	if diff := cmp.Diff(want, strip(t, slice)); diff != "" {
		t.Errorf("the slice (-want +got):\n%s", diff)
	}

	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "greeter", ManagedFields: managed, Labels: map[string]string{"a": "b"}},
		Spec: corev1.ServiceSpec{
			ClusterIP: "10.96.0.10", Selector: map[string]string{"app": "greeter"},
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, Ports: []corev1.ServicePort{{Port: 9000}},
			InternalTrafficPolicy: new(corev1.ServiceInternalTrafficPolicyLocal),
		},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "192.0.2.1"}}}},
	}
	wantService := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "greeter"},
		Spec: corev1.ServiceSpec{
			ClusterIP: "10.96.0.10", IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol}, Ports: []corev1.ServicePort{{Port: 9000}},
			InternalTrafficPolicy: new(corev1.ServiceInternalTrafficPolicyLocal),
		},
	}
	if diff := cmp.Diff(wantService, strip(t, service)); diff != "" {
		t.Errorf("the Service (-want +got):\n%s", diff)
	}
}

func TestStrippingLetsOtherObjectsPass(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "greeter-0", Labels: map[string]string{"a": "b"}}}
	if got := strip[runtime.Object](t, pod.DeepCopy()); !cmp.Equal(got, runtime.Object(pod)) {
		t.Errorf("Strip = %v, want %v", got, pod)
	}
	if got, err := discovery.Strip(nil); got != nil || err != nil {
		t.Errorf("Strip(nil) = %v, %v", got, err)
	}
}
