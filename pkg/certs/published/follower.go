package published

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// Key is the key of the ConfigMap that holds the CA in PEM.
const Key = "ca.crt"

const (
	// resync is how often the informer tells again what it has.
	resync = 10 * time.Minute
	// firstLook is how long Ready waits for the first answer of the API server.
	firstLook = 10 * time.Second
)

// Config says what to follow.
type Config struct {
	// Client is a client of the core group. It needs the rights to list and
	// watch the one ConfigMap, by its name.
	Client rest.Interface
	// Namespace and Name are those of the ConfigMap.
	Namespace, Name string
	// Metrics takes two metrics, probeshift_sidecar_discovery_*.
	Metrics prometheus.Registerer
	Log     logr.Logger
}

// Follower knows what discovery has published last. It keeps the last good
// content while the API server is away and while the ConfigMap holds no usable
// certificate; a ConfigMap that is deleted is forgotten. It makes no call when
// it is asked.
type Follower struct {
	config    Config
	firstLook time.Duration
	looked    atomic.Bool // or has waited for long enough
	ca        atomic.Pointer[string]
	known     prometheus.Gauge
	rejected  prometheus.Counter
}

// New returns a Follower that knows nothing yet. It makes no call.
func New(config Config) *Follower {
	f := &Follower{
		config:    config,
		firstLook: firstLook,
		known: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "probeshift_sidecar_discovery_known",
			Help: "1 while the CA of discovery is known, so that new sidecars follow EndpointSlices; 0 while they work from DNS.",
		}),
		rejected: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "probeshift_sidecar_discovery_ca_rejected_total",
			Help: "Versions of discovery's ConfigMap that hold no usable CA. The last good one stays in use.",
		}),
	}
	config.Metrics.MustRegister(f.known, f.rejected)
	return f
}

// CA returns the certificates in PEM, or nothing while none are known.
func (f *Follower) CA() string {
	if ca := f.ca.Load(); ca != nil {
		return *ca
	}
	return ""
}

// Ready says what is waited for until the ConfigMap has been looked for once, or
// for 10 seconds: a Pod that is admitted before has its sidecar work from DNS for
// as long as it lives. It never turns false again.
func (f *Follower) Ready() error {
	if !f.looked.Load() {
		return fmt.Errorf("%s has not been looked for yet: waiting for the API server to answer, %s at the most", f.object(), f.firstLook)
	}
	return nil
}

// Start follows the ConfigMap until ctx ends. What the API server refuses is
// logged and tried again.
func (f *Follower) Start(ctx context.Context) error {
	objects := cache.NewFilteredListWatchFromClient(f.config.Client, "configmaps", f.config.Namespace, func(options *metav1.ListOptions) {
		options.FieldSelector = fields.OneTermEqualSelector("metadata.name", f.config.Name).String()
	})
	informer := cache.NewSharedInformer(objects, &corev1.ConfigMap{}, resync)
	if err := informer.SetWatchErrorHandlerWithContext(f.unreachable); err != nil {
		return fmt.Errorf("watch %s: %w", f.object(), err)
	}
	handled, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { f.take(object) },
		UpdateFunc: func(_, object any) { f.take(object) },
		DeleteFunc: func(any) { f.forget() },
	})
	if err != nil {
		return fmt.Errorf("watch %s: %w", f.object(), err)
	}
	enough := time.AfterFunc(f.firstLook, func() { f.looked.Store(true) })
	defer enough.Stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		informer.RunWithContext(ctx)
	}()
	if cache.WaitForCacheSync(ctx.Done(), handled.HasSynced) {
		f.looked.Store(true)
		if f.ca.Load() == nil {
			f.config.Log.Info("new sidecars work from DNS until discovery has published its CA", "missing", f.object())
		}
	}
	<-ended
	return nil
}

// take takes a version of the ConfigMap.
func (f *Follower) take(object any) {
	configMap, ok := object.(*corev1.ConfigMap)
	if !ok || configMap.Data[Key] == "" && f.ca.Load() == nil {
		return // discovery makes the ConfigMap before it has a CA
	}
	ca, err := usable(configMap.Data[Key])
	if err != nil {
		f.reject(configMap, err)
		return
	}
	before := f.ca.Swap(&ca)
	f.known.Set(1)
	if before == nil || *before != ca {
		f.config.Log.Info("new sidecars follow EndpointSlices, and trust discovery by the CA in "+f.object(), "version", configMap.ResourceVersion)
	}
}

// reject notes a version without a usable CA.
func (f *Follower) reject(configMap *corev1.ConfigMap, why error) {
	consequence := "the last good one stays in use"
	if f.ca.Load() == nil {
		consequence = "new sidecars work from DNS"
	}
	f.rejected.Inc()
	f.config.Log.Error(why, "no usable CA of discovery: "+consequence, "object", f.object(), "key", Key, "version", configMap.ResourceVersion)
}

// forget forgets a ConfigMap that was deleted.
func (f *Follower) forget() {
	f.ca.Store(nil)
	f.known.Set(0)
	f.config.Log.Info("new sidecars work from DNS: somebody has deleted the CA of discovery", "missing", f.object())
}

// unreachable logs why the ConfigMap cannot be read or watched, unless it is a
// watch that has merely ended. The informer tries again, later and later.
func (f *Follower) unreachable(ctx context.Context, _ *cache.Reflector, err error) {
	if ctx.Err() != nil || errors.Is(err, io.EOF) || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return
	}
	f.config.Log.Error(err, "cannot follow the CA of discovery: if it is refused, apply deploy/webhook/components/lb-discovery again",
		"object", f.object(), "known", f.ca.Load() != nil)
}

func (f *Follower) object() string {
	return fmt.Sprintf("ConfigMap %s/%s", f.config.Namespace, f.config.Name)
}
