package manifests_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/mutate"
	"github.com/probeshift/probeshift/test/apiserver"
)

// resources are the kinds that the API server knows by itself.
var resources = map[string]schema.GroupVersionResource{
	"v1 Pod":                   {Version: "v1", Resource: "pods"},
	"v1 PodTemplate":           {Version: "v1", Resource: "podtemplates"},
	"v1 ReplicationController": {Version: "v1", Resource: "replicationcontrollers"},
	"apps/v1 Deployment":       {Group: "apps", Version: "v1", Resource: "deployments"},
	"apps/v1 DaemonSet":        {Group: "apps", Version: "v1", Resource: "daemonsets"},
	"apps/v1 ReplicaSet":       {Group: "apps", Version: "v1", Resource: "replicasets"},
	"apps/v1 StatefulSet":      {Group: "apps", Version: "v1", Resource: "statefulsets"},
	"batch/v1 CronJob":         {Group: "batch", Version: "v1", Resource: "cronjobs"},
	"batch/v1 Job":             {Group: "batch", Version: "v1", Resource: "jobs"},
}

// server is a real API server with clients.
type server struct {
	dynamic dynamic.Interface
	client  kubernetes.Interface
}

func start(t *testing.T) server {
	t.Helper()
	running, err := apiserver.Start(apiserver.Options{Flags: map[string][]string{
		"disable-admission-plugins": {"ServiceAccount"}, // nobody makes accounts here
		"feature-gates":             {"GRPCContainerProbeTLS=true"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Stop(); err != nil {
			t.Error(err)
		}
	})
	running.Config.QPS = -1
	running.Config.WarningHandler = rest.NoWarnings{} // other tests prove them
	return server{dynamic.NewForConfigOrDie(running.Config), kubernetes.NewForConfigOrDie(running.Config)}
}

// TestTheResultIsWhatAClusterTakes sends every object of every case to a real API
// server before and after migrate. Then it creates the Pods of their templates:
// those of the old manifest, which the webhook rewrites, have the probes of those of
// the migrated one.
func TestTheResultIsWhatAClusterTakes(t *testing.T) {
	s := start(t)
	cases := load(t)
	policies := map[string]mutate.Policy{knative: {Template: true}}
	for _, g := range cases {
		policies[namespaceOf(g)] = policyOf(g)
	}
	s.serveWebhook(t, policies)
	compared := 0
	for _, g := range cases {
		t.Run(g.name, func(t *testing.T) {
			before, after := tree(t, filepath.Join(g.dir, "before")), tree(t, filepath.Join(g.dir, "after"))
			for path, old := range before {
				if old == after[path] || strings.Contains(path, "overlay") { // a patch alone is no object
					continue
				}
				olds, news := objectsOf(t, old), objectsOf(t, after[path])
				for i := range olds {
					s.create(t, olds[i])
					s.create(t, news[i])
					compared += s.compare(t, g, olds[i], news[i])
				}
			}
		})
	}
	t.Logf("%d Pods compared", compared)
	if compared < 60 {
		t.Errorf("only %d Pods were compared", compared)
	}
}

// knative is the namespace whose webhook takes Pods for those of a platform that
// adds env to them, as nobody does here.
const knative = "knative"

// namespaceOf is the namespace whose webhook has the flags of a case.
func namespaceOf(g golden) string {
	var letters strings.Builder
	letters.WriteString("flags")
	for _, c := range strings.ToLower(strings.Join(g.flags, "")) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			letters.WriteRune(c)
		}
	}
	return letters.String()
}

// policyOf is the policy of a case's flags, as far as cases use them.
func policyOf(g golden) mutate.Policy {
	var p mutate.Policy
	for _, f := range g.flags {
		switch f {
		case "--ports=any":
			p.AnyPort = true
		case "--mesh=ignore":
			p.IgnoreMesh = true
		case "--grpc-probe-tls=always":
			p.TLSProbes = true
		case "--pod-ip-family=6":
			p.IPv6 = true
		case "--bare-pods=skip":
			p.SkipBarePods = true
		}
		if name, ok := strings.CutPrefix(f, "--tool-name="); ok {
			p.ToolNames = append(p.ToolNames, name)
		}
	}
	return p
}

// objectsOf are the objects of a file, read by kubectl's parser, the items of
// lists each for itself.
func objectsOf(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for _, document := range splitDocuments(text) {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		items, isList := object["items"].([]any)
		if !isList {
			all = append(all, object)
		}
		for _, item := range items {
			all = append(all, item.(map[string]any))
		}
	}
	return all
}

