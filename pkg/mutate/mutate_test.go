package mutate

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/healthprobe"
	"github.com/probeshift/probeshift/pkg/reason"
)

// podBuilder builds Pods; ownedPod has a controller.
type podBuilder struct{ corev1.Pod }

func newPod() *podBuilder {
	return &podBuilder{corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns"}}}
}

func ownedPod() *podBuilder {
	p, yes := newPod(), true
	p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "rs", Controller: &yes}}
	return p
}

func (p *podBuilder) annotate(key, value string) *podBuilder {
	metav1.SetMetaDataAnnotation(&p.ObjectMeta, key, value)
	return p
}

// container adds a container that declares the ports.
func (p *podBuilder) container(name string, ports ...int32) *podBuilder {
	c := corev1.Container{Name: name}
	for _, port := range ports {
		c.Ports = append(c.Ports, corev1.ContainerPort{ContainerPort: port})
	}
	p.Spec.Containers = append(p.Spec.Containers, c)
	return p
}

// liveness gives the last container a liveness probe with T seconds.
func (p *podBuilder) liveness(timeout int32, command ...string) *podBuilder {
	p.Spec.Containers[len(p.Spec.Containers)-1].LivenessProbe = execProbe(timeout, command...)
	return p
}

func (p *podBuilder) obj() *corev1.Pod { return &p.Pod }

func execProbe(timeout int32, command ...string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:   corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: command}},
		TimeoutSeconds: timeout,
	}
}

func grpcProbe(timeout, port int32, service string) *corev1.Probe {
	return &corev1.Probe{
		ProbeHandler:   corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: port, Service: &service}},
		TimeoutSeconds: timeout,
	}
}

// patched applies the operations this package builds, through verify's apply.
func patched(t *testing.T, pod *corev1.Pod, ops []jsonpatch.Operation) *corev1.Pod {
	t.Helper()
	out := pod.DeepCopy()
	probes := map[string]*corev1.Probe{}
	visitProbes(out, func(s site) { probes[s.path] = s.probe })
	for _, op := range ops {
		path, field := splitPath(op.Path)
		switch value := op.Value.(type) {
		case map[string]string:
			out.Annotations = value
			continue
		case string:
			out.Annotations[strings.NewReplacer("~1", "/", "~0", "~").Replace(field)] = value
			continue
		}
		if err := apply(probes[path], op, field); err != nil {
			t.Fatalf("operation %s %s: %v", op.Operation, op.Path, err)
		}
	}
	return out
}

func TestTimeoutIsNeverStricterAndAtMostASecondLonger(t *testing.T) {
	cases := map[string]struct {
		timeout int32
		budget  time.Duration
		want    int32
	}{
		"the budget is shorter":                       {10, 2 * time.Second, 2},
		"the budget is rounded up":                    {10, 2*time.Second + 1, 3},
		"a budget below a second is one":              {10, time.Nanosecond, 1},
		"the probe's timeout is shorter":              {1, 2 * time.Second, 1},
		"they are equal":                              {2, 2 * time.Second, 2},
		"the probe's timeout is within the last part": {2, 1500 * time.Millisecond, 2},
		"no timeout yet":                              {0, time.Millisecond, 0},
		"a negative timeout":                          {-1, time.Millisecond, -1},
		"the longest budget":                          {math.MaxInt32, math.MaxInt64, math.MaxInt32},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := nativeTimeout(c.timeout, c.budget); got != c.want {
				t.Errorf("nativeTimeout(%d, %v) = %d, want %d", c.timeout, c.budget, got, c.want)
			}
		})
	}
}

