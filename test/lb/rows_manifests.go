package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	examples "github.com/probeshift/probeshift/examples/lb"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// showManifests shows the clients of two known applications as examples/lb has
// them, one after the other: the Pods behind the Services of a file answer, and
// the application listens on every port that its Pod declares.
func showManifests(ctx context.Context, b *bed) error {
	out, err := makeOutside(ctx)
	if err != nil {
		return err
	}
	for _, file := range []string{"emojivoto.yaml", "online-boutique.yaml"} {
		example, err := examples.Read(file)
		if err != nil {
			return err
		}
		servers, err := b.serveServices(ctx, out, example.Services)
		if err != nil {
			return err
		}
		clients := clientsOf(example.Deployments)
		if b.short {
			clients = clients[:1]
		}
		for _, d := range clients {
			a, err := newApplication(examples.Pod(d), b.policy)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			seen, err := b.showApplication(ctx, out, a, servers)
			if err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			b.row(seen.met, fmt.Sprintf("%s: %s, %d upstreams", strings.TrimSuffix(file, ".yaml"), d.Name, len(a.upstreams)),
				"each within 10 % of even, none fails, the app keeps its ports", "%s", strings.Join(seen.parts, ", "))
		}
	}
	return nil
}

// clientsOf are those that have a sidecar.
func clientsOf(all []appsv1.Deployment) []appsv1.Deployment {
	var some []appsv1.Deployment
	for _, d := range all {
		if d.Spec.Template.Annotations[sidecar.UpstreamsAnnotation] != "" {
			some = append(some, d)
		}
	}
	return some
}

// serveServices starts backends for every Service, at its port, and has DNS name
// them. A Service that a file lacks is not known.
func (b *bed) serveServices(ctx context.Context, out *outside, services []corev1.Service) (map[string][]*backend, error) {
	replicas := pick(b, 3, 2)
	servers := map[string][]*backend{}
	for _, s := range services {
		var ports []int
		for _, port := range s.Spec.Ports {
			ports = append(ports, int(port.Port))
		}
		started, err := out.start(ctx, replicas, ports...)
		if err != nil {
			return nil, fmt.Errorf("the Pods of %s: %w", s.Name, err)
		}
		b.names.set(s.Name+"."+s.Namespace+".svc."+clusterDomain+".", addresses(started)...)
		servers[s.Name] = started
	}
	return servers, nil
}

// sight is what was seen of an application, for a cell of the table.
type sight struct {
	met   bool
	parts []string
}

// add adds a part.
func (s *sight) add(met bool, what string, a ...any) {
	s.met = s.met && met
	s.parts = append(s.parts, strings.TrimSpace(fmt.Sprintf(what, a...)))
}

// showApplication starts a Pod's sidecar, then its application, as the kubelet
// does, and stops them the other way round.
func (b *bed) showApplication(ctx context.Context, out *outside, a application, servers map[string][]*backend) (seen sight, err error) {
	p, err := b.run(ctx, a.patched)
	if err != nil {
		return seen, err
	}
	defer p.stop() //nolint:errcheck // what it would leave behind the next one complains about
	if err := p.waitStarted(ctx); err != nil {
		return seen, err
	}
	for _, alias := range p.Spec.HostAliases {
		if err := waitAlias(ctx, alias.Hostnames[0], alias.IP); err != nil {
			return seen, err
		}
	}
	serving, end := context.WithCancel(ctx)
	own, err := listenAndServe(serving, a.written.Name, netip.IPv4Unspecified(), a.ports())
	if err != nil {
		end()
		return seen, fmt.Errorf("%s cannot listen: %w", a.written.Name, err)
	}
	defer func() {
		end()
		if left := own.Wait(); err == nil {
			err = left
		}
	}()
	seen.met = true
	for _, u := range a.upstreams {
		b.showUpstream(ctx, &seen, u, servers[u.service])
	}
	for _, port := range a.ports() {
		who, err := out.ask(ctx, port)
		seen.add(who == a.written.Name, "%d from outside: %s %s", port, who, problemText(err))
	}
	return seen, nil
}

// showUpstream makes calls over the application's one connection to an upstream,
// from its first request on.
func (b *bed) showUpstream(ctx context.Context, seen *sight, u dialled, servers []*backend) {
	calls := pick(b, 4000, 2000)
	connection, err := dial(u.address)
	if err != nil {
		seen.add(false, "%s %v", u.address, err)
		return
	}
	defer hangUp(connection)
	answers, err := collect(ctx, calls, few, func(ctx context.Context, _ int) (string, error) { return callKinds()[0].call(ctx, connection) })
	seen.add(err == nil && answers.even(servers), "%s %s %s", u.address, answers.show(servers), problemText(err))
}

// ask asks who listens on a port of the Pod's address.
func (o *outside) ask(ctx context.Context, port int) (string, error) {
	connection, err := dial(net.JoinHostPort(podIP.String(), strconv.Itoa(port)), grpc.WithContextDialer(o.dial))
	if err != nil {
		return "", err
	}
	defer hangUp(connection)
	return callKinds()[0].call(ctx, connection)
}
