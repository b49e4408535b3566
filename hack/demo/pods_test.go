package main

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestAPodIsMadeAsItsControllerMakesIt(t *testing.T) {
	const template = `
  template:
    metadata: {labels: {app: shop}}
    spec: {containers: [{name: server, image: shop}]}`

	// made is what tells a controller's Pod from its template.
	type made struct {
		Name, GenerateName, Owner string
		Labels                    map[string]string
		Claims                    []string
	}
	for name, tc := range map[string]struct {
		manifest string
		want     made
	}{
		"a Deployment's by its ReplicaSet, named and labelled with the template's hash": {
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:" + template,
			made{
				GenerateName: "shop-HASH-", Owner: "ReplicaSet shop-HASH",
				Labels: map[string]string{"app": "shop", "pod-template-hash": "HASH"},
			},
		},
		"a DaemonSet's with a name of its own": {
			"apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: shop}\nspec:" + template,
			made{GenerateName: "shop-", Owner: "DaemonSet shop", Labels: map[string]string{"app": "shop"}},
		},
		"a StatefulSet's with a number and a volume for each claim": {
			"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: shop}\nspec:\n  volumeClaimTemplates: [{metadata: {name: data}}]" + template,
			made{Name: "shop-0", Owner: "StatefulSet shop", Labels: map[string]string{"app": "shop"}, Claims: []string{"data-shop-0"}},
		},
		"a Pod that nobody owns stays as it is": {
			"apiVersion: v1\nkind: Pod\nmetadata: {name: shop}\nspec: {containers: [{name: server, image: shop}]}",
			made{Name: "shop"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod, err := readPod(fstest.MapFS{"it.yaml": {Data: []byte(tc.manifest)}}, "it.yaml")
			if err != nil {
				t.Fatal(err)
			}
			// What the hash is does not matter, that it is the same everywhere does.
			hide := func(text string) string { return text }
			if hash := pod.Labels["pod-template-hash"]; hash != "" {
				hide = strings.NewReplacer(hash, "HASH").Replace
				pod.Labels["pod-template-hash"] = "HASH"
			}
			got := made{Name: pod.Name, GenerateName: hide(pod.GenerateName), Labels: pod.Labels}
			for _, owner := range pod.OwnerReferences {
				got.Owner = hide(owner.Kind + " " + owner.Name)
				if !*owner.Controller || owner.UID == "" {
					t.Errorf("%s does not control the Pod", got.Owner)
				}
			}
			for _, volume := range pod.Spec.Volumes {
				got.Claims = append(got.Claims, volume.PersistentVolumeClaim.ClaimName)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff([]corev1.Container{{Name: "server", Image: "shop"}}, pod.Spec.Containers); diff != "" {
				t.Errorf("containers, -want +got:\n%s", diff)
			}
		})
	}
}
