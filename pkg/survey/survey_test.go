package survey_test

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/pkg/reason"
	"github.com/probeshift/probeshift/pkg/survey"
)

// legacy is a running Pod of Deployment web with a readiness probe of the tool.
func legacy(change ...func(*corev1.Pod)) *corev1.Pod {
	pod := ownedBy("ReplicaSet", "web-5d4", map[string]string{"pod-template-hash": "5d4"})
	pod.Spec.Containers = []corev1.Container{{
		Name: "server", Image: "web:1", Ports: []corev1.ContainerPort{{ContainerPort: 9000}}, ReadinessProbe: probe("grpc_health_probe", "-addr=:9000"),
	}}
	pod.Status.Phase = corev1.PodRunning
	for _, f := range change {
		f(pod)
	}
	return pod
}

func probe(command ...string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: command}}, TimeoutSeconds: 2}
}

func surveyOf(options survey.Options, pods ...*corev1.Pod) survey.Report {
	s := survey.New(options)
	for _, pod := range pods {
		s.Add(pod)
	}
	return s.Report()
}

// told is what a test looks at of a probe.
type told struct {
	Outcome mutate.Outcome
	Reason  reason.Code
	Held    survey.Hold
	Pods    int
}

func TestWhatBecomesOfAProbe(t *testing.T) {
	rewritten := legacy()
	for _, op := range mutate.Mutate(rewritten, mutate.Policy{}).Operations {
		if annotations, ok := op.Value.(map[string]string); ok {
			rewritten.Annotations = annotations
		}
	}
	if rewritten.Annotations[mutate.StatusAnnotation] == "" {
		t.Fatal("no status")
	}
	copied := legacy(func(p *corev1.Pod) { p.Annotations = rewritten.Annotations })
	service := ""
	rewritten.Spec.Containers[0].ReadinessProbe.ProbeHandler = corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 9000, Service: &service}}

	for name, tc := range map[string]struct {
		pod     *corev1.Pod
		options survey.Options
		want    []told
	}{
		"it would be rewritten":         {legacy(), survey.Options{}, []told{{mutate.WouldRewrite, "", "", 1}}},
		"it is rewritten":               {rewritten, survey.Options{}, []told{{mutate.Rewritten, "", "", 1}}},
		"a copied status hides nothing": {copied, survey.Options{}, []told{{mutate.WouldRewrite, "", "", 1}}},
		"a status that does not parse": {legacy(func(p *corev1.Pod) { p.Annotations = map[string]string{mutate.StatusAnnotation: "{"} }),
			survey.Options{}, []told{{mutate.WouldRewrite, "", "", 1}}},
		"it is left alone": {legacy(func(p *corev1.Pod) { p.Spec.Containers[0].Ports = nil }), survey.Options{},
			[]told{{mutate.Skipped, reason.PortNotDeclared, "", 1}}},
		"the policy decides": {legacy(func(p *corev1.Pod) { p.Spec.Containers[0].Ports = nil }),
			survey.Options{Policy: mutate.Policy{AnyPort: true}}, []told{{mutate.WouldRewrite, "", "", 1}}},
		"the Pod's label opts out": {legacy(func(p *corev1.Pod) { p.Labels[survey.WebhookLabel] = "disabled" }), survey.Options{},
			[]told{{mutate.WouldRewrite, "", survey.OptedOut, 1}}},
		"the Pod asks for findings alone": {legacy(func(p *corev1.Pod) { p.Annotations = map[string]string{mutate.ProbesAnnotation: "audit"} }),
			survey.Options{}, []told{{mutate.WouldRewrite, "", survey.AuditOnly, 1}}},
		"the namespace is never served": {legacy(), survey.Options{Excluded: []string{"shop"}}, []told{{mutate.WouldRewrite, "", survey.ExcludedNamespace, 1}}},
		"a static Pod": {legacy(func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }),
			survey.Options{}, []told{{mutate.WouldRewrite, "", survey.StaticPod, 1}}},
		"a Pod with an IPv6 address": {legacy(func(p *corev1.Pod) { p.Status.PodIP = "2001:db8::1" }),
			survey.Options{FamilyOfPod: true}, []told{{mutate.Skipped, reason.IPFamily, "", 1}}},
		"its address does not matter where the policy says": {legacy(func(p *corev1.Pod) { p.Status.PodIP = "2001:db8::1" }),
			survey.Options{}, []told{{mutate.WouldRewrite, "", "", 1}}},
		"no probe of the tool": {legacy(func(p *corev1.Pod) { p.Spec.Containers[0].ReadinessProbe = nil }), survey.Options{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			report := surveyOf(tc.options, tc.pod)
			var got []told
			for _, w := range report.Workloads {
				for _, p := range w.Probes {
					got = append(got, told{p.Outcome, p.Reason, p.Held, p.Pods})
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestPodsOfAWorkloadAreOneRow(t *testing.T) {
	other := legacy(func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe.Exec.Command = []string{"grpc_health_probe", "-addr=:9000", "-gzip"}
	})
	report := surveyOf(survey.Options{}, legacy(), legacy(), other)
	if len(report.Workloads) != 1 || report.Workloads[0].Pods != 3 || len(report.Workloads[0].Probes) != 2 {
		t.Fatalf("%+v", report.Workloads)
	}
	if p := report.Workloads[0].Probes; p[0].Pods != 2 || p[1].Pods != 1 || p[1].Reason != reason.Gzip {
		t.Errorf("%+v", p)
	}
	want := survey.Totals{Workloads: 1, WouldRewrite: 1, Skipped: 1, Reasons: []survey.ReasonTotal{
		{Reason: reason.Gzip, Probes: 1, Sentence: reason.Gzip.Sentence(), Remedy: reason.Gzip.Remedy()},
	}}
	if diff := cmp.Diff(want, report.Totals); diff != "" {
		t.Error(diff)
	}
}

func TestAJobIsAskedForOnce(t *testing.T) {
	asked := 0
	options := survey.Options{Resolve: func(job survey.Owner) survey.Owner {
		asked++
		return survey.Owner{Namespace: job.Namespace, Kind: "CronJob", Name: "report"}
	}}
	job := func(p *corev1.Pod) { p.OwnerReferences[0].Kind, p.OwnerReferences[0].Name = "Job", "report-1" }
	report := surveyOf(options, legacy(job), legacy(job), legacy())
	if asked != 1 || len(report.Workloads) != 2 || report.Workloads[0].String() != "cronjob/report" {
		t.Errorf("asked %d times: %+v", asked, report.Workloads)
	}
}

func TestAnImageIsNeededWhileAnythingRunsTheToolInIt(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*corev1.Pod)
		needed []string
	}{
		"only probes that would be native": {func(*corev1.Pod) {}, nil},
		"a probe that is left alone":       {func(p *corev1.Pod) { p.Spec.Containers[0].Ports = nil }, []string{"a readiness probe (port-not-declared)"}},
		"a Pod that is held":               {func(p *corev1.Pod) { p.Labels[survey.WebhookLabel] = "disabled" }, []string{"a readiness probe (opted-out)"}},
		"a lifecycle hook": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"grpc_health_probe", "-addr=:1"}}}}
		}, []string{"a lifecycle hook"}},
		"an init container of the same image": {func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "wait", Image: "web:1", Command: []string{"sh", "-c", "until grpc_health_probe -addr=db:1; do sleep 1; done"}}}
		}, []string{"a container's command"}},
		"an init container of another image": {func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "wait", Image: "wait:1", Command: []string{"grpc_health_probe", "-addr=db:1"}}}
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			want := []survey.Image{{Image: "web:1", Pods: 1, ForNothing: tc.needed == nil, Needed: tc.needed}}
			if diff := cmp.Diff(want, surveyOf(survey.Options{}, legacy(tc.change)).Images); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatTheProbesCostInADay(t *testing.T) {
	every := func(seconds int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.Containers[0].ReadinessProbe.PeriodSeconds = seconds }
	}
	skipped := func(p *corev1.Pod) { p.Spec.Containers[0].Ports = nil }
	pending := func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }
	startup := func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.ReadinessProbe, c.StartupProbe = nil, c.ReadinessProbe
	}
	cost := surveyOf(survey.Options{}, legacy(every(5)), legacy(), legacy(skipped), legacy(pending), legacy(startup)).Cost
	// 86,400 s a day: each 5 s, each 10 s by default, and each 10 s left alone.
	if cost.ExecRuns != 17280+8640+8640 || cost.Rewritable != 17280+8640 {
		t.Errorf("runs: %+v", cost)
	}
	if math.Abs(cost.ExecCPUSeconds-34560*0.0117) > 1e-6 || math.Abs(cost.SavedCPUSeconds-25920*0.0102) > 1e-6 {
		t.Errorf("CPU: %+v", cost)
	}
}

