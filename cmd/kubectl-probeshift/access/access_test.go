package access_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/access"
)

func TestOnlyANamespaceThatIsNotThereIsAnError(t *testing.T) {
	client := fake.NewClientset(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}})
	client.PrependReactor("get", "namespaces", func(action ktesting.Action) (bool, runtime.Object, error) {
		get, is := action.(ktesting.GetAction)
		forbidden := is && get.GetName() == "secret"
		return forbidden, nil, apierrors.NewForbidden(corev1.Resource("namespaces"), "secret", nil)
	})
	for namespace, wrong := range map[string]bool{"shop": false, "nosuch": true, "secret": false, metav1.NamespaceAll: false} {
		if err := access.CheckNamespace(t.Context(), client, namespace); (err != nil) != wrong {
			t.Errorf("namespace %q: %v", namespace, err)
		}
	}
}
