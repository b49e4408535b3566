package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/cert"
)

// tlsProbes proves what becomes of TLS probes, by what the feature gate
// GRPCContainerProbeTLS is in the API server and in the kubelet.
type tlsProbes struct {
	*life
	// inServer and inKubelet say whether the gate is on.
	inServer, inKubelet bool
}

func (p *tlsProbes) steps() []step {
	return []step{
		{"which gates are on", p.gates},
		{"install, with --grpc-probe-tls=never, the default", p.install},
		{"TLS probes stay as they are", p.never},
		{"install the component grpc-probe-tls", p.always},
		{"TLS probes that may become native", p.rewritten},
		{"uninstall", p.remove},
	}
}

// gates finds out what the cluster at hand allows to be proved.
func (p *tlsProbes) gates(ctx context.Context) error {
	mode, service := corev1.GRPCProbeModeTLS, ""
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-tls-"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "server", Image: p.agnhost,
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 5000, Service: &service, Mode: &mode}}},
		}}},
	}
	kept, err := p.client.CoreV1().Pods(metav1.NamespaceDefault).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return fmt.Errorf("dry run of a TLS probe: %w", err)
	}
	p.inServer = kept.Spec.Containers[0].ReadinessProbe.GRPC.Mode != nil
	nodes, err := p.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(nodes.Items) == 0 {
		return errors.New("the cluster has no node")
	}
	p.inKubelet = true
	for _, node := range nodes.Items {
		metrics, err := p.client.CoreV1().RESTClient().Get().Resource("nodes").Name(node.Name).SubResource("proxy").Suffix("metrics").DoRaw(ctx)
		if err != nil {
			return fmt.Errorf("metrics of the kubelet of node %s: %w", node.Name, err)
		}
		p.inKubelet = p.inKubelet && strings.Contains(string(metrics), `kubernetes_feature_enabled{name="GRPCContainerProbeTLS",stage="ALPHA"} 1`)
	}
	onOff := map[bool]string{true: "on", false: "off"}
	fmt.Fprintf(p.screen, "  GRPCContainerProbeTLS is %s in the API server and %s in the kubelets\n", onOff[p.inServer], onOff[p.inKubelet])
	return nil
}

// never deploys TLS probes under the default flags.
func (p *tlsProbes) never(ctx context.Context) error {
	if err := p.kubectl(ctx, "", "create", "namespace", enabledNamespace); err != nil {
		return err
	}
	if err := p.kubectl(ctx, "", "label", "namespace", enabledNamespace, "probeshift.dev/webhook=enabled"); err != nil {
		return err
	}
	certificate, key, err := cert.GenerateSelfSignedCertKey("server", nil, nil)
	if err != nil {
		return err
	}
	if _, err := p.client.CoreV1().Secrets(enabledNamespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "serving"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key},
	}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err := p.apply(ctx, enabledNamespace, "tls.yaml"); err != nil {
		return err
	}
	return p.asExec(ctx)
}

// asExec proves that every probe has stayed exec, and works as such: the server
// with a certificate is Ready, the one without is not.
func (p *tlsProbes) asExec(ctx context.Context) error {
	if err := p.ready(ctx, enabledNamespace, "deployment/respects", "deployment/secure"); err != nil {
		return err
	}
	for _, app := range []string{"respects", "secure", "plain"} {
		if err := p.leftAlone(ctx, app); err != nil {
			return err
		}
	}
	return p.failing(ctx, "plain")
}

// leftAlone proves that a workload's probe is exec, for the reason tls.
func (p *tlsProbes) leftAlone(ctx context.Context, app string) error {
	if err := p.probesAre(ctx, enabledNamespace, app, false); err != nil {
		return err
	}
	status, err := p.statusOf(ctx, enabledNamespace, app)
	if err == nil && !strings.Contains(status, `"reason":"tls"`) {
		return fmt.Errorf("%s was left alone for another reason", app)
	}
	return err
}