func TestAReportIsNeverNullInJSON(t *testing.T) {
	text, err := json.Marshal(surveyOf(survey.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var lists struct {
		Workloads, Images *[]any
		Totals            struct{ Reasons *[]any }
	}
	if err := json.Unmarshal(text, &lists); err != nil {
		t.Fatal(err)
	}
	if lists.Workloads == nil || lists.Images == nil || lists.Totals.Reasons == nil {
		t.Errorf("a list is null: %s", text)
	}
}

func TestAWorkloadWithoutPodsIsKnownByItsTemplate(t *testing.T) {
	template := &corev1.PodTemplateSpec{Spec: legacy().Spec}
	s := survey.New(survey.Options{Policy: mutate.Policy{SkipBarePods: true}})
	s.Add(legacy())
	s.AddTemplate(survey.Owner{Namespace: "shop", Kind: "Deployment", Name: "web"}, template) // its Pods tell more
	s.AddTemplate(survey.Owner{Namespace: "shop", Kind: "Deployment", Name: "asleep"}, template)
	s.AddTemplate(survey.Owner{Namespace: "shop", Kind: "Deployment", Name: "other"}, &corev1.PodTemplateSpec{})
	report := s.Report()
	var got []string
	for _, w := range report.Workloads {
		got = append(got, fmt.Sprintf("%s: %d Pods, %s in %d", w, w.Pods, w.Probes[0].Outcome, w.Probes[0].Pods))
	}
	want := []string{"deployment/asleep: 0 Pods, would-rewrite in 0", "deployment/web: 1 Pods, would-rewrite in 1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if report.Pods != 1 || report.Images[0].Pods != 1 || report.Cost.ExecRuns != 8640 {
		t.Errorf("%+v", report)
	}
}
