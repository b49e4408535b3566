// Package tlsprobes looks whether the API server keeps the field mode of a
// native gRPC probe. Without the feature gate GRPCContainerProbeTLS (KEP-4939)
// it drops the field without a word, and a TLS probe would become one in
// plaintext.
//
// The check is a net below the operator's statement, not a replacement for
// it: whether every kubelet has the gate cannot be seen from the API.
package tlsprobes

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// period is the time between two checks, and retry the time after one
	// that failed.
	period = 10 * time.Minute
	retry  = 30 * time.Second
	// timeout bounds one check.
	timeout = 10 * time.Second
)

// Creator creates Pods in one namespace. The Pods client of client-go is one.
type Creator interface {
	Create(ctx context.Context, pod *corev1.Pod, options metav1.CreateOptions) (*corev1.Pod, error)
}

// Check asks the API server at start and every ten minutes, by a server-side
// dry run. It needs the permission to create Pods in its namespace.
type Check struct {
	pods Creator
	log  logr.Logger
	kept atomic.Bool
}

// New returns a check that has not succeeded yet.
func New(pods Creator, log logr.Logger) *Check {
	return &Check{pods: pods, log: log}
}

// Kept says whether the last check succeeded and found mode kept.
func (c *Check) Kept() bool { return c.kept.Load() }

// Start checks until ctx ends. It returns no error: TLS probes are left alone
// while a check fails, and all others are not concerned.
func (c *Check) Start(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		err := c.ask(ctx)
		c.kept.Store(err == nil)
		if now := text(err); now != said && ctx.Err() == nil {
			c.tell(err)
			said = now
		}
		timer.Reset(next(err))
	}
}

// errDropped means that the API server answered and the field was gone.
var errDropped = errors.New("the API server drops mode from grpc probes: switch the feature gate GRPCContainerProbeTLS on, " +
	"on every API server and kubelet, or use --grpc-probe-tls=never")

// ask makes one check.
func (c *Check) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	pod, err := c.pods.Create(ctx, example(), metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return err
	}
	for _, container := range pod.Spec.Containers {
		probe := container.ReadinessProbe
		if probe != nil && probe.GRPC != nil && probe.GRPC.Mode != nil && *probe.GRPC.Mode == corev1.GRPCProbeModeTLS {
			return nil
		}
	}
	return errDropped
}

// tell logs a change of the answer.
func (c *Check) tell(err error) {
	if err == nil {
		c.log.Info("TLS probes are rewritten: the API server keeps mode of grpc probes")
		return
	}
	c.log.Error(err, "TLS probes are left alone: the check with a server-side dry run did not succeed")
}

// next is the time to the next check. A field that was dropped stays so until
// an API server is restarted; anything else may pass soon.
func next(err error) time.Duration {
	if err != nil && !errors.Is(err, errDropped) {
		return retry
	}
	return period
}

// text tells answers apart. The empty string is no answer yet.
func text(err error) string {
	if err == nil {
		return "kept"
	}
	return err.Error()
}

// example is a Pod with a TLS probe that passes PodSecurity "restricted", so
// that the namespace of the webhook takes it.
func example() *corev1.Pod {
	yes, no, service, mode := true, false, "", corev1.GRPCProbeModeTLS
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "probeshift-tls-check"},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   &yes,
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name:  "check",
				Image: "pause",
				ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
					GRPC: &corev1.GRPCAction{Port: 1, Service: &service, Mode: &mode},
				}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no,
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}
