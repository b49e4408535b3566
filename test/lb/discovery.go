package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/test/apiserver"
)

// What the component lb-discovery calls its things.
const (
	discoveryNamespace = "probeshift"
	discoveryService   = "probeshift-discovery"
	discoveryConfigMap = "probeshift-discovery-ca"
	discoveryPort      = 18000
	// Ports of which no backend listens on all addresses.
	metricsPort, healthPort = 18080, 18081
	// checkInterval is the default of --lb-health-check-interval.
	checkInterval = 5 * time.Second
)

// The addresses of the Services, and of the first replica of discovery.
var ( //nolint:gochecknoglobals // constants, which Go has no way to write
	discoveryIP   = netip.MustParseAddr("10.96.0.20")
	greeterIP     = netip.MustParseAddr("10.96.1.1")
	firstReplicas = netip.MustParseAddr("10.244.3.1")
)

// discovery is one replica of it.
type discovery struct {
	address netip.Addr
	process *exec.Cmd
	output  *apiserver.Tail
	ended   chan struct{}
}

// furnishDiscovery starts an API server, a replica of discovery, and makes the
// webhook's policy one of new sidecars that use it.
func (b *bed) furnishDiscovery(ctx context.Context) error {
	// They look for localhost there.
	err := b.writePodFiles(namespace, nil)
	if err != nil {
		return err
	}
	if b.plane, err = startPlane(); err != nil {
		return err
	}
	for _, name := range []string{namespace, discoveryNamespace} {
		made := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if _, err := b.plane.client.CoreV1().Namespaces().Create(ctx, made, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	b.xds = &service{bed: b, name: discoveryService, namespace: discoveryNamespace, ip: discoveryIP, port: discoveryPort}
	if err := b.xds.create(ctx); err != nil {
		return err
	}
	d, err := b.startDiscovery(ctx)
	if err != nil {
		return err
	}
	if err := d.waitReady(ctx); err != nil {
		return err
	}
	if err := b.xds.lead(ctx, d.target()); err != nil {
		return err
	}
	return b.followDiscovery(ctx)
}

// startDiscovery starts a replica at an address of its own. It is not ready yet,
// and nobody is led to it.
func (b *bed) startDiscovery(ctx context.Context) (*discovery, error) {
	address := firstReplicas
	if n := len(b.discoveries); n > 0 {
		address = b.discoveries[n-1].address.Next()
	}
	if err := ip(ctx, "addr", "add", address.String()+"/32", "dev", "lo"); err != nil {
		return nil, err
	}
	d := &discovery{address: address}
	b.discoveries = append(b.discoveries, d)
	err := d.start(ctx, b)
	return d, err
}

// start starts the process, for the first time or again.
func (d *discovery) start(ctx context.Context, b *bed) error {
	d.process = exec.CommandContext(ctx, b.webhook,
		"--run=discovery", "--kubeconfig", b.plane.kubeconfig, "--namespace", discoveryNamespace,
		"--bind-address", d.address.String(), "--discovery-port", strconv.Itoa(discoveryPort),
		"--metrics-bind-address", d.at(metricsPort), "--health-probe-bind-address", d.at(healthPort), "--log-format=text")
	d.process.Env = append(os.Environ(), "POD_IP="+d.address.String())
	var err error
	if d.output, d.ended, err = launch(d.process); err != nil {
		return fmt.Errorf("starting discovery: %w", err)
	}
	return nil
}

// at is one of its addresses.
func (d *discovery) at(port int) string {
	return net.JoinHostPort(d.address.String(), strconv.Itoa(port))
}

// target is where sidecars reach it.
func (d *discovery) target() string { return d.at(discoveryPort) }

// waitReady waits until it is ready, as its readiness probe would see it.
func (d *discovery) waitReady(ctx context.Context) error {
	const limit = time.Minute
	_, err := until(ctx, limit, func() bool {
		select {
		case <-d.ended:
			return true
		default:
			return statusOf(ctx, "http://"+d.at(healthPort)+"/readyz") == http.StatusOK
		}
	})
	if err != nil {
		return fmt.Errorf("discovery is not ready %w: %s", err, d.output)
	}
	select {
	case <-d.ended:
		return fmt.Errorf("discovery ended: %s", d.output)
	default:
		return nil
	}
}

// signal sends a signal. After one that ends it, it waits for that.
func (d *discovery) signal(ctx context.Context, s syscall.Signal) error {
	const limit = 30 * time.Second
	if err := d.process.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if s != syscall.SIGKILL && s != syscall.SIGTERM {
		return nil
	}
	select {
	case <-d.ended:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("discovery still runs %s after %s: %s", limit, s, d.output)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// revive starts a replica that has ended again, and waits until it is ready.
func (d *discovery) revive(ctx context.Context, b *bed) error {
	if err := d.start(ctx, b); err != nil {
		return err
	}
	return d.waitReady(ctx)
}

// followDiscovery takes the certificate that discovery publishes and has new
// sidecars use it, as the webhook does.
func (b *bed) followDiscovery(ctx context.Context) error {
	const limit = 10 * time.Second
	var certificate string
	_, err := until(ctx, limit, func() bool {
		published, err := b.plane.client.CoreV1().ConfigMaps(discoveryNamespace).Get(ctx, discoveryConfigMap, metav1.GetOptions{})
		if err == nil {
			certificate = published.Data["ca.crt"]
		}
		return certificate != ""
	})
	if err != nil {
		return fmt.Errorf("discovery has published no certificate %w: %s", err, b.discoveries[0].output)
	}
	server := discoveryService + "." + discoveryNamespace + ".svc"
	b.policy.Discovery = &sidecar.Discovery{
		Host: server + "." + clusterDomain + ".", Port: discoveryPort, ServerName: server,
		CA: certificate, CheckInterval: checkInterval,
	}
	return nil
}

// withoutDiscovery is the policy of a webhook without --lb-discovery.
func (b *bed) withoutDiscovery() sidecar.Policy {
	policy := b.policy
	policy.Discovery = nil
	return policy
}
