package certs

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRestoresBackOffAfterThree(t *testing.T) {
	var r restores
	var now time.Duration
	var waits []time.Duration
	fights := 0
	for range 11 {
		now += r.wait(now)
		if r.record(now) {
			fights++
		}
		waits = append(waits, r.wait(now))
	}
	s := time.Second
	want := []time.Duration{0, 0, 0, s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s}
	if diff := cmp.Diff(want, waits); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
	if fights != 1 {
		t.Errorf("%d fights were reported, want 1", fights)
	}
	now += restoresWindow + time.Second
	if r.record(now); r.wait(now) != 0 {
		t.Error("a repair after a long peace waits")
	}
}

func TestSuspects(t *testing.T) {
	fields := func(json string) *metav1.FieldsV1 {
		f := &metav1.FieldsV1{}
		f.SetRawBytes([]byte(json))
		return f
	}
	owns := `{"f:webhooks":{".":{},"k:{\"name\":\"a\"}":{".":{},"f:clientConfig":{"f:caBundle":{}}}}}`
	earlier, later := metav1.NewTime(simOrigin), metav1.NewTime(simOrigin.Add(time.Hour))
	for sentence, test := range map[string]struct {
		managed []metav1.ManagedFieldsEntry
		want    string
	}{
		"the manager that owns the field": {
			[]metav1.ManagedFieldsEntry{
				{Manager: fieldManager, FieldsV1: fields(owns)},
				{Manager: "argocd-controller", FieldsV1: fields(owns), Time: &earlier},
				{Manager: "helm", FieldsV1: fields(`{"f:metadata":{}}`), Time: &later},
			},
			"field manager argocd-controller",
		},
		"else the newest": {
			[]metav1.ManagedFieldsEntry{
				{Manager: "old", Time: &earlier}, {Manager: "kubectl-replace", Time: &later},
				{Manager: fieldManager, FieldsV1: fields(owns)},
			},
			"probably kubectl-replace or old",
		},
		"the manager that owns the key of the ConfigMap": {
			[]metav1.ManagedFieldsEntry{
				{Manager: makerManager, Time: &later},
				{Manager: fieldManager, FieldsV1: fields(`{"f:data":{"f:ca.crt":{}}}`)},
				{Manager: "kustomize-controller", FieldsV1: fields(`{"f:data":{".":{},"f:ca.crt":{}}}`), Time: &earlier},
				{Manager: "kubectl", FieldsV1: fields(`{"f:data":{"f:other":{}}}`), Time: &later},
			},
			"field manager kustomize-controller",
		},
		"nobody at all": {nil, "somebody without a field manager"},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(test.want, suspects(test.managed)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
