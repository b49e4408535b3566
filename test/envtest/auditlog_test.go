package envtest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// auditAnnotations are those of the event of a Pod's creation in the API
// server's audit log.
func (c *cluster) auditAnnotations(t *testing.T, namespace, name string) map[string]string {
	t.Helper()
	var found map[string]string
	eventually(t, "the audit log tells of "+namespace+"/"+name, func() (bool, error) {
		for line := range bytes.Lines(readFile(t, c.auditLog)) {
			var event struct {
				ObjectRef   struct{ Namespace, Name string }
				Annotations map[string]string
			}
			if json.Unmarshal(line, &event) != nil { // a line that is being written
				continue
			}
			if event.ObjectRef.Namespace == namespace && event.ObjectRef.Name == name {
				found = event.Annotations
				return true, nil
			}
		}
		return false, nil
	})
	return found
}

// ourAnnotations are those that the webhook sent.
func ourAnnotations(all map[string]string) map[string]string {
	ours := map[string]string{}
	for key, value := range all {
		if webhook, _, _ := strings.Cut(key, "/"); strings.HasSuffix(webhook, ".probeshift.dev") {
			ours[key] = value
		}
	}
	return ours
}

func theAuditLogTellsWhatWasDone(s scene) {
	t, w := s.t, s.world
	undeclared := legacyPod("orders")
	undeclared.Spec.Containers[0].Ports = nil
	for sentence, tc := range map[string]struct {
		labels map[string]string
		pod    *corev1.Pod
		want   map[string]string
	}{
		"a rewritten probe": {
			map[string]string{webhookLabel: "enabled"}, legacyPod("orders"),
			map[string]string{"rewrite.probeshift.dev/rewritten": "server/readiness"},
		},
		"a skipped probe": {
			map[string]string{webhookLabel: "enabled"}, undeclared,
			map[string]string{"rewrite.probeshift.dev/skipped": "server/readiness=port-not-declared"},
		},
		"a probe in an audited namespace": {
			map[string]string{webhookLabel: "audit"}, legacyPod("orders"),
			map[string]string{"audit.probeshift.dev/would-rewrite": "server/readiness"},
		},
		"a container that was added later": {
			map[string]string{webhookLabel: "enabled", laterLabel: "container"}, legacyPod("orders"),
			map[string]string{
				"rewrite.probeshift.dev/rewritten":       "server/readiness",
				"rewrite.probeshift.dev/later-rewritten": "agent/readiness",
			},
		},
		"a proxy that was added later": {
			map[string]string{webhookLabel: "enabled", laterLabel: "linkerd"}, legacyPod("orders"),
			map[string]string{
				"rewrite.probeshift.dev/rewritten": "server/readiness",
				"rewrite.probeshift.dev/restored":  "server/readiness=mesh",
			},
		},
		"a Pod that is none of our business": {
			map[string]string{webhookLabel: "enabled"}, plainPod(), map[string]string{},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			namespace := w.labelled(t, tc.labels)
			w.create(t, namespace, tc.pod, metav1.CreateOptions{})
			if diff := cmp.Diff(tc.want, ourAnnotations(w.auditAnnotations(t, namespace, tc.pod.Name))); diff != "" {
				t.Errorf("audit annotations (-want +logged):\n%s", diff)
			}
		})
	}
}
