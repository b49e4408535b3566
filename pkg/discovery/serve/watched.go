package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/probeshift/probeshift/pkg/discovery"
)

// byService is the index of EndpointSlices by their Service.
const byService = "service"

// staleAfter is after how long without an answer of the API server this replica is
// no longer offered to sidecars that connect.
const staleAfter = 2 * time.Minute

// firstPause and longestPause are how long is waited between two calls of an API
// server that is away, give or take a half.
const (
	firstPause   = 500 * time.Millisecond
	longestPause = 4 * time.Second
)

// watched are the Services and EndpointSlices of the cluster, as the informers
// know them. While the API server is away they stay as they were last seen; a
// list that is read again replaces them in one step.
type watched struct {
	services cache.SharedIndexInformer
	slices   cache.SharedIndexInformer
	metrics  *metrics
	quiet    *quiet
	now      func() time.Time
	// failing is since when there has been no answer for Services and for
	// EndpointSlices, in nanoseconds since 1970; 0 while there is.
	failing [2]atomic.Int64
	// problem is the last error of a list or a watch.
	problem atomic.Pointer[error]
}

// newWatched returns informers that do not run yet.
func newWatched(core coreclient.ServicesGetter, slices discoveryclient.EndpointSlicesGetter, m *metrics, log *quiet, now func() time.Time) (*watched, error) {
	w := &watched{metrics: m, quiet: log, now: now}
	w.services = newInformer(w, &w.failing[0], "Services", core, core.Services(metav1.NamespaceAll).List, core.Services(metav1.NamespaceAll).Watch, &corev1.Service{}, nil)
	w.slices = newInformer(w, &w.failing[1], "EndpointSlices", slices, slices.EndpointSlices(metav1.NamespaceAll).List, slices.EndpointSlices(metav1.NamespaceAll).Watch,
		&discoveryv1.EndpointSlice{}, cache.Indexers{byService: sliceIndex})
	for _, informer := range []cache.SharedIndexInformer{w.services, w.slices} {
		if err := informer.SetTransform(discovery.Strip); err != nil {
			return nil, fmt.Errorf("strip objects: %w", err)
		}
		// Errors have been told of where they came up.
		if err := informer.SetWatchErrorHandlerWithContext(func(context.Context, *cache.Reflector, error) {}); err != nil {
			return nil, fmt.Errorf("watch: %w", err)
		}
	}
	return w, nil
}

// newInformer returns an informer of all objects of a kind, whose client is asked
// whether it can list by a watch.
func newInformer[L runtime.Object](w *watched, failing *atomic.Int64, what string, client any,
	list func(context.Context, metav1.ListOptions) (L, error),
	follow func(context.Context, metav1.ListOptions) (watch.Interface, error),
	kind runtime.Object, indexers cache.Indexers,
) cache.SharedIndexInformer {
	source := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return insist(ctx, w, failing, what, func() (L, error) { return list(ctx, options) })
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return insist(ctx, w, failing, what, func() (watch.Interface, error) { return follow(ctx, options) })
		},
	}
	// Nothing is gained by telling of everything again now and then: no resync.
	return cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(source, client), kind, 0, indexers)
}

// insist calls the API server until it does what it is asked for, or says that it
// will not do just that, which is for the informer to deal with. While the API
// server is away, or the rights are not there yet, the informer would come to wait
// up to a minute between two attempts, and sidecars would follow late after it.
func insist[T any](ctx context.Context, w *watched, failing *atomic.Int64, what string, call func() (T, error)) (T, error) {
	pause := wait.Backoff{Duration: firstPause, Factor: 2, Jitter: 0.5, Steps: math.MaxInt32, Cap: longestPause}
	for {
		got, err := call()
		if err == nil {
			failing.Store(0)
		}
		if err == nil || ctx.Err() != nil {
			return got, err
		}
		failing.CompareAndSwap(0, w.now().UnixNano())
		err = fmt.Errorf("watch %s: %w", what, err)
		w.problem.Store(&err)
		w.metrics.watchErrors.Inc()
		w.quiet.Info(what, "cannot follow the cluster, sidecars keep what they know", "error", err.Error())
		if isFinal(err) {
			return got, err
		}
		select {
		case <-ctx.Done():
			return got, err
		case <-time.After(pause.Step()):
		}
	}
}

