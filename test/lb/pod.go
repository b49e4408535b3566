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
	patched, size, err := patch(a)
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

// patch is a client's Pod after the webhook, and the size of the patch in bytes.
func patch(a annotations) (patched *corev1.Pod, size int, err error) {
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
	result := sidecar.Inject(written, namespace, sidecar.DefaultPolicy())
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
