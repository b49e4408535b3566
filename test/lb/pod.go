package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// clusterDomain is the cluster's.
const clusterDomain = "cluster.local"

// annotations are those of a Pod, without the prefix.
type annotations map[string]string

// upstreams are annotations that ask for these and for nothing else.
func upstreams(list ...string) annotations {
	return annotations{"upstreams": strings.Join(list, ",")}
}

// with adds an annotation.
func (a annotations) with(key, value string) annotations {
	a[key] = value
	return a
}

// startPod has a Pod with these annotations patched and its sidecar started,
// and waits until the application could start.
func (b *bed) startPod(ctx context.Context, a annotations) (*pod, error) {
	patched, size, err := patch(a, b.policy)
	if err != nil {
		return nil, err
	}
	p, err := b.run(ctx, patched)
	if err != nil {
		return nil, err
	}
	p.patchSize = size
	err = p.waitStarted(ctx)
	return p, err
}

// startPodBeside starts another Pod beside the first, with an address of its own.
// What it dials must be a port of its own: the loopback addresses of its names
// are the first Pod's too.
func (b *bed) startPodBeside(ctx context.Context, a annotations, policy sidecar.Policy) (*pod, error) {
	patched, size, err := patch(a, policy)
	if err != nil {
		return nil, err
	}
	if b.zone != "" {
		// What the API server does when the Pod is bound to a node.
		metav1.SetMetaDataLabel(&patched.ObjectMeta, corev1.LabelTopologyZone, b.zone)
	}
	p := &pod{Pod: patched, sidecar: patched.Spec.InitContainers[0], ip: b.pods[len(b.pods)-1].ip.Next(), patchSize: size}
	if err := ip(ctx, "addr", "add", p.ip.String()+"/32", "dev", "lo"); err != nil {
		return nil, err
	}
	b.pods = append(b.pods, p)
	if err := p.start(ctx); err != nil {
		return nil, err
	}
	err = p.waitStarted(ctx)
	return p, err
}

// patch is a client's Pod after the webhook, and the size of the patch in bytes.
func patch(a annotations, policy sidecar.Policy) (patched *corev1.Pod, size int, err error) {
	written := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Name: "client", Namespace: namespace, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			DNSPolicy:  corev1.DNSClusterFirst,
			Containers: []corev1.Container{{Name: "client", Image: "registry.example/client:v1"}},
		},
	}
	for key, value := range a {
		written.Annotations["lb.probeshift.dev/"+key] = value
	}
	return inject(written, policy)
}

// inject is a Pod after the webhook, and the size of the patch in bytes.
func inject(written *corev1.Pod, policy sidecar.Policy) (patched *corev1.Pod, size int, err error) {
	result := sidecar.Inject(written, written.Namespace, policy)
	if len(result.Operations) == 0 {
		return nil, 0, fmt.Errorf("the Pod is not patched: %s %s %w", result.Outcome, result.Message(), result.Err)
	}
	operations, err := json.Marshal(result.Operations)
	if err != nil {
		return nil, 0, err
	}
	object, err := json.Marshal(written)
	if err != nil {
		return nil, 0, err
	}
	if object, err = sidecar.Apply(object, result.Operations); err != nil {
		return nil, 0, err
	}
	patched = new(corev1.Pod)
	return patched, len(operations), json.Unmarshal(object, patched)
}
