package podload

import (
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestAnAPIServerThatIsAwayIsToldFromARefusal(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	for sentence, tc := range map[string]struct {
		problem error
		away    bool
	}{
		"a connection that failed":      {errors.New("connection refused"), true},
		"it is shutting down":           {apierrors.NewServiceUnavailable("shutting down"), true},
		"it asks to come again":         {apierrors.NewTooManyRequests("later", 1), true},
		"it has not read what it needs": {apierrors.NewForbidden(pods, "", errors.New("not yet ready to handle request")), true},
		"somebody forbids the Pod":      {apierrors.NewForbidden(pods, "", errors.New("quota")), false},
		"a webhook denied the Pod":      {apierrors.NewBadRequest("admission webhook denied the request"), false},
		"a webhook's call failed":       {apierrors.NewInternalError(errors.New("failed calling webhook")), false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := unreachable(tc.problem); got != tc.away {
				t.Errorf("away: %t", got)
			}
		})
	}
}

func TestOnlyALegacyPodThatStayedAsItWasIsMissed(t *testing.T) {
	native := newPod(true)
	native.Spec.Containers[0].ReadinessProbe.ProbeHandler = corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 50051}}
	var tally Tally
	for _, c := range []creation{
		{legacy: true, pod: native},
		{legacy: false, pod: newPod(false)},
		{legacy: true, problem: errors.New("refused")},
		{legacy: true, dryRun: true, pod: newPod(true)},
	} {
		tally.record(c)
	}
	c := tally.Counts()
	if c.Pods != 4 || c.Legacy != 3 || c.DryRun != 1 || len(c.Refused) != 1 || len(c.Unmutated) != 1 {
		t.Errorf("counts: %+v", c)
	}
}
