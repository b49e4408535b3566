package survey_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/probeshift/probeshift/pkg/survey"
)

// pages answers a list in pages of two; the token is the number of the next Pod.
type pages struct {
	total int
	// expireAt is the token that the API server has forgotten, once.
	expireAt string
	failAt   string
	asked    []string
}

func (p *pages) List(_ context.Context, o metav1.ListOptions) (*corev1.PodList, error) {
	p.asked = append(p.asked, o.Continue)
	switch {
	case o.Continue != "" && o.Continue == p.failAt:
		return nil, errors.New("the network is down")
	case o.Continue != "" && o.Continue == p.expireAt:
		p.expireAt = ""
		return nil, &apierrors.StatusError{ErrStatus: metav1.Status{
			Code: http.StatusGone, Reason: metav1.StatusReasonExpired, ListMeta: metav1.ListMeta{Continue: o.Continue + "-anew"},
		}}
	}
	first := 0
	_, _ = fmt.Sscan(o.Continue, &first) // with and without "-anew"
	list := &corev1.PodList{}
	for i := first; i < min(first+2, p.total); i++ {
		list.Items = append(list.Items, corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(i)}})
	}
	if left := int64(p.total - first - len(list.Items)); left > 0 {
		list.Continue = fmt.Sprint(first + 2)
		if o.LabelSelector == "" {
			list.RemainingItemCount = &left
		}
	}
	return list, nil
}

func TestEveryPodIsVisitedOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		lister   pages
		selector string
		totals   []int
	}{
		"no Pods":       {pages{}, "", []int{0}},
		"one page":      {pages{total: 2}, "", []int{2}},
		"several pages": {pages{total: 5}, "", []int{5, 5, 5}},
		"with a selector, where no total is told": {pages{total: 5}, "app=web", []int{0, 0, 5}},
		"a list that expired goes on":             {pages{total: 5, expireAt: "2"}, "", []int{5, 5, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			var names []string
			var totals []int
			err := survey.EachPod(t.Context(), &tc.lister, tc.selector,
				func(pod *corev1.Pod) { names = append(names, pod.Name) }, func(_, total int) { totals = append(totals, total) })
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for i := range tc.lister.total {
				want = append(want, fmt.Sprint(i))
			}
			if diff := cmp.Diff(want, names); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(tc.totals, totals); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnErrorInTheMiddleOfAListEndsIt(t *testing.T) {
	err := survey.EachPod(t.Context(), &pages{total: 5, failAt: "2"}, "", func(*corev1.Pod) {}, func(int, int) {})
	if err == nil || err.Error() != "list Pods: the network is down" {
		t.Errorf("error %v", err)
	}
}
