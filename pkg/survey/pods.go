package survey

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pageSize is how many Pods are asked for at once; kubectl's number.
const pageSize = 500

// PodLister lists Pods; a client's Pods(namespace) does.
type PodLister interface {
	List(ctx context.Context, options metav1.ListOptions) (*corev1.PodList, error)
}

// EachPod calls visit for every Pod that the label selector matches, page by
// page, so that memory does not grow with the cluster. After each page it calls
// progress with the Pods seen and the total; the total is 0 where the API
// server does not tell, as with a selector. Both get a Pod that is only theirs
// during the call.
func EachPod(ctx context.Context, lister PodLister, selector string, visit func(*corev1.Pod), progress func(seen, total int)) error {
	options := metav1.ListOptions{LabelSelector: selector, Limit: pageSize}
	seen := 0
	for {
		page, err := lister.List(ctx, options)
		if next := afterExpiry(err); next != "" {
			// The list began too long ago for the API server to go on with it.
			// It goes on with its present state: each Pod once, as of now.
			options.Continue = next
			continue
		}
		if err != nil {
			return fmt.Errorf("list Pods: %w", err)
		}
		for i := range page.Items {
			visit(&page.Items[i])
		}
		seen += len(page.Items)
		total := 0
		if page.RemainingItemCount != nil {
			total = seen + int(*page.RemainingItemCount)
		} else if page.Continue == "" {
			total = seen
		}
		progress(seen, total)
		if page.Continue == "" {
			return nil
		}
		options.Continue = page.Continue
	}
}

// afterExpiry is the token to go on with after a list expired, "" for any other
// error or none.
func afterExpiry(err error) string {
	if !apierrors.IsResourceExpired(err) {
		return ""
	}
	status, ok := err.(apierrors.APIStatus)
	if !ok {
		return ""
	}
	return status.Status().Continue
}
