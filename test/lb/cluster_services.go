package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// discoveryName is the Deployment of the component lb-discovery.
const discoveryName = "probeshift-discovery"

// moreServices are further kinds of Services with the same servers: headless,
// with two ports that lead to named ports of the containers, and without a
// selector, whose two slices name the ADDRESSES by hand.
const moreServices = `apiVersion: v1
kind: Service
metadata: {name: greeter-pods, namespace: shop}
spec:
  clusterIP: None
  selector: {app: greeter}
  ports: [{name: grpc, port: 9000}]
---
apiVersion: v1
kind: Service
metadata: {name: greeter-ports, namespace: shop}
spec:
  selector: {app: greeter}
  ports:
    - {name: first, port: 80, targetPort: grpc}
    - {name: second, port: 81, targetPort: more}
---
apiVersion: v1
kind: Service
metadata: {name: greeter-by-hand, namespace: shop}
spec:
  ports: [{name: grpc, port: 9000}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: greeter-by-hand-1
  namespace: shop
  labels: {kubernetes.io/service-name: greeter-by-hand, endpointslice.kubernetes.io/managed-by: lb}
addressType: IPv4
ports: [{name: grpc, port: 9000, protocol: TCP}]
endpoints: [FIRST]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: greeter-by-hand-2
  namespace: shop
  labels: {kubernetes.io/service-name: greeter-by-hand, endpointslice.kubernetes.io/managed-by: lb}
addressType: IPv4
ports: [{name: grpc, port: 9000, protocol: TCP}]
endpoints: [OTHERS]
`

// showServices shows the spread for each kind of Service.
func (c *cluster) showServices(ctx context.Context) error {
	var pods corev1.PodList
	if err := get(ctx, &pods, "pods", "--selector=app=greeter"); err != nil {
		return err
	}
	var endpoints []string
	for i := range pods.Items {
		endpoints = append(endpoints, fmt.Sprintf("{addresses: [%q]}", pods.Items[i].Status.PodIP))
	}
	filled := strings.NewReplacer("FIRST", endpoints[0], "OTHERS", strings.Join(endpoints[1:], ", ")).Replace(moreServices)
	if _, err := kubectl(ctx, filled, "apply", "-f", "-"); err != nil {
		return err
	}
	servers, err := ready(ctx)
	if err != nil {
		return err
	}
	for i, one := range []struct {
		what, upstreams, target string
		second                  bool
	}{
		{"a headless Service of 3 Pods", "greeter-pods:9000", "greeter-pods:9000", false},
		{"two ports with named target ports: the first", "greeter-ports:80,greeter-ports:81", "greeter-ports:80", false},
		{"two ports with named target ports: the second", "greeter-ports:80,greeter-ports:81", "greeter-ports:81", true},
		{"without a selector, two slices made by hand", "greeter-by-hand:9000", "greeter-by-hand:9000", false},
	} {
		wanted := make([]string, 0, len(servers))
		for _, name := range servers {
			if one.second {
				name += ":9001"
			}
			wanted = append(wanted, name)
		}
		who := caller{name: "client-of-" + strconv.Itoa(i), annotations: upstreams(one.upstreams).with("protocol", "http"), target: one.target}
		if err := c.startClient(ctx, who); err != nil {
			return err
		}
		if err := c.showEvenOver(ctx, who.name, one.what, wanted); err != nil {
			return err
		}
		if _, err := inShop(ctx, "delete", "deployment", who.name, "--wait=false"); err != nil {
			return err
		}
	}
	return nil
}
