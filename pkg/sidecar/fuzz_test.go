package sidecar

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// FuzzUpstreams reads lists of upstreams. What is read must be what an API
// server and Envoy take, and reading must not depend on blanks and separators.
func FuzzUpstreams(f *testing.F) {
	for _, seed := range []string{
		"greeter:9000", "greeter.shop:9000", "a.b.svc:1, c=d.e.:65535", "x:80=y.z.svc.cluster.local:81\nlocalhost:1", "=:", "a=b=c:1", "[::1]:80", "10.0.0.1:1",
		strings.Repeat("a.", 130) + "b:1", "A:1", "a_b:1", "*.a:1", "$(X):1", "a:+1", "a:01",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		upstreams, problems := readUpstreamList(list(value), "shop", "cluster.local")
		for _, u := range upstreams {
			if u.backendPort == 0 || u.dialledPort == 0 {
				t.Errorf("%q: a port is 0: %+v", value, u)
			}
			for _, form := range append(u.dialled.forms("shop"), u.backend.full) {
				if faults := validation.IsDNS1123Subdomain(form); len(faults) > 0 {
					t.Errorf("%q: %q is no host name: %v", value, form, faults)
				}
			}
		}
		for _, p := range problems {
			if p.Text == "" || p.Remedy == "" {
				t.Errorf("%q: a problem without text or remedy: %+v", value, p)
			}
		}
		spread, again := readUpstreamList(list("\n , "+strings.ReplaceAll(value, ",", " ,\r\n")), "shop", "cluster.local")
		if len(spread) != len(upstreams) || len(again) != len(problems) {
			t.Errorf("%q: blanks change it: %v %v", value, spread, again)
		}
	})
}

// FuzzAnnotations gives a Pod a value for any key. Nothing may be patched beside
// a problem, no text may break a line, and our own errors must not come of it.
func FuzzAnnotations(f *testing.F) {
	for _, row := range Annotations() {
		f.Add(row.Key, row.Default)
	}
	f.Add("health-check", "grpc:$(X)")
	f.Add("memory-limit", "1e3")
	f.Add("cpu-limit", "9223372036854775808")
	f.Add("dns-refresh", "1m")
	f.Add("app-ports", "1,2\n3")
	f.Add("retries", "0x5")
	f.Add("memory-limit", "1e2147483647")
	f.Add("cpu-request", "1e-2147483647")
	f.Add("memory-request", "1e-30000000")
	f.Add("upstreams", strings.Repeat("a:1,", 101))
	f.Fuzz(func(t *testing.T, key, value string) {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{UpstreamsAnnotation: "greeter:9000", Prefix + key: value}},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Args: []string{"greeter:9000"}}}},
		}
		r := Inject(pod, "shop", DefaultPolicy())
		if r.Err != nil {
			t.Errorf("%s=%q: %v", key, value, r.Err)
		}
		if (len(r.Problems) > 0) != (r.Outcome == Refused) || (len(r.Operations) > 0) != (r.Outcome == Injected) {
			t.Errorf("%s=%q: outcome %q with problems %v and %d operations", key, value, r.Outcome, r.Problems, len(r.Operations))
		}
		if r.Outcome == Refused && strings.ContainsAny(r.Message(), "\n\r\t") {
			t.Errorf("%s=%q: the message has several lines: %q", key, value, r.Message())
		}
	})
}