func TestRewriteTouchesHandlerTimeoutAndStatus(t *testing.T) {
	pod := ownedPod().container("app", 9000).liveness(5, "grpc_health_probe", "-addr=:9000", "-service=s").obj()
	got := Mutate(pod, Policy{})
	service := "s"
	status := `{"probes":{"app":{"liveness":{"outcome":"rewritten","exec":["grpc_health_probe","-addr=:9000","-service=s"],` +
		`"timeoutSeconds":5,"newTimeoutSeconds":2,"grpc":{"port":9000,"service":"s"}}}}}`
	want := Result{
		Operations: []jsonpatch.Operation{
			{Operation: "remove", Path: "/spec/containers/0/livenessProbe/exec"},
			{Operation: "add", Path: "/spec/containers/0/livenessProbe/grpc", Value: corev1.GRPCAction{Port: 9000, Service: &service}},
			{Operation: "replace", Path: "/spec/containers/0/livenessProbe/timeoutSeconds", Value: int32(2)},
			{Operation: "add", Path: "/metadata/annotations", Value: map[string]string{StatusAnnotation: status}},
		},
		Findings: []Finding{{
			Container: "app", Probe: Liveness, Outcome: Rewritten, Command: []string{"grpc_health_probe", "-addr=:9000", "-service=s"},
			TimeoutSeconds: 5, NewTimeoutSeconds: 2, GRPC: &corev1.GRPCAction{Port: 9000, Service: &service},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMutateDoesNotChangeThePod(t *testing.T) {
	pod := ownedPod().annotate("a", "b").container("app", 9000).liveness(5, "grpc_health_probe", "-addr=:9000").obj()
	before := pod.DeepCopy()
	Mutate(pod, Policy{})
	if diff := cmp.Diff(before, pod); diff != "" {
		t.Errorf("the Pod changed:\n%s", diff)
	}
}

func TestTLSNeedsTheGateAndNoMesh(t *testing.T) {
	pod := ownedPod().container("app", 9000).liveness(1, "grpc_health_probe", "-addr=:9000", "-tls", "-tls-no-verify").obj()
	for policy, want := range map[tlsPolicy]reason.Code{
		{}:                                  reason.TLS,
		{tlsProbes: true}:                   reason.TLS,
		{ignoreMesh: true}:                  reason.TLS,
		{tlsProbes: true, ignoreMesh: true}: reason.None,
	} {
		got := Mutate(pod, Policy{TLSProbes: policy.tlsProbes, IgnoreMesh: policy.ignoreMesh}).Findings[0]
		if got.Reason != want {
			t.Errorf("%+v: reason %q, want %q", policy, got.Reason, want)
		}
		if want == reason.None && (got.GRPC.Mode == nil || *got.GRPC.Mode != corev1.GRPCProbeModeTLS) {
			t.Errorf("%+v: mode is not TLS: %+v", policy, got.GRPC)
		}
	}
}

// tlsPolicy is the part of Policy that TLS depends on, comparable.
type tlsPolicy struct{ tlsProbes, ignoreMesh bool }

func TestIPFamilyRules(t *testing.T) {
	for host, want := range map[healthprobe.Host][2]bool{ // refused on IPv4-first, on IPv6-first
		healthprobe.HostLocal:  {false, true},
		healthprobe.HostLocal6: {true, false},
		healthprobe.HostAny6:   {true, true},
		healthprobe.HostPod:    {false, false},
		healthprobe.HostName:   {false, true},
	} {
		if got := [2]bool{wrongFamily(host, false), wrongFamily(host, true)}; got != want {
			t.Errorf("host %d: %v, want %v", host, got, want)
		}
	}
}

func TestUndoGivesBackExactlyWhatWasThere(t *testing.T) {
	pod := ownedPod().container("app", 9000).liveness(5, "grpc_health_probe", "-addr=:9000").obj()
	rewritten := patched(t, pod, Mutate(pod, Policy{}).Operations)
	rewritten.Spec.Containers = append(rewritten.Spec.Containers, corev1.Container{Name: "linkerd-proxy"})

	got := Mutate(rewritten, Policy{})
	if len(got.Findings) != 1 || got.Findings[0].Outcome != Restored || got.Findings[0].Reason != reason.Mesh || !got.Reinvoked {
		t.Fatalf("findings %+v", got.Findings)
	}
	restored := patched(t, rewritten, got.Operations)
	if diff := cmp.Diff(pod.Spec.Containers[0], restored.Spec.Containers[0]); diff != "" {
		t.Errorf("the container is not as it was (-was +is):\n%s", diff)
	}
	again := Mutate(restored, Policy{})
	if len(again.Operations) != 0 || len(again.Findings) != 1 || !again.Findings[0].Known || again.Findings[0].Outcome != Restored {
		t.Errorf("a third call changes something or tells news: %+v", again)
	}
}

func TestUndoNeedsAnEntryThatMatchesExactly(t *testing.T) {
	base := func() *corev1.Pod {
		pod := ownedPod().container("app", 9000).liveness(5, "grpc_health_probe", "-addr=:9000").obj()
		pod = patched(t, pod, Mutate(pod, Policy{}).Operations)
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "istio-proxy"})
		return pod
	}
	for name, change := range map[string]func(*corev1.Pod){
		"another port":     func(p *corev1.Pod) { p.Spec.Containers[0].LivenessProbe.GRPC.Port = 9001 },
		"another service":  func(p *corev1.Pod) { s := "x"; p.Spec.Containers[0].LivenessProbe.GRPC.Service = &s },
		"no service":       func(p *corev1.Pod) { p.Spec.Containers[0].LivenessProbe.GRPC.Service = nil },
		"a mode":           func(p *corev1.Pod) { m := corev1.GRPCProbeModeTLS; p.Spec.Containers[0].LivenessProbe.GRPC.Mode = &m },
		"another timeout":  func(p *corev1.Pod) { p.Spec.Containers[0].LivenessProbe.TimeoutSeconds = 3 },
		"a second handler": func(p *corev1.Pod) { p.Spec.Containers[0].LivenessProbe.TCPSocket = &corev1.TCPSocketAction{} },
		"taken over by the mesh": func(p *corev1.Pod) {
			p.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/app-health/app/livez"}}}
		},
		"an unreadable status":    func(p *corev1.Pod) { p.Annotations[StatusAnnotation] = "{" },
		"a status of other types": func(p *corev1.Pod) { p.Annotations[StatusAnnotation] = `{"probes":[]}` },
		"a negative timeout": func(p *corev1.Pod) {
			p.Annotations[StatusAnnotation] = strings.Replace(p.Annotations[StatusAnnotation], `"timeoutSeconds":5`, `"timeoutSeconds":-5`, 1)
		},
		"an entry without a command": func(p *corev1.Pod) {
			p.Annotations[StatusAnnotation] = `{"probes":{"app":{"liveness":{"outcome":"rewritten","timeoutSeconds":2,"grpc":{"port":9000,"service":""}}}}}`
		},
		"mesh: ignore": func(p *corev1.Pod) { p.Annotations[MeshAnnotation] = "ignore" },
		"probes: off":  func(p *corev1.Pod) { p.Annotations[ProbesAnnotation] = "off" },
	} {
		t.Run(name, func(t *testing.T) {
			pod := base()
			change(pod)
			if got := Mutate(pod, Policy{}); len(got.Operations) != 0 || len(got.Findings) != 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
	if got := Mutate(base(), Policy{Audit: true}); len(got.Operations) != 0 || len(got.Findings) != 0 {
		t.Errorf("an audit namespace undoes nothing, got %+v", got)
	}
}

func TestStatusKeepsRewrittenEntriesThroughReinvocation(t *testing.T) {
	pod := ownedPod().container("app", 9000).liveness(5, "grpc_health_probe", "-addr=:9000").obj()
	pod = patched(t, pod, Mutate(pod, Policy{}).Operations)
	pod.Spec.Containers = append(pod.Spec.Containers, *newPod().container("late", 9001).liveness(1, "grpc_health_probe", "-addr=:9001").obj().Spec.Containers[0].DeepCopy())

	got := Mutate(pod, Policy{})
	if len(got.Findings) != 1 || got.Findings[0].Container != "late" || got.Findings[0].Known {
		t.Fatalf("findings %+v", got.Findings)
	}
	s, _ := readStatus(patched(t, pod, got.Operations).Annotations)
	if s.Probes["app"][Liveness].Outcome != Rewritten || s.Probes["late"][Liveness].Outcome != Rewritten {
		t.Errorf("status %+v", s)
	}
}

func TestASkippedProbeIsNoNewsTheSecondTime(t *testing.T) {
	pod := ownedPod().container("app").liveness(1, "grpc_health_probe", "-addr=:9000").obj()
	pod = patched(t, pod, Mutate(pod, Policy{}).Operations)
	got := Mutate(pod, Policy{})
	if len(got.Operations) != 0 || len(got.Findings) != 1 || !got.Findings[0].Known {
		t.Errorf("got %+v", got)
	}
	pod.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: 9000}}
	if got := Mutate(pod, Policy{}); got.Findings[0].Outcome != Rewritten || got.Findings[0].Known {
		t.Errorf("a copied status hides the probe: %+v", got.Findings)
	}
}

func TestAStatusCopiedByHandHidesNothing(t *testing.T) {
	pod := newPod().container("app", 9000).liveness(1, "grpc_health_probe", "-addr=:9000").annotate("probeshift.dev/nonsense", "x").obj()
	first := Mutate(pod, Policy{})
	pod.Annotations[StatusAnnotation] = patched(t, pod, first.Operations).Annotations[StatusAnnotation]
	second := Mutate(pod, Policy{})
	if diff := cmp.Diff(first.Findings, second.Findings); diff != "" {
		t.Errorf("findings (-first +second):\n%s", diff)
	}
	if diff := cmp.Diff(first.Remarks, second.Remarks); diff != "" || len(second.Remarks) != 2 {
		t.Errorf("remarks (-first +second):\n%s", diff)
	}
	if probe := patched(t, pod, second.Operations).Spec.Containers[0].LivenessProbe; probe.Exec != nil || probe.GRPC == nil {
		t.Errorf("the probe is still exec: %+v", probe)
	}
}

// crowded is a Pod with n skipped probes of nearly 1 KiB each and one that can
// be rewritten.
func crowded(n int) *corev1.Pod {
	p := ownedPod().container("app", 9000).liveness(1, "grpc_health_probe", "-addr=:9000")
	for i := range n {
		p.container(fmt.Sprintf("skipped-%d", i)).liveness(1, "grpc_health_probe", "-addr=:1", strings.Repeat("x", 900))
	}
	return p.obj()
}

func TestALargeStatusLosesCommandsOfSkippedProbesFirst(t *testing.T) {
	pod := crowded(100)
	result := Mutate(pod, Policy{})
	pod = patched(t, pod, result.Operations)
	s, _ := readStatus(pod.Annotations)
	if len(pod.Annotations[StatusAnnotation]) > maxStatus || s.Dropped != 0 || len(s.Probes) != 101 {
		t.Errorf("%d bytes, %d containers, %d dropped", len(pod.Annotations[StatusAnnotation]), len(s.Probes), s.Dropped)
	}
	if e := s.Probes["skipped-1"][Liveness]; len(e.Exec) != 0 || !e.Cut || e.Reason != reason.PortNotDeclared {
		t.Errorf("skipped entry %+v", e)
	}
	if e := s.Probes["app"][Liveness]; len(e.Exec) == 0 {
		t.Errorf("rewritten entry lost its command: %+v", e)
	}
	for _, f := range Mutate(pod, Policy{}).Findings {
		if !f.Known {
			t.Errorf("a dropped command makes %s news again", f.Container)
		}
	}
}

func TestALargerStatusLosesSkippedProbes(t *testing.T) {
	pod := crowded(2000)
	pod = patched(t, pod, Mutate(pod, Policy{}).Operations)
	s, _ := readStatus(pod.Annotations)
	if s.Dropped != 2000 || len(s.Probes) != 1 {
		t.Errorf("%d containers, %d dropped", len(s.Probes), s.Dropped)
	}
}

func TestStatusTooLarge(t *testing.T) {
	many := ownedPod()
	for i := range 70 {
		many.container(fmt.Sprintf("app-%d", i), 9000).liveness(1, "grpc_health_probe", "-addr=:9000", strings.Repeat("x", 990))
	}
	full := ownedPod().annotate("filler", strings.Repeat("x", maxAnnotations-100)).container("app", 9000).liveness(1, "grpc_health_probe", "-addr=:9000")
	for name, pod := range map[string]*corev1.Pod{"the rewritten entries alone do not fit": many.obj(), "all annotations together do not fit": full.obj()} {
		t.Run(name, func(t *testing.T) {
			got := Mutate(pod, Policy{})
			if len(got.Operations) != 0 {
				t.Errorf("%d operations", len(got.Operations))
			}
			for _, f := range got.Findings {
				if f.Outcome != Skipped || f.Reason != reason.StatusTooLarge || f.GRPC != nil {
					t.Errorf("finding %+v", f)
				}
			}
		})
	}
}

func TestAPodThatEtcdWouldNotTakeWithOurStatusIsLeftAlone(t *testing.T) {
	pod := ownedPod().container("app", 9000).liveness(1, "grpc_health_probe", "-addr=:9000").obj()
	if got := Mutate(pod, Policy{ObjectBytes: maxObject - 10}); len(got.Operations) != 0 || got.Findings[0].Reason != reason.StatusTooLarge {
		t.Errorf("near the limit: %+v", got)
	}
	if got := Mutate(pod, Policy{ObjectBytes: maxObject / 2}); got.Findings[0].Outcome != Rewritten {
		t.Errorf("far from the limit: %+v", got)
	}
}

func TestSkippedProbesGiveWayWhereOtherAnnotationsFillThePod(t *testing.T) {
	pod := crowded(20)
	metav1.SetMetaDataAnnotation(&pod.ObjectMeta, "filler", strings.Repeat("x", 250_000))
	got := Mutate(pod, Policy{})
	if got.Findings[0].Outcome != Rewritten || annotationsSize(patched(t, pod, got.Operations).Annotations, "") > maxAnnotations {
		t.Errorf("finding %+v", got.Findings[0])
	}
}

func TestALongCommandIsCutInTheStatus(t *testing.T) {
	pod := ownedPod().container("app").liveness(1, "grpc_health_probe", strings.Repeat("ä", 5000), "more").obj()
	pod = patched(t, pod, Mutate(pod, Policy{}).Operations)
	s, _ := readStatus(pod.Annotations)
	e := s.Probes["app"][Liveness]
	if !e.Cut || len(e.Exec) != 2 || len(e.Exec[0])+len(e.Exec[1]) > maxSkippedCommand || e.Exec[1] != strings.Repeat("ä", (maxSkippedCommand-17)/2) {
		t.Errorf("entry %+v", e)
	}
	if got := Mutate(pod, Policy{}); !got.Findings[0].Known {
		t.Errorf("a cut command is news again")
	}
}

func TestVerifyRefusesWhatDoesNotApplyOrValidate(t *testing.T) {
	s := ""
	grpc := corev1.GRPCAction{Port: 9000, Service: &s}
	const at = "/spec/containers/0/livenessProbe"
	op := jsonpatch.NewOperation
	for name, c := range map[string]struct {
		pod  *corev1.Pod
		ops  []jsonpatch.Operation
		want string
	}{
		"a probe that is not there":      {newPod().container("c").obj(), []jsonpatch.Operation{op("remove", at+"/exec", nil)}, "there is no such probe"},
		"a path without a slash":         {newPod().obj(), []jsonpatch.Operation{op("remove", "x", nil)}, "there is no such probe"},
		"no exec to remove":              {withLiveness(grpcProbe(1, 1, "")), []jsonpatch.Operation{op("remove", at+"/exec", nil)}, "there is no exec"},
		"no grpc to remove":              {withLiveness(execProbe(1, "x")), []jsonpatch.Operation{op("remove", at+"/grpc", nil)}, "there is no grpc"},
		"a second grpc":                  {withLiveness(grpcProbe(1, 1, "")), []jsonpatch.Operation{op("add", at+"/grpc", grpc)}, "there is a grpc already"},
		"a second exec":                  {withLiveness(execProbe(1, "x")), []jsonpatch.Operation{op("add", at+"/exec", corev1.ExecAction{})}, "there is an exec already"},
		"a value of another type":        {withLiveness(execProbe(1, "x")), []jsonpatch.Operation{op("add", at+"/grpc", "x")}, "or the value is none"},
		"two handlers in the end":        {withLiveness(execProbe(1, "x")), []jsonpatch.Operation{op("add", at+"/grpc", grpc)}, "it has 2 handlers"},
		"no handler in the end":          {withLiveness(execProbe(1, "x")), []jsonpatch.Operation{op("remove", at+"/exec", nil)}, "it has 0 handlers"},
		"a port out of range":            {withLiveness(execProbe(1, "x")), []jsonpatch.Operation{op("remove", at+"/exec", nil), op("add", at+"/grpc", corev1.GRPCAction{Port: 65536})}, "port 65536"},
		"an empty command":               {withLiveness(grpcProbe(1, 1, "")), []jsonpatch.Operation{op("remove", at+"/grpc", nil), op("add", at+"/exec", corev1.ExecAction{})}, "its command is empty"},
		"no timeout to replace":          {withLiveness(grpcProbe(0, 1, "")), []jsonpatch.Operation{op("replace", at+"/timeoutSeconds", int32(1))}, "there is no timeout"},
		"a negative timeout":             {withLiveness(grpcProbe(1, 1, "")), []jsonpatch.Operation{op("replace", at+"/timeoutSeconds", int32(-1))}, "its timeout is negative"},
		"another field":                  {withLiveness(grpcProbe(1, 1, "")), []jsonpatch.Operation{op("replace", at+"/periodSeconds", int32(1))}, "none that is ever sent"},
		"the whole map over annotations": {newPod().annotate("a", "b").obj(), []jsonpatch.Operation{op("add", "/metadata/annotations", map[string]string{StatusAnnotation: "{}"})}, "does not write the status"},
		"a key into absent annotations":  {newPod().obj(), []jsonpatch.Operation{op("add", "/metadata/annotations/probeshift.dev~1status", "{}")}, "does not write the status"},
		"another key":                    {newPod().annotate("a", "b").obj(), []jsonpatch.Operation{op("add", "/metadata/annotations/a", "{}")}, "does not write the status"},
		"an empty status":                {newPod().annotate("a", "b").obj(), []jsonpatch.Operation{op("add", "/metadata/annotations/probeshift.dev~1status", "")}, "does not write the status"},
		"an annotation of another type":  {newPod().annotate("a", "b").obj(), []jsonpatch.Operation{op("remove", "/metadata/annotations/probeshift.dev~1status", nil)}, "does not write the status"},
	} {
		t.Run(name, func(t *testing.T) {
			err := verify(c.pod, c.ops)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func withLiveness(p *corev1.Probe) *corev1.Pod {
	pod := newPod().container("c").obj()
	pod.Spec.Containers[0].LivenessProbe = p
	return pod
}

func TestAPatchThatFailsItsCheckIsNotSent(t *testing.T) {
	pod := ownedPod().container("app", 9000).liveness(5, "grpc_health_probe", "-addr=:9000").obj()
	v, _ := newJudge(pod, switches{rewrite: true}, status{}).one(site{
		container: &pod.Spec.Containers[0], kind: Liveness, probe: pod.Spec.Containers[0].LivenessProbe, path: "/spec/containers/7/livenessProbe",
	})
	got := patch(pod, 0, []verdict{v}, Result{Findings: []Finding{*v.finding}})
	if len(got.Operations) != 0 || got.Findings[0].Outcome != Skipped || got.Findings[0].Reason != reason.InternalError {
		t.Errorf("got %+v", got)
	}
}

func TestSentences(t *testing.T) {
	s, named := "", "pkg.S"
	for want, f := range map[string]Finding{
		"The exec probe is now a grpc probe of port 9000.":                        {Outcome: Rewritten, GRPC: &corev1.GRPCAction{Port: 9000, Service: &s}},
		`The exec probe would become a grpc probe of port 9000, service "pkg.S".`: {Outcome: WouldRewrite, GRPC: &corev1.GRPCAction{Port: 9000, Service: &named}},
		"The probe has its exec command again: " + reason.Mesh.Sentence():         {Outcome: Restored, Reason: reason.Mesh},
		reason.Gzip.Sentence(): {Outcome: Skipped, Reason: reason.Gzip},
	} {
		if got := f.Sentence(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDetailsHoldNothingOfTheCommandThatCouldBeSecret(t *testing.T) {
	const token = "s3cr3t"
	for _, command := range [][]string{
		{"grpc_health_probe", "-addr=:9000", "-rpc-header", token},
		{"grpc_health_probe", "-addr=:9000", "-connect-timeout", token},
		{"grpc_health_probe", "-addr=:9000", "-tls=" + token},
		{"grpc_health_probe", "-addr=http://user:" + token + "@host:1"},
		{"grpc_health_probe", "-addr=user:" + token + "@host:1"},
		{"env", "TOKEN=" + token, "nice", "grpc_health_probe"},
		{"sh", "-c", "TOKEN=" + token + " grpc_health_probe -addr=:9000"},
		{"grpc_health_probe", "-addr=:9000", "-=" + token},
	} {
		f := Mutate(ownedPod().container("app").liveness(1, command...).obj(), Policy{}).Findings[0]
		f.Command = nil
		if text, _ := json.Marshal(f); strings.Contains(string(text)+f.Sentence(), token) {
			t.Errorf("%q: %s", command, text)
		}
	}
}