// failing waits until a workload's probe has failed, and proves that its Pod is
// not Ready.
func (p *tlsProbes) failing(ctx context.Context, app string) error {
	compare := &comparison{life: p.life}
	if err := eventually(ctx, "the probe of "+app+" fails", func() bool {
		seen, err := compare.hasEvent(ctx, enabledNamespace, app, "Readiness probe failed")
		return err == nil && seen
	}); err != nil {
		return err
	}
	pod, err := p.pod(ctx, enabledNamespace, app)
	if err == nil && isReady(*pod) {
		return fmt.Errorf("pod %s is Ready", pod.Name)
	}
	fmt.Fprintf(p.screen, "  %s/%s: its probe fails\n", enabledNamespace, app)
	return err
}

// always applies the component, and makes the Pods anew.
func (p *tlsProbes) always(ctx context.Context) error {
	dir, err := p.overlay(withTLSProbes)
	if err != nil {
		return err
	}
	if err := p.kubectl(ctx, "", "apply", "-k", dir); err != nil {
		return err
	}
	if err := p.rolledOut(ctx); err != nil {
		return err
	}
	if err := p.noticed(ctx); err != nil {
		return err
	}
	return p.kubectl(ctx, "", "rollout", "restart", "deployment", "-n", enabledNamespace)
}

// noticed waits until every replica has asked the API server whether it keeps
// the mode of a probe. Until then a replica leaves TLS probes alone.
func (p *tlsProbes) noticed(ctx context.Context) error {
	said := "the API server drops mode from grpc probes"
	if p.inServer {
		said = "TLS probes are rewritten"
	}
	if err := eventually(ctx, "every replica says: "+said, func() bool {
		replicas, err := p.client.CoreV1().Pods(webhookNamespace).List(ctx, metav1.ListOptions{})
		if err != nil || len(replicas.Items) != 2 { // old ones still drain
			return false
		}
		for _, replica := range replicas.Items {
			log, err := p.client.CoreV1().Pods(webhookNamespace).GetLogs(replica.Name, &corev1.PodLogOptions{}).DoRaw(ctx)
			if err != nil || !strings.Contains(string(log), said) {
				return false
			}
		}
		return true
	}); err != nil {
		return err
	}
	fmt.Fprintf(p.screen, "  every replica says: %s\n", said)
	return nil
}

// rewritten proves what the new Pods do.
func (p *tlsProbes) rewritten(ctx context.Context) error {
	if _, err := ask(ctx, "", "rollout", "status", "deployment/respects", "-n", enabledNamespace, "--timeout=3m"); err != nil {
		return err
	}
	if !p.inServer {
		fmt.Fprintln(p.screen, "  the API server drops the field, so nothing is rewritten")
		return p.asExec(ctx)
	}
	if err := p.leftAlone(ctx, "respects"); err != nil {
		return err
	}
	for _, app := range []string{"secure", "plain"} {
		if err := p.probesAre(ctx, enabledNamespace, app, true); err != nil {
			return err
		}
		pod, err := p.pod(ctx, enabledNamespace, app)
		if err != nil {
			return err
		}
		if mode := pod.Spec.Containers[0].ReadinessProbe.GRPC.Mode; mode == nil || *mode != corev1.GRPCProbeModeTLS {
			return fmt.Errorf("the probe of %s does not ask for TLS", app)
		}
	}
	if p.inKubelet {
		if err := p.ready(ctx, enabledNamespace, "deployment/secure"); err != nil {
			return err
		}
		fmt.Fprintln(p.screen, "  the kubelet probes with TLS")
		return p.failing(ctx, "plain")
	}
	if err := p.failing(ctx, "secure"); err != nil {
		return err
	}
	if err := p.ready(ctx, enabledNamespace, "deployment/plain"); err != nil {
		return err
	}
	fmt.Fprintln(p.screen, "  the danger: this kubelet probes in plaintext without a word. A healthy server with a certificate is not Ready,\n"+
		"  one without is. This is why --grpc-probe-tls=never is the default.")
	return nil
}

// remove uninstalls the webhook; what the component adds goes with it.
func (p *tlsProbes) remove(ctx context.Context) error {
	dir, err := p.overlay(withTLSProbes)
	if err != nil {
		return err
	}
	return p.uninstallFrom(ctx, dir)
}