// create creates an object, dry run. Kinds of others are not known here.
func (s server) create(t *testing.T, object map[string]any) {
	t.Helper()
	resource, known := resources[fmt.Sprint(object["apiVersion"], " ", object["kind"])]
	if !known {
		return
	}
	_, err := s.dynamic.Resource(resource).Namespace("default").Create(t.Context(), &unstructured.Unstructured{Object: copyOf(t, object)},
		metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		t.Errorf("%s: the API server says: %v", nameOf(object), err)
	}
}

// compare creates the Pods of the templates of an object: before, through the
// webhook, and after, without it.
func (s server) compare(t *testing.T, g golden, old, changed map[string]any) (compared int) {
	t.Helper()
	olds, news := podsOf(t, old), podsOf(t, changed)
	if len(olds) != len(news) {
		t.Fatalf("%s: %d templates became %d", nameOf(old), len(olds), len(news))
	}
	namespace := namespaceOf(g)
	if strings.HasPrefix(fmt.Sprint(old["apiVersion"]), "serving.knative.dev/") {
		namespace = knative
	}
	for i := range olds {
		olds[i].Namespace = namespace
		rewritten, written := probesOf(s.admit(t, olds[i])), probesOf(s.admit(t, news[i]))
		for _, name := range leftToPeople(g, nameOf(old)) {
			if rewritten[name].GRPC == nil || written[name].Exec == nil {
				t.Errorf("%s %s: it is not left to people", nameOf(old), name)
			}
			delete(rewritten, name)
			delete(written, name)
		}
		if diff := cmp.Diff(rewritten, written); diff != "" {
			t.Errorf("%s: the probes of a Pod (-webhook +migrate):\n%s", nameOf(old), diff)
		}
		compared++
	}
	return compared
}

// leftToPeople are the probes of an object that the webhook rewrites and migrate
// does not: in a block that others share, in text that cannot be edited, and where a
// patch in another file writes.
func leftToPeople(g golden, object string) []string {
	return map[string][]string{
		"a-command-shared-with-a-hook Pod/hook":                {"server liveness"},
		"a-kustomization-with-patches Deployment/cart":         {"cart readiness"},
		"a-kustomization-with-patches Deployment/other":        {"other startup"},
		"a-patch-next-to-its-kustomization Deployment/patched": {"server liveness"},
		"a-patch-next-to-its-kustomization Deployment/inline":  {"server liveness"},
		"text-that-cannot-be-edited Pod/escaped":               {"server liveness"},
	}[g.name+" "+object]
}

// admit is a Pod as the API server makes it: defaulted and validated.
func (s server) admit(t *testing.T, pod *corev1.Pod) *corev1.Pod {
	t.Helper()
	admitted, err := s.client.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		t.Fatalf("%s: the API server says: %v", pod.Name, err)
	}
	return admitted
}

// podsOf are the Pods that a controller would make of the templates of an object:
// of whatever holds spec.containers.
func podsOf(t *testing.T, object map[string]any) []*corev1.Pod {
	t.Helper()
	var pods []*corev1.Pod
	var visit func(value any, isRoot bool)
	visit = func(value any, isRoot bool) {
		switch value := value.(type) {
		case map[string]any:
			spec, _ := value["spec"].(map[string]any)
			if _, ok := spec["containers"]; !ok {
				for _, below := range value {
					visit(below, false)
				}
				return
			}
			text, err := json.Marshal(map[string]any{"metadata": value["metadata"], "spec": spec})
			if err != nil {
				t.Fatal(err)
			}
			var pod corev1.Pod
			if err := json.Unmarshal(text, &pod); err != nil {
				t.Fatal(err)
			}
			pod.Name, pod.GenerateName, pod.Namespace = "cart", "", "default"
			if !isRoot {
				pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: "cart", UID: "1", Controller: new(true)}}
			}
			pods = append(pods, &pod)
		case []any:
			for _, below := range value {
				visit(below, false)
			}
		}
	}
	visit(object, true)
	return pods
}

// probesOf are the probes of a Pod by container and kind.
func probesOf(pod *corev1.Pod) map[string]*corev1.Probe {
	probes := map[string]*corev1.Probe{}
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for _, c := range list {
			for kind, probe := range map[string]*corev1.Probe{"liveness": c.LivenessProbe, "readiness": c.ReadinessProbe, "startup": c.StartupProbe} {
				if probe != nil {
					probes[c.Name+" "+kind] = probe
				}
			}
		}
	}
	return probes
}

func nameOf(object map[string]any) string {
	name, _, _ := unstructured.NestedString(object, "metadata", "name")
	return fmt.Sprint(object["kind"], "/", name)
}

func copyOf(t *testing.T, object map[string]any) map[string]any {
	t.Helper()
	text, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var result map[string]any
	if err := json.Unmarshal(text, &result); err != nil {
		t.Fatal(err)
	}
	return result
}