// isFinal says that the informer must deal with an error, because asking for the
// same again would be answered alike: a version is too old or, after a restore of
// etcd, too new, or the API server does not know a way to list.
func isFinal(err error) bool {
	answer := apierrors.APIStatus(nil)
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Status().Code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return false
	default:
		return true
	}
}

// start runs the informers until ctx ends and has them tell changed of every
// Service that something happened to. synced waits until all that was there has
// been told; it is false when ctx ended before.
func (w *watched) start(ctx context.Context, running *sync.WaitGroup, changed func(types.NamespacedName)) (synced func() bool, err error) {
	// The store of an informer is full before its handlers have been told: only
	// the latter is being in step.
	var told []cache.DoneChecker
	for _, informer := range []cache.SharedIndexInformer{w.services, w.slices} {
		registration, err := informer.AddEventHandler(handler(changed))
		if err != nil {
			return nil, fmt.Errorf("follow the cluster: %w", err)
		}
		told = append(told, registration.HasSyncedChecker())
		running.Go(func() { informer.RunWithContext(ctx) })
	}
	return func() bool { return cache.WaitFor(ctx, "", told...) }, nil
}

// handler tells which Service an object that came, changed or went belongs to.
func handler(changed func(types.NamespacedName)) cache.ResourceEventHandler {
	tell := func(object any) {
		if service, ok := serviceOf(object); ok {
			changed(service)
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc: tell,
		UpdateFunc: func(before, after any) {
			tell(after)
			// A slice may be handed from one Service to another.
			was, _ := serviceOf(before)
			if is, _ := serviceOf(after); was != is {
				tell(before)
			}
		},
		DeleteFunc: func(object any) {
			// An object that went while nobody watched, in its last known form.
			if unseen, ok := object.(cache.DeletedFinalStateUnknown); ok {
				object = unseen.Obj
			}
			tell(object)
		},
	}
}

// serviceOf is the Service that an object is, or is of; ok is false for a slice
// that is nobody's.
func serviceOf(object any) (service types.NamespacedName, ok bool) {
	switch o := object.(type) {
	case *corev1.Service:
		return types.NamespacedName{Namespace: o.Namespace, Name: o.Name}, true
	case *discoveryv1.EndpointSlice:
		name, ok := o.Labels[discoveryv1.LabelServiceName]
		return types.NamespacedName{Namespace: o.Namespace, Name: name}, ok
	}
	return types.NamespacedName{}, false
}

func sliceIndex(object any) ([]string, error) {
	service, ok := serviceOf(object)
	if !ok {
		return nil, nil
	}
	return []string{service.String()}, nil
}

// of returns a Service, nil where there is none, and its slices, for reading only.
func (w *watched) of(name types.NamespacedName) (*corev1.Service, []*discoveryv1.EndpointSlice) {
	// Both stores are in memory: looking up a key or an index that exists does
	// not fail.
	object, _, _ := w.services.GetStore().GetByKey(name.String())
	service, _ := object.(*corev1.Service)
	objects, _ := w.slices.GetIndexer().ByIndex(byService, name.String())
	slices := make([]*discoveryv1.EndpointSlice, 0, len(objects))
	for _, object := range objects {
		if slice, ok := object.(*discoveryv1.EndpointSlice); ok {
			slices = append(slices, slice)
		}
	}
	return service, slices
}

// stale says that what is known may be of long ago.
func (w *watched) stale() error {
	for i := range w.failing {
		since := w.failing[i].Load()
		if problem := w.problem.Load(); since != 0 && problem != nil && w.now().Sub(time.Unix(0, since)) > staleAfter {
			return fmt.Errorf("the cluster has not been followed for more than %s: %w", staleAfter, *problem)
		}
	}
	return nil
}

// missing says why not everything is known yet.
func (w *watched) missing() error {
	if problem := w.problem.Load(); problem != nil {
		return fmt.Errorf("not all Services and EndpointSlices are known yet: %w: "+
			"see that the API server is up and that the ServiceAccount may list and watch them", *problem)
	}
	return errors.New("not all Services and EndpointSlices are known yet")
}
