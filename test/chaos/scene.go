package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/probeshift/probeshift/test/chaos/podload"
)

// clients create Pods, at most rate in a second. The load leaves a machine of
// two cores room for what happens beside it.
const (
	clients = 8
	rate    = 80
)

// scene is everything that runs.
type scene struct {
	options    options
	logs       string
	kubeconfig string
	plane      *plane
	failures   *failOpen
	forwarder  *forwarder
	manifests  manifests
	replicas   []*replica
	started    int
	// leafLife is that of the replicas that are started from now on.
	leafLife time.Duration
	load     *podload.Loop
}

// setScene starts the API server, applies the manifests and starts the
// first replicas. The scene that it returns with an error still has to be closed.
func setScene(ctx context.Context, o options, logs string) (*scene, error) {
	s := &scene{options: o, logs: logs, kubeconfig: filepath.Join(logs, "kubeconfig"), leafLife: shortLeafLife}
	log, err := os.Create(filepath.Join(logs, "kube-apiserver-and-etcd.log"))
	if err != nil {
		return s, err
	}
	s.failures = &failOpen{log: log}
	if s.plane, err = newPlane(s.failures); err != nil {
		return s, err
	}
	if s.forwarder, err = newForwarder(ctx); err != nil {
		return s, err
	}
	if s.manifests, err = readManifests(o.manifests, s.forwarder.port()); err != nil {
		return s, err
	}
	if err := s.manifests.apply(ctx, s.plane); err != nil {
		return s, err
	}
	if err := s.writeKubeconfig(ctx); err != nil {
		return s, err
	}
	err = s.scale(ctx, s.events()[0].replicas)
	return s, err
}

// writeKubeconfig writes a kubeconfig with the rights of the webhook's service
// account, and no others.
func (s *scene) writeKubeconfig(ctx context.Context) error {
	token, err := s.plane.client.CoreV1().ServiceAccounts(webhookNamespace).CreateToken(ctx, webhookAccount,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("ask for a token of the webhook's service account: %w", err)
	}
	const name = "webhook"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: s.plane.config.Host, CertificateAuthorityData: s.plane.config.CAData}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token.Status.Token}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	return clientcmd.WriteToFile(*config, s.kubeconfig)
}

// scale starts or stops replicas until there are n, all of them ready.
func (s *scene) scale(ctx context.Context, n int) error {
	for len(s.replicas) > n {
		if err := s.stop(s.replicas[0]); err != nil {
			return err
		}
	}
	for len(s.replicas) < n {
		if _, err := s.startReplica(ctx); err != nil {
			return err
		}
	}
	for _, r := range s.replicas {
		if err := s.waitReady(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// forget drops a replica that has ended.
func (s *scene) forget(r *replica) {
	s.forwarder.remove(r.backend)
	s.replicas = slices.DeleteFunc(s.replicas, func(other *replica) bool { return other == r })
}

// checkProtocol looks whether API server and replicas spoke HTTP/1.1: it was
// all that the API server offered on any connection, and it is what a replica
// chooses even where HTTP/2 is offered as well.
func (s *scene) checkProtocol(ctx context.Context) error {
	s.forwarder.mu.Lock()
	defer s.forwarder.mu.Unlock()
	for protocols := range s.forwarder.offered {
		if protocols != "http/1.1" {
			return fmt.Errorf("a connection of the API server offered %q, not http/1.1 alone", protocols)
		}
	}
	for _, r := range s.replicas {
		dialer := tls.Dialer{Config: &tls.Config{
			ServerName: webhookAccount + "." + webhookNamespace + ".svc",
			NextProtos: []string{"h2", "http/1.1"},
			RootCAs:    s.trusted(ctx),
			MinVersion: tls.VersionTLS13,
		}}
		connection, err := dialer.DialContext(ctx, "tcp", r.backend.address)
		if err != nil {
			return fmt.Errorf("shake hands with %s: %w", r.name, err)
		}
		hangUp(connection)
		if c, ok := connection.(*tls.Conn); !ok || c.ConnectionState().NegotiatedProtocol != "http/1.1" {
			return fmt.Errorf("%s chose another protocol than http/1.1", r.name)
		}
	}
	return nil
}

// trusted is the live caBundle.
func (s *scene) trusted(ctx context.Context) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, bundle := range s.bundles(ctx) {
		pool.AppendCertsFromPEM(bundle)
	}
	return pool
}

// close ends everything. It is no error that a replica, which has nothing to
// finish, is killed.
func (s *scene) close() error {
	var err error
	if s.load != nil {
		s.load.Stop()
	}
	if s.forwarder != nil {
		s.forwarder.close()
	}
	for _, r := range s.replicas {
		err = errors.Join(err, s.kill(r))
	}
	if s.plane != nil {
		err = errors.Join(err, s.plane.stop())
	}
	return err
}
