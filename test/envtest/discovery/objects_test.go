package discovery

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// current is the CA that signs, in PEM, empty while there is none.
func (c *cluster) current(t *testing.T) string {
	t.Helper()
	ca, err := c.currentCA(t.Context())
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return ca
}

func (c *cluster) currentCA(ctx context.Context) (string, error) {
	secret, err := c.client.CoreV1().Secrets(ownNamespace).Get(ctx, caName, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return string(secret.Data["current.crt"]), nil
}

// stamps are the times at which the last CA was made and began to sign.
func (c *cluster) stamps(t *testing.T) (prepared, activated time.Time) {
	t.Helper()
	secret, err := c.client.CoreV1().Secrets(ownNamespace).Get(t.Context(), caName, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ PreparedAt, ActivatedAt time.Time }
	if err := json.Unmarshal(secret.Data["state.json"], &state); err != nil {
		t.Fatal(err)
	}
	return state.PreparedAt, state.ActivatedAt
}

// annotate sets an annotation of the Secret.
func (c *cluster) annotate(t *testing.T, key, value string) {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, key, value)
	_, err := c.client.CoreV1().Secrets(ownNamespace).Patch(t.Context(), caName, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// published is what stands in the ConfigMap, empty where there is none.
func (c *cluster) published(t *testing.T) string {
	t.Helper()
	object, err := c.client.CoreV1().ConfigMaps(ownNamespace).Get(t.Context(), caName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		t.Fatal(err)
	}
	return object.Data["ca.crt"]
}

// publish writes a key of the ConfigMap, as somebody else.
func (c *cluster) publish(t *testing.T, key, content string) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"data": map[string]string{key: content}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.client.CoreV1().ConfigMaps(ownNamespace).Patch(t.Context(), caName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
}

// unpublish deletes the ConfigMap.
func (c *cluster) unpublish(t *testing.T) {
	t.Helper()
	if err := c.client.CoreV1().ConfigMaps(ownNamespace).Delete(t.Context(), caName, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// greeter makes the Service that the sidecars ask for. It has a cluster IP.
func (c *cluster) greeter(t *testing.T) {
	t.Helper()
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "greeter"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "grpc", Port: 9000}}},
	}
	if _, err := c.client.CoreV1().Services("shop").Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

// endpoints makes or changes the Service's one slice: ready endpoints of these
// addresses, on port 50051.
func (c *cluster) endpoints(t *testing.T, addresses ...string) {
	t.Helper()
	port, portName := int32(50051), "grpc"
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "greeter-1", Labels: map[string]string{discoveryv1.LabelServiceName: "greeter"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &portName, Port: &port}},
	}
	for _, address := range addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{address}})
	}
	slices := c.client.DiscoveryV1().EndpointSlices("shop")
	_, err := slices.Create(t.Context(), slice, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = slices.Update(t.Context(), slice, metav1.UpdateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}
