package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/sidecar"
)

// frontend is a Pod that listens on the port that it dials.
func frontend(environment ...corev1.EnvVar) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "frontend", Namespace: namespace, Annotations: map[string]string{
			sidecar.UpstreamsAnnotation: "cart=cart-pods:8080\ngreeter:9000\n",
		}},
		Spec: corev1.PodSpec{DNSPolicy: corev1.DNSClusterFirst, Containers: []corev1.Container{{
			Name: "app", Env: environment, Ports: []corev1.ContainerPort{{ContainerPort: 8080}},
		}}},
	}
}

func TestAnApplicationDialsWhatItsPatchedPodSays(t *testing.T) {
	a, err := newApplication(frontend(
		corev1.EnvVar{Name: "PORT", Value: "8080"},
		corev1.EnvVar{Name: "CART_HOST", Value: "cart.shop"},
		corev1.EnvVar{Name: "CART", Value: "$(CART_HOST):8080"},
		corev1.EnvVar{Name: "GREETER", Value: "greeter:9000"},
	), sidecar.DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	want := []dialled{{service: "cart-pods", address: "cart.shop:25000"}, {service: "greeter", address: "greeter:9000"}}
	if diff := cmp.Diff(want, a.upstreams, cmp.AllowUnexported(dialled{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]int{8080}, a.ports()); diff != "" {
		t.Errorf("ports, -want +got:\n%s", diff)
	}
}

func TestAnUpstreamThatNoVariableHoldsIsAnError(t *testing.T) {
	_, err := newApplication(frontend(corev1.EnvVar{Name: "CART", Value: "cart:8080"}), sidecar.DefaultPolicy())
	if err == nil || !strings.Contains(err.Error(), "greeter") {
		t.Errorf("error %v, want one that names greeter", err)
	}
}
