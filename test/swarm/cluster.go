package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/probeshift/probeshift/test/apiserver"
)

const (
	// shop is the namespace of the Services, system that of discovery.
	shop, system = "shop", "probeshift"
	// sliceSize is how many endpoints Kubernetes puts into one slice.
	sliceSize = 100
	// largeSize is how many endpoints the large Service has.
	largeSize = 500
	port      = 9000
)

// cluster is a real API server with Services and hand-made slices: no controller
// runs there.
type cluster struct {
	server     *apiserver.Server
	client     kubernetes.Interface
	kubeconfig string
	// services are all of them, the large one first.
	services []*service
	// next is the number of the next address that nobody has had.
	next int
}

// service is a Service as it is written in the API server.
type service struct {
	name   string
	slices []*discoveryv1.EndpointSlice
}

// newCluster starts an API server with the large Service and so many others.
func newCluster(ctx context.Context, dir string, others int) (*cluster, error) {
	server, err := apiserver.Start(apiserver.Options{})
	if err != nil {
		return nil, err
	}
	c := &cluster{server: server, kubeconfig: filepath.Join(dir, "kubeconfig")}
	if err := c.prepare(ctx, others); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

func (c *cluster) prepare(ctx context.Context, others int) error {
	config := rest.CopyConfig(c.server.Config)
	config.QPS = -1 // no limit of the client's own
	config.WarningHandler = rest.NoWarnings{}
	var err error
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if err := c.server.WriteKubeconfig(c.kubeconfig); err != nil {
		return err
	}
	for _, name := range []string{shop, system} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := c.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create namespace %s: %w", name, err)
		}
	}
	if err := c.add(ctx, "large", largeSize); err != nil {
		return err
	}
	for i := range others {
		if err := c.add(ctx, fmt.Sprintf("service-%02d", i), sliceSize); err != nil {
			return err
		}
	}
	return nil
}

// add creates a Service with so many endpoints.
func (c *cluster) add(ctx context.Context, name string, endpoints int) error {
	_, err := c.client.CoreV1().Services(shop).Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "grpc", Port: port}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create Service %s: %w", name, err)
	}
	s := &service{name: name}
	for at := 0; at < endpoints; at += sliceSize {
		number, portName := int32(port), "grpc"
		slice := &discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{
				Name:   fmt.Sprintf("%s-%d", name, at/sliceSize),
				Labels: map[string]string{discoveryv1.LabelServiceName: name},
			},
			AddressType: discoveryv1.AddressTypeIPv4,
			Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &number}},
		}
		for range min(sliceSize, endpoints-at) {
			slice.Endpoints = append(slice.Endpoints, c.endpoint())
		}
		written, err := c.client.DiscoveryV1().EndpointSlices(shop).Create(ctx, slice, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("create EndpointSlice %s: %w", slice.Name, err)
		}
		s.slices = append(s.slices, written)
	}
	c.services = append(c.services, s)
	return nil
}

// endpoint is a ready endpoint with an address that nobody has had, and with all
// that the controller writes about a Pod.
func (c *cluster) endpoint() discoveryv1.Endpoint {
	address := c.peek()
	c.next++
	yes, no, node, zone := true, false, fmt.Sprintf("node-%d", c.next%50), "zone-a"
	return discoveryv1.Endpoint{
		Addresses:  []string{address},
		Conditions: discoveryv1.EndpointConditions{Ready: &yes, Serving: &yes, Terminating: &no},
		NodeName:   &node,
		Zone:       &zone,
		TargetRef: &corev1.ObjectReference{
			Kind: "Pod", Namespace: shop, Name: fmt.Sprintf("pod-5d4f8c7b9-%05d", c.next), UID: "3f0c2f5e-7d0f-4d57-9d3f-0a4a5b9e5c11",
		},
	}
}

// peek is the address that comes next. It is greater than all before.
func (c *cluster) peek() string {
	return fmt.Sprintf("10.%d.%d.%d", 64+c.next>>16, c.next>>8&255, c.next&255)
}

// replace replaces endpoints of a Service, from the first-th on, by new ones.
func (c *cluster) replace(ctx context.Context, s *service, first, count int) error {
	changed := map[int]bool{}
	for i := first; i < first+count; i++ {
		at := i / sliceSize % len(s.slices)
		s.slices[at].Endpoints[i%sliceSize] = c.endpoint()
		changed[at] = true
	}
	for at := range s.slices {
		if !changed[at] {
			continue
		}
		written, err := c.client.DiscoveryV1().EndpointSlices(shop).Update(ctx, s.slices[at], metav1.UpdateOptions{})
		if err != nil {
			return fmt.Errorf("write EndpointSlice %s: %w", s.slices[at].Name, err)
		}
		s.slices[at] = written
	}
	return nil
}

// resource is what sidecars ask for.
func (s *service) resource() string { return fmt.Sprintf("%s/%s:%d", shop, s.name, port) }

// addresses are what is so, in order.
func (s *service) addresses() []string {
	var all []string
	for _, slice := range s.slices {
		for i := range slice.Endpoints {
			all = append(all, slice.Endpoints[i].Addresses[0])
		}
	}
	slices.Sort(all)
	return all
}

func (c *cluster) stop() error { return c.server.Stop() }
