package envoy

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	promclient "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/probeshift/probeshift/cmd/webhook/server"
	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
	"github.com/probeshift/probeshift/test/apiserver"
)

// openPlane runs discovery and the webhook, as they are, beside a real API server:
// a discovery that serves, with a certificate for an hour, and one that cannot
// reach its API server, so it never becomes ready; and a webhook that looks for
// discovery's CA where there is none. A sidecar asks the first for a Service with
// Pods and for one without; another asks somebody whom it does not trust. It
// returns all their metrics.
func openPlane(t *testing.T, other *discovery) []target {
	t.Helper()
	ctrllog.SetLogger(logr.Discard())
	api, err := apiserver.Start(apiserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := api.Stop(); err != nil {
			t.Error(err)
		}
	})
	client, err := kubernetes.NewForConfig(api.Config)
	if err != nil {
		t.Fatal(err)
	}
	createServices(t, client)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := api.WriteKubeconfig(kubeconfig); err != nil {
		t.Fatal(err)
	}

	address := listenAt(t, "127.0.50.2")
	serves := runProgram(t, kubeconfig, "--run=discovery", "--bind-address="+address.Addr().String(),
		"--discovery-port="+portOf(address), "--discovery-leaf-life=1h")
	webhook := runProgram(t, kubeconfig, "--lb-discovery", "--namespace=elsewhere", "--bind-address=127.0.0.1",
		"--port="+portOf(listenAt(t, "127.0.0.1")))

	policy := envoy.Discovery{
		Host: discoveryName + ".cluster.local.", Port: address.Port(), ServerName: discoveryName,
		CA: publishedCA(t, client), CheckInterval: 5 * time.Second,
	}
	asks := startAsking(t, policy, address.Addr())
	changePods(t, client)
	policy.Port = other.at.Port()
	mistrusts := startAsking(t, policy, other.at.Addr())
	waits := runProgram(t, unreachable(t), "--run=discovery", "--bind-address=127.0.0.1", "--discovery-port="+portOf(listenAt(t, "127.0.0.1")))
	return []target{
		{"probeshift/probeshift-discovery", serves, "probeshift", "discovery-1"},
		{"probeshift/probeshift-discovery", waits, "probeshift", "discovery-2"},
		{"probeshift/probeshift-webhook", webhook, "elsewhere", "webhook-1"},
		sidecarTarget(asks, "plane", "client-3"),
		sidecarTarget(mistrusts, "plane", "client-4"),
	}
}

// runProgram runs the webhook's program with these flags until the test ends, and
// returns the URL of its metrics.
func runProgram(t *testing.T, kubeconfig string, flags ...string) string {
	t.Helper()
	options := server.NewOptions(func(string) string { return "" })
	flags = append(flags, "--kubeconfig="+kubeconfig, "--metrics-bind-address=0", "--health-probe-bind-address=0")
	set := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	groups := options.Flags()
	for _, group := range groups.FlagSets {
		set.AddFlagSet(group)
	}
	if err := set.Parse(flags); err != nil {
		t.Fatal(err)
	}
	registry := promclient.NewRegistry()
	config, err := server.LoadConfig(options, registry)
	if err != nil {
		t.Fatal(err)
	}
	program, err := server.Setup(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- program.Start(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the program with %q: %v", flags, err)
		}
	})
	metrics := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(metrics.Close)
	return metrics.URL + "/metrics"
}

// unreachable is a kubeconfig of an API server that is not there.
func unreachable(t *testing.T) string {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["away"] = &clientcmdapi.Cluster{Server: "https://" + listenAt(t, "127.0.0.1").String()}
	config.Contexts["away"] = &clientcmdapi.Context{Cluster: "away"}
	config.CurrentContext = "away"
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func portOf(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }

// createServices creates greeter.shop, which has a Pod, and empty.shop, which has
// none.
func createServices(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	for _, name := range []string{"probeshift", "shop"} {
		if _, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"greeter", "empty"} {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "grpc", Port: 9000}}},
		}
		if _, err := client.CoreV1().Services("shop").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.DiscoveryV1().EndpointSlices("shop").Create(t.Context(), slice(1), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// slice is greeter's, with so many Pods.
func slice(pods int) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "greeter-1", Labels: map[string]string{discoveryv1.LabelServiceName: "greeter"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("grpc"), Port: new(int32(9000))}},
	}
	for i := range pods {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{Addresses: []string{fmt.Sprintf("192.0.2.%d", i+1)}})
	}
	return s
}

// changePods has greeter's Pods come and go each second, until the test ends.
func changePods(t *testing.T, client kubernetes.Interface) {
	t.Helper()
	var changes sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(func() {
		stop()
		changes.Wait()
	})
	changes.Go(func() {
		for pods := 1; ctx.Err() == nil; pods = 3 - pods {
			// Another second, another try.
			_, _ = client.DiscoveryV1().EndpointSlices("shop").Update(ctx, slice(pods), metav1.UpdateOptions{})
			time.Sleep(time.Second)
		}
	})
}

// publishedCA waits for the certificates that sidecars have to trust.
func publishedCA(t *testing.T, client kubernetes.Interface) string {
	t.Helper()
	var ca string
	answerAfter(t.Context(), t, "discovery publishes its CA", func() bool {
		config, err := client.CoreV1().ConfigMaps("probeshift").Get(t.Context(), "probeshift-discovery-ca", metav1.GetOptions{})
		if err == nil {
			ca = config.Data["ca.crt"]
		}
		return ca != ""
	})
	return ca
}

// startAsking runs a sidecar of greeter.shop and empty.shop, whose discovery is at
// this address.
func startAsking(t *testing.T, policy envoy.Discovery, at netip.Addr) *proxy {
	t.Helper()
	config := envoy.Config{MetricsPort: uint16(freePort(t, "127.0.0.1").PortValue), Discovery: &policy}
	for _, name := range []string{"greeter", "empty"} {
		config.Upstreams = append(config.Upstreams, envoy.Upstream{
			Name: name + ".shop:9000", Listen: listenAt(t, "127.0.51.2"), Algorithm: envoy.LeastRequest, Protocol: envoy.HTTP, Retries: 5,
			Members: envoy.Members{
				Host: name + ".shop.svc.cluster.local.", Port: 9000, Refresh: time.Second, Resource: "shop/" + name + ":9000",
			},
		})
	}
	b, err := envoy.Bootstrap(config)
	if err != nil {
		t.Fatal(err)
	}
	askNameserver(t, b, nameserver(t, map[string][]netip.Addr{policy.Host: {at}}))
	return start(t, b, "127.0.0.1")
}
