package sidecar

import (
	"encoding/json"
	"strings"
	"testing"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func client(edits ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{UpstreamsAnnotation: "greeter:9000"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}},
	}
	for _, edit := range edits {
		edit(pod)
	}
	return pod
}

func TestAPatchThatWouldHarmIsNotSent(t *testing.T) {
	pod := client()
	object, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	whole := Inject(pod, "shop", DefaultPolicy()).Operations
	if err := Verify(object, whole); err != nil {
		t.Fatalf("the whole patch: %v", err)
	}
	last := len(whole) - 1
	operation := jsonpatch.NewOperation
	for sentence, tc := range map[string]struct {
		operations []jsonpatch.Operation
		want       string
	}{
		"without the container":       {whole[:last], "not the first init container"},
		"without the aliases":         {whole[1:], "does not match"},
		"without the status":          {[]jsonpatch.Operation{whole[0], whole[1], whole[last]}, "does not match"},
		"without the label":           {[]jsonpatch.Operation{whole[0], whole[2], whole[last]}, "is not labelled"},
		"a path that is not there":    {append([]jsonpatch.Operation{operation("replace", "/spec/containers/7/args/0", "x")}, whole...), "apply the patch"},
		"another container first":     {append(whole[:last+1:last+1], operation("add", "/spec/initContainers/0", corev1.Container{Name: "other"})), "not the first"},
		"the container twice":         {append(whole[:last+1:last+1], operation("add", "/spec/initContainers/-", corev1.Container{Name: ContainerName})), "two sidecars"},
		"a value of the wrong type":   {append(whole[:last+1:last+1], operation("add", "/spec/hostNetwork", "yes")), "does not decode"},
		"annotations that do not fit": {append(whole[:last+1:last+1], operation("add", "/metadata/annotations/x", strings.Repeat("x", maxAnnotations))), "annotations"},
		"a Pod that does not fit":     {append(whole[:last+1:last+1], operation("add", "/spec/x", strings.Repeat("x", maxObject))), "the Pod would have"},
		"a value that is no JSON":     {append(whole[:last+1:last+1], operation("add", "/spec/x", func() {})), "write the patch"},
	} {
		if err := Verify(object, tc.operations); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %s", sentence, err, tc.want)
		}
	}
}

func TestAPodThatWouldBeTooLargeIsRefused(t *testing.T) {
	for sentence, pod := range map[string]*corev1.Pod{
		"annotations": client(func(p *corev1.Pod) { p.Annotations["example.com/x"] = strings.Repeat("x", maxAnnotations-200) }),
		"the Pod": client(func(p *corev1.Pod) {
			p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "X", Value: strings.Repeat("x", maxObject-1000)}}
		}),
	} {
		r := Inject(pod, "shop", DefaultPolicy())
		if r.Outcome != Refused || r.Problems[0].Code != TooLarge {
			t.Errorf("%s: %s %v", sentence, r.Outcome, r.Problems)
		}
	}
}

func TestAMessageOfManyProblemsIsCut(t *testing.T) {
	pod := client(func(p *corev1.Pod) { p.Annotations[UpstreamsAnnotation] = strings.Repeat("greeter,", 30) })
	r := Inject(pod, "shop", DefaultPolicy())
	if got := r.Message(); !strings.Contains(got, "30 problems:") || !strings.Contains(got, "(20) ") || !strings.HasSuffix(got, "; and 10 more") {
		t.Errorf("message %s", got)
	}
}

func TestAUserOfItsOwnIsFound(t *testing.T) {
	users := []int64{62902, 62903}
	pod := client(func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: &users[0]}
		p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{RunAsUser: &users[1]}
	})
	r := Inject(pod, "shop", DefaultPolicy())
	object, err := json.Marshal(pod)
	if err != nil {
		t.Fatal(err)
	}
	patched, err := Apply(object, r.Operations)
	if err != nil {
		t.Fatal(err)
	}
	var after corev1.Pod
	if err := json.Unmarshal(patched, &after); err != nil {
		t.Fatal(err)
	}
	if got := *after.Spec.InitContainers[0].SecurityContext.RunAsUser; got != 62904 {
		t.Errorf("runs as %d", got)
	}
}
