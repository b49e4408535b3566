package serve

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
)

// cluster is a cluster's API without a cluster: client-go's fake.
type cluster struct {
	t *testing.T
	*fake.Clientset
}

func newCluster(t *testing.T) *cluster { return &cluster{t, fake.NewClientset()} }

// plain tells informers to list and then to watch: the fake cannot do both at
// once.
type plain struct{}

func (plain) IsWatchListSemanticsUnSupported() bool { return true }

type plainServices struct {
	coreclient.ServicesGetter
	plain
}

type plainSlices struct {
	discoveryclient.EndpointSlicesGetter
	plain
}

// service creates a ClusterIP Service of the namespace shop with a port 9000,
// whose name is grpc.
func (c *cluster) service(name string) {
	c.t.Helper()
	_, err := c.CoreV1().Services("shop").Create(c.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec: corev1.ServiceSpec{
			ClusterIP:  "10.96.0.1",
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports:      []corev1.ServicePort{{Name: "grpc", Port: 9000}},
		},
	}, metav1.CreateOptions{})
	c.must(err)
}

func (c *cluster) noService(name string) {
	c.t.Helper()
	c.must(c.CoreV1().Services("shop").Delete(c.t.Context(), name, metav1.DeleteOptions{}))
}

// slice creates or replaces a slice of a Service with ready endpoints.
func (c *cluster) slice(service, name string, addresses ...string) {
	c.t.Helper()
	var endpoints []discoveryv1.Endpoint
	for _, address := range addresses {
		endpoints = append(endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
	}
	c.put(service, name, endpoints...)
}

// put creates or replaces a slice of a Service.
func (c *cluster) put(service, name string, endpoints ...discoveryv1.Endpoint) {
	c.t.Helper()
	port, portName := int32(9000), "grpc"
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name,
			Labels: map[string]string{discoveryv1.LabelServiceName: service},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &port}},
		Endpoints:   endpoints,
	}
	slices := c.DiscoveryV1().EndpointSlices("shop")
	if _, err := slices.Get(c.t.Context(), name, metav1.GetOptions{}); err == nil {
		_, err = slices.Update(c.t.Context(), slice, metav1.UpdateOptions{})
		c.must(err)
		return
	}
	_, err := slices.Create(c.t.Context(), slice, metav1.CreateOptions{})
	c.must(err)
}

func (c *cluster) noSlice(name string) {
	c.t.Helper()
	c.must(c.DiscoveryV1().EndpointSlices("shop").Delete(c.t.Context(), name, metav1.DeleteOptions{}))
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

// pods are so many addresses from the first on.
func pods(first, count int) []string {
	var addresses []string
	for i := first; i < first+count; i++ {
		addresses = append(addresses, fmt.Sprintf("10.244.%d.%d", i/250, i%250+1))
	}
	return addresses
}
