package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/survey"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// authority is a certificate in PEM that is valid between two times.
func authority(t *testing.T, from, until time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until, IsCA: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// facts are those of a cluster in which nothing is wrong.
func facts(t *testing.T, change ...func(*Facts)) *Facts {
	t.Helper()
	ignore := admissionv1.Ignore
	webhook := func(name, value string) admissionv1.MutatingWebhook {
		return admissionv1.MutatingWebhook{
			Name: name, FailurePolicy: &ignore, ClientConfig: admissionv1.WebhookClientConfig{CABundle: authority(t, noon.Add(-time.Hour), noon.Add(time.Hour))},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{survey.WebhookLabel: value}},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create}, Rule: admissionv1.Rule{Resources: []string{"pods"}},
			}},
		}
	}
	f := &Facts{Now: noon, ConfigurationName: ConfigurationName}
	f.Configurations.Value = []admissionv1.MutatingWebhookConfiguration{{
		ObjectMeta: metav1.ObjectMeta{Name: ConfigurationName, CreationTimestamp: metav1.NewTime(noon.Add(-time.Hour))},
		Webhooks:   []admissionv1.MutatingWebhook{webhook(rewriteEntry, enabled), webhook(auditEntry, audited)},
	}}
	f.Namespaces.Value = []corev1.Namespace{labelled("shop", noon.Add(-time.Minute))}
	f.ServerVersion.Value = "v1.37.0"
	for _, c := range change {
		c(f)
	}
	if f.Pods.Value == nil {
		f.Pods.Value = f.NewPods(mutate.Policy{})
	}
	return f
}

// labelled is a namespace that got its label at a time that is recorded, unless
// it is zero.
func labelled(name string, at time.Time) corev1.Namespace {
	n := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{survey.WebhookLabel: enabled}}}
	if !at.IsZero() {
		fields := metav1.NewFieldsV1(`{"f:metadata":{"f:labels":{"f:` + survey.WebhookLabel + `":{}}}}`)
		when := metav1.NewTime(at)
		n.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl-label", Time: &when, FieldsV1: fields}}
	}
	return n
}

func TestABundleIsReadToItsEnd(t *testing.T) {
	valid := authority(t, noon.Add(-time.Hour), noon.Add(time.Hour))
	expired := authority(t, noon.Add(-2*time.Hour), noon.Add(-time.Hour))
	future := authority(t, noon.Add(time.Hour), noon.Add(2*time.Hour))
	join := func(parts ...[]byte) []byte {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		return all
	}
	for name, tc := range map[string]struct {
		bundle  []byte
		verdict Verdict
		says    string
	}{
		"one that is valid":            {valid, OK, "1 valid"},
		"one beside an expired one":    {join(expired, valid), OK, "1 valid"},
		"none":                         {nil, Failed, "no caBundle"},
		"only expired ones":            {expired, Failed, "has expired or is not valid yet"},
		"only one of tomorrow":         {future, Failed, "has expired or is not valid yet"},
		"no PEM":                       {[]byte("hello"), Failed, "does not parse"},
		"something behind":             {join(valid, []byte("hello")), Failed, "5 bytes are no PEM"},
		"a certificate that is broken": {pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}), Failed, "does not parse"},
	} {
		t.Run(name, func(t *testing.T) {
			r := checkBundle(facts(t, func(f *Facts) { f.Configurations.Value[0].Webhooks[0].ClientConfig.CABundle = tc.bundle }))
			if r.Verdict != tc.verdict || !strings.Contains(strings.Join(r.Found, "\n"), tc.says) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestMeshesComeAfterUs(t *testing.T) {
	mesh := func(name, entry string, resources ...string) func(*Facts) {
		return func(f *Facts) {
			f.Configurations.Value = append(f.Configurations.Value, admissionv1.MutatingWebhookConfiguration{
				ObjectMeta: metav1.ObjectMeta{Name: name},
				Webhooks: []admissionv1.MutatingWebhook{{Name: entry, Rules: []admissionv1.RuleWithOperations{{
					Rule: admissionv1.Rule{Resources: resources},
				}}}},
			})
		}
	}
	for name, tc := range map[string]struct {
		change  func(*Facts)
		verdict Verdict
	}{
		"no mesh":                           {func(*Facts) {}, OK},
		"Istio as it is installed":          {mesh("istio-sidecar-injector", "rev.namespace.sidecar-injector.istio.io", "pods"), OK},
		"Linkerd as it is installed":        {mesh("linkerd-proxy-injector-webhook-config", "linkerd-proxy-injector.linkerd.io", "pods"), OK},
		"Istio under an early name":         {mesh("a-istio", "x", "pods"), Failed},
		"a mesh that only its entry names":  {mesh("acme-injector", "linkerd-proxy-injector.linkerd.io", "*"), Failed},
		"a mesh's webhook for other things": {mesh("a-istio", "x", "gateways"), OK},
		"something else that is early":      {mesh("a-policy", "x", "pods"), OK},
		"nothing of ours":                   {func(f *Facts) { f.Configurations.Value = nil }, CannotTell},
		"unread":                            {func(f *Facts) { f.Configurations.Err = errors.New("no") }, CannotTell},
	} {
		t.Run(name, func(t *testing.T) {
			if r := checkOrder(facts(t, tc.change)); r.Verdict != tc.verdict {
				t.Errorf("%+v", r)
			}
		})
	}
}

// legacy is a Pod with a probe of the tool, created at a time.
func legacy(created time.Time, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", CreationTimestamp: metav1.NewTime(created)},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "server", ReadinessProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"grpc_health_probe", "-addr=:9000"}}},
		}}}},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func TestAPodIsMissedWhenNothingElseExplainsThatItHasNoStatus(t *testing.T) {
	known, unknown := labelled("shop", noon.Add(-time.Minute)), labelled("shop", time.Time{})
	watched := known
	watched.Labels = map[string]string{survey.WebhookLabel: audited}
	for name, tc := range map[string]struct {
		namespace             corev1.Namespace
		pod                   *corev1.Pod
		missed, older, unsure int
	}{
		"created since":                {known, legacy(noon), 1, 0, 0},
		"created before the label":     {known, legacy(noon.Add(-time.Hour)), 0, 1, 0},
		"created in the same second":   {known, legacy(noon.Add(-time.Minute)), 0, 1, 0},
		"of a label without a time":    {unknown, legacy(noon), 0, 0, 1},
		"in an audited namespace":      {watched, legacy(noon), 0, 0, 0},
		"in a namespace of no concern": {labelled("other", noon), legacy(noon), 0, 0, 0},
		"with a status": {known, legacy(noon, func(p *corev1.Pod) {
			p.Annotations = map[string]string{mutate.StatusAnnotation: "{}"}
		}), 0, 0, 0},
		"opted out":               {known, legacy(noon, func(p *corev1.Pod) { p.Labels = map[string]string{survey.WebhookLabel: "disabled"} }), 0, 0, 0},
		"a static Pod":            {known, legacy(noon, func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }), 0, 0, 0},
		"that asks for an audit":  {known, legacy(noon, func(p *corev1.Pod) { p.Annotations = map[string]string{mutate.ProbesAnnotation: "audit"} }), 1, 0, 0},
		"without a probe of ours": {known, legacy(noon, func(p *corev1.Pod) { p.Spec.Containers[0].ReadinessProbe = nil }), 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts(t, func(f *Facts) { f.Namespaces.Value = []corev1.Namespace{tc.namespace} })
			f.Pods.Value.Add(tc.pod)
			p := f.Pods.Value
			if len(p.Missed) != tc.missed || p.Older != tc.older || p.Unsure != tc.unsure {
				t.Errorf("missed %v, older %d, unsure %d", p.Missed, p.Older, p.Unsure)
			}
			want := OK
			switch {
			case tc.missed > 0:
				want = Failed
			case tc.unsure > 0:
				want = CannotTell
			}
			if r := checkMissed(f); r.Verdict != want {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestACorefileTellsHowLongAnswersAreKept(t *testing.T) {
	for name, tc := range map[string]struct {
		corefile string
		want     time.Duration
	}{
		"kubeadm's":                    {".:53 {\n kubernetes cluster.local {\n  ttl 30\n }\n cache 30\n}\n", 30 * time.Second},
		"a cache that is shorter":      {".:53 {\n kubernetes cluster.local {\n  ttl 30\n }\n cache 10\n}\n", 10 * time.Second},
		"a record that is shorter":     {".:53 {\n kubernetes cluster.local\n cache 30\n}\n", 5 * time.Second},
		"a cache without a limit":      {".:53 {\n kubernetes cluster.local {\n  ttl 60\n }\n cache\n}\n", 60 * time.Second},
		"a cache with a block":         {".:53 {\n kubernetes cluster.local {\n  ttl 30\n }\n cache {\n  success 9984 20\n  denial 9984 5\n }\n}\n", 20 * time.Second},
		"no cache":                     {".:53 {\n kubernetes cluster.local {\n  ttl 30\n }\n}\n", 0},
		"a cache in a comment":         {".:53 {\n kubernetes cluster.local {\n  ttl 30\n }\n # cache 30\n}\n", 0},
		"a ttl of another plugin":      {".:53 {\n hosts {\n  ttl 60\n }\n kubernetes cluster.local\n cache 30\n}\n", 5 * time.Second},
		"a ttl behind the right block": {".:53 {\n kubernetes cluster.local {\n  pods insecure\n }\n hosts {\n  ttl 60\n }\n cache 30\n}\n", 5 * time.Second},
		"nothing":                      {"", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := answerKept(tc.corefile); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestVersionsAreReadAsCloudsWriteThem(t *testing.T) {
	for text, want := range map[string]int{"v1.34.2": 34, "v1.29.6-gke.1038001": 29, "v1.30.4-eks-a737599": 30, "v1.37.0-alpha.1+abc": 37, "v1.28.0+k3s1": 28} {
		if got, ok := minorOf(text); !ok || got != want {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "latest", "v2.1.0"} {
		if _, ok := minorOf(text); ok {
			t.Errorf("%s is understood", text)
		}
	}
}

// Nothing is said to be well that was not seen: with no rights at all every
// check that reads the API server cannot tell.
func TestWhatCannotBeReadIsNotOK(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "things"}, "", errors.New("no"))
	f := &Facts{Now: noon, ConfigurationName: ConfigurationName}
	f.Configurations.Err, f.Namespaces.Err, f.Nodes.Err, f.ServerVersion.Err, f.DNS.Err, f.Pods.Err = forbidden, forbidden, forbidden, forbidden, forbidden, forbidden
	f.Pods.Value = f.NewPods(mutate.Policy{})
	for _, r := range Examine(f) {
		if r.Verdict != CannotTell || len(r.Found) == 0 || len(r.Remedy) == 0 {
			t.Errorf("%+v", r)
		}
	}
}

func TestTheCanaryTellsWhetherTheWebhookAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		canary Canary
		want   Verdict
	}{
		"no namespace":            {Canary{}, CannotTell},
		"refused":                 {Canary{Namespace: "shop", Err: errors.New("quota")}, CannotTell},
		"with a status":           {Canary{Namespace: "shop", Status: true}, OK},
		"without":                 {Canary{Namespace: "shop", Warned: true}, Failed},
		"audited, and warned":     {Canary{Namespace: "shop", Audited: true, Warned: true}, OK},
		"audited, and not warned": {Canary{Namespace: "shop", Audited: true}, Failed},
	} {
		t.Run(name, func(t *testing.T) {
			if r := checkCanary(&Facts{Canary: tc.canary}); r.Verdict != tc.want {
				t.Errorf("%+v", r)
			}
		})
	}
}

// The canary has to be told of by the webhook wherever it is created.
func TestTheCanaryIsAPodThatTheWebhookFinds(t *testing.T) {
	for _, policy := range []mutate.Policy{{}, {AnyPort: true}, {IPv6: true}, {SkipBarePods: true}, {Audit: true}} {
		if findings := mutate.Mutate(CanaryPod(), policy).Findings; len(findings) != 1 || findings[0].Outcome != mutate.Skipped {
			t.Errorf("%+v: %+v", policy, findings)
		}
	}
}

func TestTheToolOnWindowsIsFound(t *testing.T) {
	for command, want := range map[string]bool{
		`C:\bin\grpc_health_probe.exe -addr=:1`:                        true,
		`cmd /c C:/tools/GRPC-Health-Probe-windows-amd64.exe -addr=:1`: true,
		`grpc_health_probe -addr=:1`:                                   false,
		`C:\bin\other.exe -addr=:1`:                                    false,
	} {
		pod := legacy(noon, func(p *corev1.Pod) { p.Spec.Containers[0].ReadinessProbe.Exec.Command = strings.Fields(command) })
		if got := runsExe(pod); got != want {
			t.Errorf("%s: %v", command, got)
		}
	}
}

func TestSentencesReadWellForAnyNumber(t *testing.T) {
	for n, want := range [][]string{
		{"There is no node.", "No workload has the sidecar.", "No sidecar follows EndpointSlices."},
		{"The one node is not too old.", "The one workload with the sidecar is in no mesh's way.", "The one upstream that is followed has no endpoints."},
		{"None of 2 nodes is too old.", "None of 2 workloads with the sidecar is in a mesh's way.", "Of 2 upstreams that are followed, 0 have endpoints."},
	} {
		if got := []string{noneTooOld(n), inNoMeshsWay(n), withEndpoints(n, 0)}; !slices.Equal(got, want) {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestWithoutCorefilesItIsSaidWhatWasLookedFor(t *testing.T) {
	if r := checkDNS(facts(t)); r.Verdict != OK || !strings.Contains(r.Found[0], "neither a ConfigMap coredns nor node-local-dns") {
		t.Errorf("%+v", r)
	}
}

// The checks about load balancing are unused together, and only where there is
// none of it.
func TestLoadBalancingIsUnusedUntilSomebodyAsksForIt(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Facts)
		pod    *corev1.Pod
		unused bool
	}{
		"nothing of it":                {func(*Facts) {}, legacy(noon), true},
		"a Pod with the sidecar":       {func(*Facts) {}, follower(t, "greeter:9000", nil), false},
		"a Pod without it":             {func(*Facts) {}, asking(noon), false},
		"a Pod that is older":          {func(*Facts) {}, asking(noon.Add(-time.Hour)), false},
		"discovery":                    {withDiscovery, legacy(noon), false},
		"Deployments that are unread":  {func(f *Facts) { f.Deployments.Err = errors.New("no") }, legacy(noon), false},
		"NetworkPolicies that are too": {func(f *Facts) { f.Discovery.Policies.Err = errors.New("no") }, legacy(noon), false},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts(t, tc.change)
			f.Pods.Value.Add(tc.pod)
			all := true
			for _, r := range Examine(f) {
				lb := strings.HasPrefix(r.Check, "lb-")
				if r.Unused && (!lb || r.Verdict != OK || len(r.Found) != 1) {
					t.Errorf("%+v", r)
				}
				all = all && (r.Unused || !lb)
			}
			if all != tc.unused {
				t.Errorf("unused: %v, want %v", all, tc.unused)
			}
		})
	}
}
