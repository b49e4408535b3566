package deploy

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/probeshift/probeshift/cmd/webhook/server"
)

// deployments are those of a rendering.
func deployments(t *testing.T, objects []*unstructured.Unstructured) []*appsv1.Deployment {
	t.Helper()
	var all []*appsv1.Deployment
	for _, o := range only(objects, "Deployment") {
		all = append(all, one[appsv1.Deployment](t, objects, "Deployment", o.GetName()))
	}
	return all
}

// podFrom is a Pod as the Deployment's controller makes it.
func podFrom(deployment *appsv1.Deployment) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: deployment.Spec.Template.ObjectMeta, Spec: deployment.Spec.Template.Spec}
	pod.Namespace, pod.GenerateName = deployment.Namespace, deployment.Name+"-"
	return pod
}

// selected is the one Deployment whose Pods a selector means.
func selected(t *testing.T, objects []*unstructured.Unstructured, what string, selector map[string]string) *appsv1.Deployment {
	t.Helper()
	var found []*appsv1.Deployment
	for _, d := range deployments(t, objects) {
		if labels.SelectorFromSet(selector).Matches(labels.Set(d.Spec.Template.Labels)) {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s selects the Pods of %d Deployments by %v, want one", what, len(found), selector)
	}
	return found[0]
}

// checkSelectors looks whether a Deployment, and how it spreads its Pods, means
// its own Pods.
func checkSelectors(t *testing.T, deployment *appsv1.Deployment) {
	t.Helper()
	own := deployment.Spec.Template.Labels
	selectors := []*metav1.LabelSelector{deployment.Spec.Selector}
	for _, c := range deployment.Spec.Template.Spec.TopologySpreadConstraints {
		selectors = append(selectors, c.LabelSelector)
	}
	for _, s := range selectors {
		if diff := cmp.Diff(own, s.MatchLabels); diff != "" {
			t.Errorf("%s: labels of its Pods (-) and what it selects by (+):\n%s", deployment.Name, diff)
		}
	}
}

// portsOf are the ports of a Deployment's container by their names.
func portsOf(deployment *appsv1.Deployment) map[string]int32 {
	ports := map[string]int32{}
	for _, p := range deployment.Spec.Template.Spec.Containers[0].Ports {
		ports[p.Name] = p.ContainerPort
	}
	return ports
}

// listenedTo reads the Deployment's arguments as the program does, and returns
// the ports that it opens with them.
func listenedTo(t *testing.T, deployment *appsv1.Deployment) map[string]int32 {
	t.Helper()
	options := optionsOf(t, deployment)
	ports := map[string]int32{
		"metrics": port(t, options.MetricsBindAddress),
		"health":  port(t, options.HealthProbeBindAddress),
	}
	for part := range strings.SplitSeq(options.Run, ",") {
		switch part {
		case "admission":
			ports["webhook"] = int32(options.Port) //nolint:gosec // a port
		case "discovery":
			ports["xds"] = int32(options.DiscoveryPort) //nolint:gosec // a port
		}
	}
	return ports
}

// optionsOf reads the Deployment's arguments and environment as the program does.
func optionsOf(t *testing.T, deployment *appsv1.Deployment) *server.Options {
	t.Helper()
	container := deployment.Spec.Template.Spec.Containers[0]
	options := server.NewOptions(func(name string) string {
		for _, e := range container.Env {
			if e.Name != name {
				continue
			}
			// What the downward API has for it.
			return map[string]string{"": e.Value, "metadata.namespace": deployment.Namespace, "status.podIP": "10.1.2.3"}[fieldOf(e)]
		}
		return ""
	})
	flags := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	sets := options.Flags()
	for _, set := range sets.FlagSets {
		flags.AddFlagSet(set)
	}
	if err := flags.Parse(container.Args); err != nil {
		t.Fatal(err)
	}
	for _, err := range options.Validate() {
		t.Error(err)
	}
	return options
}

// fieldOf is the field of the Pod that a variable takes its value from.
func fieldOf(e corev1.EnvVar) string {
	if e.ValueFrom == nil || e.ValueFrom.FieldRef == nil {
		return ""
	}
	return e.ValueFrom.FieldRef.FieldPath
}

// port is the port of an address.
func port(t *testing.T, address string) int32 {
	t.Helper()
	_, number, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	var p int32
	if _, err := fmt.Sscan(number, &p); err != nil {
		t.Fatal(err)
	}
	return p
}
