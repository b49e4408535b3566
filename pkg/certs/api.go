package certs

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	admissionclient "k8s.io/client-go/kubernetes/typed/admissionregistration/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// callTimeout bounds one call of the API server.
const callTimeout = 10 * time.Second

// api is the store of a real API server. Its clients are those of two groups:
// a client set of all groups would make the program a third larger.
type api struct {
	options   Options
	core      coreclient.CoreV1Interface
	admission admissionclient.AdmissionregistrationV1Interface
	dates     *dates
}

var _ store = (*api)(nil)

// newAPI returns the store for a configuration of the client, which it leaves
// as it is.
func newAPI(config *rest.Config, options Options) (*api, error) {
	a := &api{options: options, dates: &dates{}}
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 20, 40
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return a.dates.wrap(next) })
	var err error
	if a.core, err = coreclient.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make a client for Secrets: %w", err)
	}
	if a.admission, err = admissionclient.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make a client for the webhook's configuration: %w", err)
	}
	return a, nil
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
			"it will be written again; if it belongs to something else, choose another name with --cert-secret", a.secretName(), err)
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

func (a *api) readConfiguration(ctx context.Context) (configuration, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	object, err := a.admission.MutatingWebhookConfigurations().Get(ctx, a.options.Configuration, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return configuration{}, fmt.Errorf("%s does not exist: apply deploy/webhook again, or name yours with --webhook-configuration", a.configurationName())
	}
	if err != nil {
		return configuration{}, a.explain("read", a.configurationName(), err)
	}
	return readConfiguration(object), nil
}

// bundlePatch is what we apply: of each entry the caBundle and nothing else.
type bundlePatch struct {
	APIVersion string           `json:"apiVersion"`
	Kind       string           `json:"kind"`
	Metadata   patchMetadata    `json:"metadata"`
	Webhooks   []bundlePatchRow `json:"webhooks"`
}

type patchMetadata struct {
	Name            string `json:"name"`
	ResourceVersion string `json:"resourceVersion"`
}

type bundlePatchRow struct {
	Name         string            `json:"name"`
	ClientConfig bundlePatchClient `json:"clientConfig"`
}

type bundlePatchClient struct {
	CABundle []byte `json:"caBundle"`
}

func (a *api) applyBundles(ctx context.Context, c configuration) (configuration, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	patch := bundlePatch{
		APIVersion: admissionv1.SchemeGroupVersion.String(),
		Kind:       "MutatingWebhookConfiguration",
		Metadata:   patchMetadata{Name: a.options.Configuration, ResourceVersion: c.Version},
	}
	for _, e := range c.Entries {
		patch.Webhooks = append(patch.Webhooks, bundlePatchRow{
			Name: e.Name, ClientConfig: bundlePatchClient{CABundle: e.Bundle.PEM()},
		})
	}
	content, err := json.Marshal(patch)
	if err != nil {
		return configuration{}, fmt.Errorf("encode caBundle: %w", err)
	}
	force := true
	object, err := a.admission.MutatingWebhookConfigurations().Patch(ctx, a.options.Configuration,
		types.ApplyPatchType, content, metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
	if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		return configuration{}, errConflict
	}
	if err != nil {
		return configuration{}, a.explain("write the caBundle of", a.configurationName(), err)
	}
	return readConfiguration(object), nil
}

// readConfiguration takes from the object what the rules look at.
func readConfiguration(object *admissionv1.MutatingWebhookConfiguration) configuration {
	c := configuration{
		UID:        string(object.UID),
		Version:    object.ResourceVersion,
		Generation: object.Generation,
		managers:   object.ManagedFields,
	}
	for _, webhook := range object.Webhooks {
		c.Entries = append(c.Entries, entry{
			Name:   webhook.Name,
			Host:   hostOf(webhook.ClientConfig),
			Bundle: ParseBundle(webhook.ClientConfig.CABundle),
		})
	}
	return c
}

// hostOf returns the name for which API servers verify the leaf.
func hostOf(client admissionv1.WebhookClientConfig) string {
	if client.Service != nil {
		return client.Service.Name + "." + client.Service.Namespace + ".svc"
	}
	if client.URL == nil {
		return ""
	}
	// The API server has validated the URL; one that does not parse verifies
	// for nobody.
	parsed, err := url.Parse(*client.URL)
	if err != nil {
		return ""
	}
	return parsed.Hostname()
}

// explain names the object and, for a refusal, the remedy.
func (a *api) explain(verb, object string, err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("%s %s: %w: apply the Role and ClusterRole of deploy/webhook again", verb, object, err)
	}
	if apierrors.IsInvalid(err) {
		return fmt.Errorf("%s %s: %w: delete it, it is made again", verb, object, err)
	}
	return fmt.Errorf("%s %s: %w", verb, object, err)
}

func (a *api) secretName() string {
	return fmt.Sprintf("Secret %s/%s", a.options.Namespace, a.options.Secret)
}

func (a *api) configurationName() string {
	return "MutatingWebhookConfiguration " + a.options.Configuration
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
