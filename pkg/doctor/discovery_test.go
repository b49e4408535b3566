package doctor

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/discovery/serve"
)

func TestTheComponentIsThereWhereItIsUsed(t *testing.T) {
	uses := func(t *testing.T, f *Facts) { f.Pods.Value.Add(follower(t, "greeter:9000", served(authorityNow(t)))) }
	asksDNS := func(t *testing.T, f *Facts) { f.Pods.Value.Add(follower(t, "greeter:9000", nil)) }
	without := func(index int) func(*testing.T, *Facts) {
		return func(_ *testing.T, f *Facts) { f.Deployments.Value[index].Spec.Template.Spec.Containers[0].Args = nil }
	}
	streams := func(n int, err error) func(*testing.T, *Facts) {
		return func(_ *testing.T, f *Facts) { f.Discovery.Streams = Read[map[string]int]{map[string]int{"a": n}, err} }
	}
	pending := func(t *testing.T, f *Facts) {
		pod := follower(t, "greeter:9000", served(authorityNow(t)))
		pod.Status.Phase = corev1.PodPending
		f.Pods.Value.Add(pod)
	}
	bare := func(_ *testing.T, f *Facts) {
		f.Deployments.Value[0].Spec.Template.Spec.Containers[0].Args = []string{"--lb-discovery", "--run", "admission,discovery"}
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "pods/proxy"}, "", errors.New("no"))
	type change = func(*testing.T, *Facts)
	for what, tc := range map[string]struct {
		changes []change
		verdict Verdict
		says    string
	}{
		"it is used":                     {[]change{uses}, OK, "1 that follow EndpointSlices, 0 that work from DNS alone.\nDiscovery's open streams: 1."},
		"nobody uses it yet":             {nil, OK, "0 that follow EndpointSlices, 0 that work from DNS alone"},
		"older Pods work from DNS":       {[]change{uses, asksDNS}, OK, "1 that follow EndpointSlices, 1 that work from DNS alone.\nA Pod gets discovery when it is created"},
		"a Pod that has not started yet": {[]change{uses, pending}, OK, "1 that follow"},
		"discovery does not run":         {[]change{uses, without(1)}, Failed, "no Deployment runs discovery"},
		"the webhook does not use it":    {[]change{without(0)}, Failed, "makes no sidecar that uses it"},
		"neither is there":               {[]change{without(0), without(1)}, OK, "Not in use"},
		"neither is there any more":      {[]change{uses, without(0), without(1)}, Failed, "No Deployment runs discovery"},
		"one process does both":          {[]change{uses, without(1), bare}, OK, "open streams: 1"},
		"no replica is ready": {[]change{uses, func(_ *testing.T, f *Facts) { f.Deployments.Value[1].Status.ReadyReplicas = 0 }},
			Failed, "probeshift/probeshift-discovery: 0 of 1 replicas ready"},
		"a sidecar is not connected":         {[]change{uses, streams(0, nil)}, CannotTell, "open streams: 0. Where a sidecar has none"},
		"its metrics may not be read":        {[]change{uses, streams(0, forbidden)}, OK, "somebody who may get pods/proxy"},
		"its metrics do not answer":          {[]change{uses, streams(0, errors.New("refused"))}, OK, "is not known: refused"},
		"the Deployments may not be read":    {[]change{uses, func(_ *testing.T, f *Facts) { f.Deployments.Err = forbidden }}, CannotTell, "could not be read"},
		"the webhook is not known":           {[]change{uses, func(_ *testing.T, f *Facts) { f.Service.Value = nil; f.Deployments.Value = nil }}, CannotTell, "See the check deployment"},
		"the webhook's Service is not known": {[]change{func(_ *testing.T, f *Facts) { f.Service.Value = nil }}, CannotTell, "See the check deployment"},
		"a cluster without load balancing":   {[]change{func(_ *testing.T, f *Facts) { f.Service.Value = nil; f.Deployments.Value = nil }}, OK, "Not in use"},
	} {
		t.Run(what, func(t *testing.T) {
			f := facts(t, withDiscovery)
			for _, change := range tc.changes {
				change(t, f)
			}
			r := checkDiscovery(f)
			if r.Verdict != tc.verdict || !strings.Contains(strings.Join(append(r.Found, r.Remedy...), "\n"), tc.says) || (tc.verdict != OK) != (len(r.Remedy) > 0) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestTheNumberOfStreamsIsReadFromMetrics(t *testing.T) {
	const help = "# HELP probeshift_discovery_streams Open streams.\n# TYPE probeshift_discovery_streams gauge\n"
	for text, want := range map[string]int{help + "probeshift_discovery_streams 17\n": 17, help + "probeshift_discovery_streams 1.2e+03\n": 1200} {
		if got, err := ReadStreams([]byte(text)); got != want || err != nil {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", help, "probeshift_discovery_streams x\n", "probeshift_discovery_streams_total 5\n"} {
		if got, err := ReadStreams([]byte(text)); err == nil {
			t.Errorf("%q: %d, want an error", text, got)
		}
	}
}

func TestDiscoverysMetricIsTheOneThatIsRead(t *testing.T) {
	registry := prometheus.NewRegistry()
	_, err := serve.New(serve.Config{
		Kube: &rest.Config{}, Metrics: registry, Now: time.Now,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") },
	})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if got, err := ReadStreams(answer.Body.Bytes()); got != 0 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
}

func TestWhatOfDiscoveryCannotBeReadIsTold(t *testing.T) {
	refused := errors.New("refused")
	for what, tc := range map[string]struct {
		change func(*Facts)
		check  func(*Facts) Result
	}{
		"Services":        {func(f *Facts) { f.Services.Err = refused }, checkFollowed},
		"EndpointSlices":  {func(f *Facts) { f.Discovery.Slices.Err = refused }, checkFollowed},
		"NetworkPolicies": {func(f *Facts) { f.Discovery.Policies.Err = refused }, checkEgress},
		"the ConfigMap":   {func(f *Facts) { f.Discovery.CA.Err = refused }, checkTrust},
	} {
		t.Run(what, func(t *testing.T) {
			f := facts(t, withDiscovery, tc.change)
			f.Pods.Value.Add(follower(t, "greeter:9000", served(authorityNow(t))))
			if r := tc.check(f); r.Verdict != CannotTell || !strings.HasPrefix(r.Found[0], what) || len(r.Remedy) == 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestASidecarTrustsDiscoveryByOneCertificateAtLeast(t *testing.T) {
	old, current, next := authorityNow(t), authorityNow(t), authorityNow(t)
	expired := authority(t, noon.Add(-2*time.Hour), noon.Add(-time.Hour))
	join := func(parts ...[]byte) string {
		var all strings.Builder
		for _, p := range parts {
			all.Write(p)
		}
		return all.String()
	}
	for what, tc := range map[string]struct {
		sidecar   string
		published *corev1.ConfigMap
		err       error
		verdict   Verdict
		says      string
	}{
		"the same":                  {join(current), publishes(join(current)), nil, OK, "trusted by 1 Pod"},
		"the one before":            {join(old, current), publishes(join(current, next)), nil, OK, "trusted by 1 Pod"},
		"none of them":              {join(old), publishes(join(current, next)), nil, Failed, "shop pod/web, 1 Pod: trusts none of discovery's certificates"},
		"one that has expired":      {join(expired, old), publishes(join(expired, current)), nil, Failed, "trusts none"},
		"nothing is published":      {join(current), nil, nil, Failed, "probeshift-discovery-ca is not there"},
		"nothing is published yet":  {"", nil, nil, Failed, "new sidecars work from DNS"},
		"nothing valid":             {join(current), publishes(join(expired) + "hello"), nil, Failed, "no certificate that is valid now"},
		"nothing that can be read":  {join(current), publishes(""), nil, Failed, "no certificate that is valid now"},
		"it may not be read":        {join(current), nil, errors.New("no"), CannotTell, "could not be read"},
		"a sidecar that asks DNS":   {"", publishes(join(current)), nil, OK, "trusted by 0 Pods"},
		"certificates among others": {join(old, current, next), publishes("# comment\n" + join(current)), nil, OK, "trusted by 1 Pod"},
	} {
		t.Run(what, func(t *testing.T) {
			f := facts(t, withDiscovery)
			f.Discovery.CA = Read[*corev1.ConfigMap]{tc.published, tc.err}
			if tc.sidecar == "" {
				f.Pods.Value.Add(follower(t, "greeter:9000", nil))
			} else {
				f.Pods.Value.Add(follower(t, "greeter:9000", served([]byte(tc.sidecar))))
			}
			r := checkTrust(f)
			if r.Verdict != tc.verdict || !strings.Contains(strings.Join(r.Found, "\n"), tc.says) || (tc.verdict != OK) != (len(r.Remedy) > 0) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func publishes(ca string) *corev1.ConfigMap {
	return &corev1.ConfigMap{Data: map[string]string{"ca.crt": ca}}
}

// egressPolicy is a policy for the Pods of "web" with one rule, or none.
func egressPolicy(rules ...networkingv1.NetworkPolicyEgressRule) networkingv1.NetworkPolicy {
	return networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, Egress: rules,
		},
	}
}

// to is a rule that leads to Pods by their labels and the labels of their
// namespace, as YAML.
func to(t *testing.T, text string) networkingv1.NetworkPolicyEgressRule {
	t.Helper()
	var rule networkingv1.NetworkPolicyEgressRule
	if err := yaml.UnmarshalStrict([]byte(text), &rule); err != nil {
		t.Fatal(err)
	}
	return rule
}

func TestEgressPoliciesMayShutDiscoveryOut(t *testing.T) {
	const (
		everywhere = `{}`
		toOwner    = `to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: probeshift}}}]`
		toPods     = `to: [{namespaceSelector: {}, podSelector: {matchLabels: {app.kubernetes.io/component: discovery}}}]`
		toOthers   = `to: [{namespaceSelector: {}, podSelector: {matchLabels: {app: ledger}}}]`
		toDNS      = `ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]`
		toItself   = `to: [{podSelector: {}}]`
	)
	unknown := func(f *Facts) { f.Deployments.Value, f.Namespaces.Value = nil, nil }
	for what, tc := range map[string]struct {
		rules   []string
		change  func(*networkingv1.NetworkPolicy)
		facts   func(*Facts)
		verdict Verdict
	}{
		"no rule at all":                      {verdict: Failed},
		"everywhere":                          {rules: []string{everywhere}, verdict: OK},
		"to discovery's namespace":            {rules: []string{toDNS, toOwner}, verdict: OK},
		"to discovery's Pods":                 {rules: []string{toPods}, verdict: OK},
		"to other Pods":                       {rules: []string{toOthers, toDNS}, verdict: Failed},
		"to Pods of its own namespace":        {rules: []string{toItself}, verdict: Failed},
		"to the port":                         {rules: []string{`ports: [{port: 18000}]`}, verdict: OK},
		"to the port by name":                 {rules: []string{`ports: [{port: xds}]`}, verdict: OK},
		"to another port by name":             {rules: []string{`ports: [{port: metrics}]`}, verdict: Failed},
		"to a range of ports":                 {rules: []string{`ports: [{port: 1024, endPort: 65535}]`}, verdict: OK},
		"to another range of ports":           {rules: []string{`ports: [{port: 1024, endPort: 17999}]`}, verdict: Failed},
		"to all of TCP":                       {rules: []string{`ports: [{protocol: TCP}]`}, verdict: OK},
		"to all of UDP":                       {rules: []string{`ports: [{protocol: UDP}]`}, verdict: Failed},
		"to its namespace by another port":    {rules: []string{toOwner + "\nports: [{port: 443}]"}, verdict: Failed},
		"to addresses":                        {rules: []string{`to: [{ipBlock: {cidr: 0.0.0.0/0}}]`}, verdict: CannotTell},
		"to addresses by another port":        {rules: []string{"to: [{ipBlock: {cidr: 0.0.0.0/0}}]\nports: [{port: 443}]"}, verdict: Failed},
		"to Pods that are not known":          {rules: []string{toOthers}, facts: unknown, verdict: CannotTell},
		"to a namespace that is not known":    {rules: []string{toOwner}, facts: unknown, verdict: CannotTell},
		"to a named port that is not known":   {rules: []string{`ports: [{port: xds}]`}, facts: unknown, verdict: CannotTell},
		"a policy for other Pods":             {change: func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector.MatchLabels["app"] = "ledger" }, verdict: OK},
		"a policy for ingress":                {change: func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes[0] = networkingv1.PolicyTypeIngress }, verdict: OK},
		"a policy without types and rules":    {change: func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes = nil }, verdict: OK},
		"a policy without types, with a rule": {rules: []string{toDNS}, change: func(p *networkingv1.NetworkPolicy) { p.Spec.PolicyTypes = nil }, verdict: Failed},
		"a policy of another namespace":       {change: func(p *networkingv1.NetworkPolicy) { p.Namespace = "bank" }, verdict: OK},
		"a policy for a sidecar's label": {change: func(p *networkingv1.NetworkPolicy) {
			p.Spec.PodSelector.MatchLabels = map[string]string{"lb.probeshift.dev/sidecar": "true"}
		}, verdict: Failed},
		"a selector that says nothing": {change: func(p *networkingv1.NetworkPolicy) {
			p.Spec.PodSelector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "?"}}}
		}, verdict: OK},
	} {
		t.Run(what, func(t *testing.T) {
			f := facts(t, withDiscovery)
			f.Pods.Value.Add(follower(t, "greeter:9000", served(authorityNow(t))))
			if tc.facts != nil {
				tc.facts(f)
			}
			var rules []networkingv1.NetworkPolicyEgressRule
			for _, text := range tc.rules {
				rules = append(rules, to(t, text))
			}
			policy := egressPolicy(rules...)
			if tc.change != nil {
				tc.change(&policy)
			}
			f.Discovery.Policies.Value = []networkingv1.NetworkPolicy{policy}
			r := checkEgress(f)
			if r.Verdict != tc.verdict || (tc.verdict != OK) != (r.Apply != "") {
				t.Fatalf("%+v", r)
			}
			if r.Apply == "" {
				return
			}
			// The remedy is one.
			var cure networkingv1.NetworkPolicy
			if err := yaml.UnmarshalStrict([]byte(r.Apply), &cure); err != nil {
				t.Fatal(err)
			}
			f.Discovery.Policies.Value = append(f.Discovery.Policies.Value, cure)
			if again := checkEgress(f); again.Verdict != OK && tc.facts == nil {
				t.Errorf("after the remedy: %+v", again)
			}
		})
	}
}

func TestAPolicyIsNotLookedAtForASidecarThatAsksDNS(t *testing.T) {
	f := facts(t, withDiscovery)
	f.Pods.Value.Add(follower(t, "greeter:9000", nil))
	f.Discovery.Policies.Value = []networkingv1.NetworkPolicy{egressPolicy()}
	if r := checkEgress(f); r.Verdict != OK {
		t.Errorf("%+v", r)
	}
}

func TestThePortThatAPolicyAdmitsIsThePods(t *testing.T) {
	f := facts(t, withDiscovery)
	port := portTo(&Following{Port: 18000})
	if *port.Port != intstr.FromInt32(18000) || f.portLeads(&port, &Following{Port: 18001}) != shut {
		t.Errorf("%+v", port)
	}
}
