package certs

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	admissionclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// callTimeout bounds one call of the API server.
const callTimeout = 10 * time.Second

// apiStore is the store of a real API server.
type apiStore interface {
	store
	// watched are the objects that the store reads and writes.
	watched() []watched
}

// watched is one object, followed by its name: RBAC allows no more.
type watched struct {
	client                    rest.Interface
	resource, namespace, name string
	example                   runtime.Object
	// read takes from a version of the object what it trusts. It says no to
	// what is none, and is nil for the Secret.
	read func(version any) (configuration, bool)
}

// api is what the stores of both kinds share: the Secret. Clients are those of
// single groups: a client set of all would make the program a third larger.
type api struct {
	options Options
	core    coreclient.CoreV1Interface
	dates   *dates
}

// newStore returns the store for a configuration of the client, which it
// leaves as it is.
func newStore(config *rest.Config, options Options) (apiStore, error) {
	a := &api{options: options, dates: &dates{}}
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 20, 40
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return a.dates.wrap(next) })
	var err error
	if a.core, err = coreclient.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make a client for Secrets: %w", err)
	}
	if options.Kind == Discovery {
		return &configMapStore{a}, nil
	}
	admission, err := admissionclient.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client for the webhook's configuration: %w", err)
	}
	return &webhookStore{a, admission}, nil
}

func (a *api) readSecret(ctx context.Context) (secret, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	object, err := a.core.Secrets(a.options.Namespace).Get(ctx, a.options.Secret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return secret{Date: a.dates.last()}, nil
	case err != nil:
		return secret{}, a.explain("read", a.secretName(), err)
	}
	read := secret{
		Version: object.ResourceVersion,
		Rotate:  object.Annotations[annotateRotate],
		Revoke:  object.Annotations[annotateRevoke],
		Date:    a.dates.last(),
		object:  object,
	}
	state, err := decodeState(object.Data)
	if err != nil {
		read.Problem = fmt.Errorf("%s is not readable as the state of the certificates: %w: "+
			"it will be written again; if it belongs to something else, choose another name with --%s", a.secretName(), err, a.options.flag("cert-secret"))
		return read, nil
	}
	read.State = &state
	return read, nil
}

func (a *api) writeSecret(ctx context.Context, on secret, state State) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	secrets := a.core.Secrets(a.options.Namespace)
	options := metav1.UpdateOptions{FieldManager: fieldManager}
	object := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.options.Namespace, Name: a.options.Secret},
		Type:       corev1.SecretTypeOpaque,
	}
	if on.object != nil {
		object = on.object.DeepCopy()
	}
	data, err := encodeState(object.Data, state)
	if err != nil {
		return err
	}
	object.Data = data
	if on.object == nil {
		_, err = secrets.Create(ctx, object, metav1.CreateOptions{FieldManager: fieldManager})
	} else {
		_, err = secrets.Update(ctx, object, options)
	}
	// A Secret that has gone meanwhile is a conflict too: read again.
	if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) || on.object != nil && apierrors.IsNotFound(err) {
		return errConflict
	}
	if err != nil {
		return a.explain("write", a.secretName(), err)
	}
	return nil
}

// explain names the object and, for a refusal, the remedy.
func (a *api) explain(verb, object string, err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%s %s: %w: %s", verb, object, err, a.options.words().rights)
	}
	if apierrors.IsInvalid(err) {
		return fmt.Errorf("%s %s: %w: delete it, it is made again", verb, object, err)
	}
	return fmt.Errorf("%s %s: %w", verb, object, err)
}

func (a *api) secretName() string {
	return fmt.Sprintf("Secret %s/%s", a.options.Namespace, a.options.Secret)
}

// watchedSecret is the Secret, to be followed.
func (a *api) watchedSecret() watched {
	return watched{client: a.core.RESTClient(), resource: "secrets", namespace: a.options.Namespace, name: a.options.Secret, example: &corev1.Secret{}}
}

// dates remembers the Date header of the API server's last answer.
type dates struct{ latest atomic.Pointer[time.Time] }

func (d *dates) last() time.Time {
	if at := d.latest.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

func (d *dates) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err != nil {
			return nil, err
		}
		if at, err := http.ParseTime(response.Header.Get("Date")); err == nil {
			d.latest.Store(&at)
		}
		return response, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }
