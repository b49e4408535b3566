package doctor

import (
	"context"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/probeshift/probeshift/pkg/doctor"
)

// defaultMetricsPort is where discovery's metrics are when its Pods do not say.
const defaultMetricsPort = 8080

// readDiscovery reads what there is about discovery: the streams where it runs,
// and the rest where sidecars use it.
func (r *reader) readDiscovery(ctx context.Context, f *doctor.Facts) {
	r.readStreams(ctx, f)
	followed := f.Pods.Value.Followed()
	f.Discovery.Slices.Value, f.Discovery.Slices.Err = r.slices(ctx, followed.Services)
	for _, namespace := range followed.Clients {
		policies, err := r.client.NetworkingV1().NetworkPolicies(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			f.Discovery.Policies.Err = err
			break
		}
		f.Discovery.Policies.Value = append(f.Discovery.Policies.Value, policies.Items...)
	}
	namespace := followed.Discovery
	if servers := f.DiscoveryDeployments(); namespace == "" && len(servers) > 0 {
		namespace = servers[0].Namespace
	}
	if namespace == "" {
		return
	}
	published, err := r.client.CoreV1().ConfigMaps(namespace).Get(ctx, f.DiscoveryConfigMap(), metav1.GetOptions{})
	switch {
	case err == nil:
		f.Discovery.CA.Value = published
	case !apierrors.IsNotFound(err):
		f.Discovery.CA.Err = err
	}
}

// slices reads the EndpointSlices of Services.
func (r *reader) slices(ctx context.Context, services []doctor.ServiceName) (map[doctor.ServiceName][]*discoveryv1.EndpointSlice, error) {
	all := map[doctor.ServiceName][]*discoveryv1.EndpointSlice{}
	for _, name := range services {
		list, err := r.client.DiscoveryV1().EndpointSlices(name.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: labels.Set{discoveryv1.LabelServiceName: name.Name}.String(),
		})
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			all[name] = append(all[name], &list.Items[i])
		}
	}
	return all, nil
}

// readStreams asks each replica of discovery for its metrics, by way of the API
// server. What one of them does not tell makes the sum unknown.
func (r *reader) readStreams(ctx context.Context, f *doctor.Facts) {
	f.Discovery.Streams.Value = map[string]int{}
	servers := f.DiscoveryDeployments()
	for i := range servers {
		replicas, err := r.running(ctx, &servers[i])
		if err != nil {
			f.Discovery.Streams.Err = err
			return
		}
		for j := range replicas {
			streams, err := r.streams(ctx, &replicas[j])
			if err != nil {
				f.Discovery.Streams.Err = err
				return
			}
			f.Discovery.Streams.Value[replicas[j].Name] = streams
		}
	}
}

// running are the running Pods of a Deployment.
func (r *reader) running(ctx context.Context, d *appsv1.Deployment) ([]corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, fmt.Errorf("the selector of %s/%s: %w", d.Namespace, d.Name, err)
	}
	list, err := r.client.CoreV1().Pods(d.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: selector.String(), FieldSelector: "status.phase=" + string(corev1.PodRunning),
	})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// streams reads a replica's metrics.
func (r *reader) streams(ctx context.Context, pod *corev1.Pod) (int, error) {
	port := strconv.Itoa(int(metricsPort(pod)))
	text, err := r.client.CoreV1().Pods(pod.Namespace).ProxyGet("http", pod.Name, port, "metrics", nil).DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	streams, err := doctor.ReadStreams(text)
	if err != nil {
		return 0, fmt.Errorf("metrics of the Pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return streams, nil
}

func metricsPort(pod *corev1.Pod) int32 {
	for i := range pod.Spec.Containers {
		for _, p := range pod.Spec.Containers[i].Ports {
			if p.Name == "metrics" {
				return p.ContainerPort
			}
		}
	}
	return defaultMetricsPort
}
