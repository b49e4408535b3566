package doctor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/sidecar"
	"github.com/probeshift/probeshift/pkg/survey"
)

// asking is a Pod of the Deployment "web" in the namespace shop that asks for the
// sidecar and does not have it.
func asking(created time.Time, change ...func(*corev1.Pod)) *corev1.Pod {
	yes := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "web-abc-1", CreationTimestamp: metav1.NewTime(created),
			Annotations:     map[string]string{sidecar.UpstreamsAnnotation: "greeter:9000"},
			Labels:          map[string]string{"pod-template-hash": "abc"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-abc", Controller: &yes}},
		},
		Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "server"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func TestAPodWithoutTheSidecarThatItAsksForIsTold(t *testing.T) {
	known := labelled("shop", noon.Add(-time.Minute))
	with := func(value string) corev1.Namespace {
		n := labelled("shop", noon.Add(-time.Minute))
		n.Labels[survey.WebhookLabel] = value
		return n
	}
	plain := corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}
	phase := func(phase corev1.PodPhase) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Status.Phase = phase }
	}
	const label, restart = "kubectl label namespace shop probeshift.dev/webhook=enabled", "kubectl -n shop rollout restart deployment/web"
	for name, tc := range map[string]struct {
		namespace corev1.Namespace
		pod       *corev1.Pod
		verdict   Verdict
		says      string
		remedies  []string
	}{
		"in a namespace without the label": {plain, asking(noon), Failed, "Namespace shop has no label probeshift.dev/webhook; 1 Pod without the sidecar: deployment/web.", []string{label, restart}},
		"that is pending":                  {plain, asking(noon, phase(corev1.PodPending)), Failed, "1 Pod without", []string{label, restart}},
		"of another value of the label":    {with("true"), asking(noon), Failed, `has the value "true", which does nothing; 1 Pod`, []string{"See the check namespaces."}},
		"in an audited namespace":          {with(audited), asking(noon), OK, "only audited, until its label says enabled; 1 Pod without the sidecar: deployment/web.", nil},
		"created since":                    {known, asking(noon), Failed, "shop deployment/web: 1 Pod without the sidecar", []string{restart}},
		"created before the label": {known, asking(noon.Add(-time.Hour)), OK,
			"1 Pod older than the webhook or their namespace's label, without the sidecar until their next rollout (kubectl rollout restart): shop deployment/web.", nil},
		"of a label without a time":  {labelled("shop", time.Time{}), asking(noon), CannotTell, "is not recorded: shop deployment/web.", []string{"Roll their workloads out"}},
		"of a namespace that is new": {labelled("other", noon), asking(noon), OK, "No Pod", nil},
		"that has it":                {plain, follower(t, "greeter:9000", nil), OK, "No Pod", nil},
		"that does not ask":          {plain, legacy(noon), OK, "No Pod", nil},
		"opted out":                  {plain, asking(noon, func(p *corev1.Pod) { p.Labels[survey.WebhookLabel] = "disabled" }), OK, "No Pod", nil},
		"a static Pod":               {plain, asking(noon, func(p *corev1.Pod) { p.Annotations[corev1.MirrorPodAnnotationKey] = "x" }), OK, "No Pod", nil},
		"that has ended":             {plain, asking(noon, phase(corev1.PodSucceeded)), OK, "No Pod", nil},
		"that has failed":            {known, asking(noon, phase(corev1.PodFailed)), OK, "No Pod", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := facts(t, func(f *Facts) { f.Namespaces.Value = []corev1.Namespace{tc.namespace} })
			f.Pods.Value.Add(tc.pod)
			r := checkLBMissed(f)
			found, remedy := strings.Join(r.Found, "\n"), strings.Join(r.Remedy, "\n")
			if r.Verdict != tc.verdict || !strings.Contains(found, tc.says) || (remedy != "") != (tc.verdict != OK) {
				t.Errorf("%+v", r)
			}
			for _, want := range tc.remedies {
				if !strings.Contains(remedy, want) {
					t.Errorf("no remedy %q: %+v", want, r)
				}
			}
		})
	}
}

func TestANamespaceThatCannotBeServedIsNotToBeLabelled(t *testing.T) {
	f := facts(t, func(f *Facts) {
		f.Namespaces.Value = []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "kube-system"}}, labelled("shop", noon)}
		for i := range f.Configurations.Value[0].Webhooks {
			f.Configurations.Value[0].Webhooks[i].NamespaceSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{
				Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"kube-system"},
			}}
		}
	})
	f.Pods.Value.Add(asking(noon, func(p *corev1.Pod) { p.Namespace = "kube-system" }))
	r := checkLBMissed(f)
	if text := fmt.Sprint(r.Found, r.Remedy); r.Verdict != Failed || !strings.Contains(text, "never served; 1 Pod") || strings.Contains(text, "kubectl label") {
		t.Errorf("%+v", r)
	}
	if f.Namespaces.Value[0].Labels != nil {
		t.Error("the namespace was changed")
	}
}

// Where nothing of ours is installed, a label that is there may be served yet.
func TestALabelWithoutAConfigurationServesNobody(t *testing.T) {
	f := facts(t, func(f *Facts) { f.Configurations.Value = nil })
	f.Pods.Value.Add(asking(noon))
	if r := checkLBMissed(f); r.Verdict != CannotTell || r.Remedy[0] != "See the check configuration." {
		t.Errorf("%+v", r)
	}
}

// A namespace is told of once, whatever runs there.
func TestOfManyPodsWithoutTheSidecarSomeAreNamed(t *testing.T) {
	f := facts(t, func(f *Facts) {
		f.Namespaces.Value = []corev1.Namespace{
			{ObjectMeta: metav1.ObjectMeta{Name: "bank"}}, {ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, labelled("old", noon),
		}
	})
	f.Pods.Value = f.NewPods(mutate.Policy{})
	for i := range 2000 {
		for _, namespace := range []string{"bank", "shop", "old"} {
			f.Pods.Value.Add(asking(noon, func(p *corev1.Pod) {
				p.Namespace, p.OwnerReferences[0].Name = namespace, fmt.Sprintf("web-%d-abc", i/2)
			}))
		}
	}
	r := checkLBMissed(f)
	const names = "deployment/web-0, deployment/web-1, deployment/web-10, deployment/web-100, deployment/web-101 and 995 more."
	if len(r.Found) != 3 || len(r.Remedy) != 12 ||
		r.Found[0] != "Namespace bank has no label probeshift.dev/webhook; 2000 Pods without the sidecar: "+names ||
		r.Found[1] != "Namespace shop has no label probeshift.dev/webhook; 2000 Pods without the sidecar: "+names ||
		!strings.HasPrefix(r.Found[2], "2000 Pods older than") || !strings.HasSuffix(r.Found[2], "and 995 more.") {
		t.Errorf("%+v", r)
	}
}
