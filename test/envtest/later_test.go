package envtest

import (
	"encoding/json"
	"net/http"
	"testing"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// laterLabel is the label of namespaces in which another webhook comes after
// ours. Its values are the names in laterWebhooks.
const laterLabel = "test.probeshift.dev/later"

// laterWebhooks are what other webhooks do to a Pod, once.
func laterWebhooks() map[string]func(*corev1.Pod) {
	return map[string]func(*corev1.Pod){
		"container": func(pod *corev1.Pod) {
			pod.Spec.Containers = append(pod.Spec.Containers, legacyContainer("agent", 9443))
		},
		"linkerd": func(pod *corev1.Pod) {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "linkerd-proxy", Image: "example.com/linkerd/proxy:2.18.0"})
		},
		// As Istio's injector: native probes go to the agent, which asks them
		// from inside the mesh. Exec probes stay.
		"istio": func(pod *corev1.Pod) {
			for i := range pod.Spec.Containers {
				c := &pod.Spec.Containers[i]
				if p := c.ReadinessProbe; p != nil && p.GRPC != nil {
					p.ProbeHandler = corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
						Path: "/app-health/" + c.Name + "/readyz", Port: intstr.FromInt32(15020), Scheme: corev1.URISchemeHTTP,
					}}
				}
			}
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "istio-proxy", Image: "example.com/istio/proxyv2:1.27.0"})
		},
	}
}

// installLater serves and registers the later webhooks and waits until they
// are called.
func (w *world) installLater(t *testing.T) {
	t.Helper()
	mux := http.NewServeMux()
	server := serveTLS(t, mux)

	fail, none, never := registrationv1.Fail, registrationv1.SideEffectClassNone, registrationv1.NeverReinvocationPolicy
	all := &registrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "later"}}
	for name, change := range laterWebhooks() {
		mux.HandleFunc("/"+name, func(rw http.ResponseWriter, r *http.Request) { answerLater(rw, r, change) })
		url := server.url + "/" + name
		all.Webhooks = append(all.Webhooks, registrationv1.MutatingWebhook{
			Name:                    name + ".later.example.com",
			AdmissionReviewVersions: []string{"v1"},
			ClientConfig:            registrationv1.WebhookClientConfig{URL: &url, CABundle: server.caBundle},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{laterLabel: name}},
			Rules: []registrationv1.RuleWithOperations{{
				Operations: []registrationv1.OperationType{registrationv1.Create},
				Rule:       registrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"}},
			}},
			FailurePolicy: &fail, SideEffects: &none, ReinvocationPolicy: &never,
		})
	}
	w.install(t, all)
	namespace := w.labelled(t, map[string]string{laterLabel: "container"})
	eventually(t, "the API server calls the later webhooks", func() (bool, error) {
		pod, err := w.client.CoreV1().Pods(namespace).Create(t.Context(), legacyPod("canary"), dryRun())
		return err == nil && len(pod.Spec.Containers) == 2, err
	})
}

// answerLater answers a review with a patch that changes the Pod.
func answerLater(w http.ResponseWriter, r *http.Request, change func(*corev1.Pod)) {
	var review admissionv1.AdmissionReview
	var pod corev1.Pod
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := json.Unmarshal(review.Request.Object.Raw, &pod); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	change(&pod)
	patch, err := patchTo(review.Request.Object.Raw, &pod)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	kind := admissionv1.PatchTypeJSONPatch
	review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true, Patch: patch, PatchType: &kind}
	review.Request = nil
	answer, err := json.Marshal(review)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer) // an error means that the client is gone
}

// patchTo is the patch that makes a Pod of its JSON as it was.
func patchTo(before []byte, pod *corev1.Pod) ([]byte, error) {
	after, err := json.Marshal(pod)
	if err != nil {
		return nil, err
	}
	operations, err := jsonpatch.CreatePatch(before, after)
	if err != nil {
		return nil, err
	}
	return json.Marshal(operations)
}
