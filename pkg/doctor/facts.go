package doctor

import (
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
)

// Read is something that was read from the API server, or why it was not.
type Read[T any] struct {
	Value T
	Err   error
}

// Facts are all that the checks look at.
type Facts struct {
	// Now is the time of the examination.
	Now time.Time
	// ConfigurationName is the name that the webhook's configuration should have.
	ConfigurationName string
	// Configurations are all mutating webhook configurations.
	Configurations Read[[]admissionv1.MutatingWebhookConfiguration]
	// Service is the one that the configuration names; nil where it names none.
	Service Read[*corev1.Service]
	// Deployments are those of the namespace that the Service is in.
	Deployments Read[[]appsv1.Deployment]
	Namespaces  Read[[]corev1.Namespace]
	Nodes       Read[[]corev1.Node]
	// ServerVersion is what the API server says of itself, such as v1.34.2.
	ServerVersion Read[string]
	// DNS are the Corefiles that were found, by the name of their ConfigMap.
	DNS Read[map[string]string]
	// Services are those that the upstreams of load-balanced Pods name.
	Services Read[map[ServiceName]*corev1.Service]
	Pods     Read[*Pods]
	// Discovery is about the component lb-discovery and who uses it.
	Discovery Discovery
	Canary    Canary
}

// Discovery is what was read because sidecars follow EndpointSlices; without such
// sidecars it is empty.
type Discovery struct {
	// CA is the ConfigMap in which discovery publishes its certificates, nil where
	// there is none.
	CA Read[*corev1.ConfigMap]
	// Slices are the EndpointSlices of the Services that sidecars follow.
	Slices Read[map[ServiceName][]*discoveryv1.EndpointSlice]
	// Policies are the NetworkPolicies of the sidecars' namespaces.
	Policies Read[[]networkingv1.NetworkPolicy]
	// Streams are the open streams of each replica of discovery, by the name of its
	// Pod.
	Streams Read[map[string]int]
}

// ServiceName names a Service.
type ServiceName struct{ Namespace, Name string }

// String is kubectl's way to name it.
func (n ServiceName) String() string { return n.Namespace + "/" + n.Name }

// Canary is a legacy Pod that was created as a dry run, and what came of it.
type Canary struct {
	// Namespace is where it was tried, "" where no namespace is served.
	Namespace string
	// Audited says that the namespace is only audited, so that a warning shows
	// that the webhook was called, and no status.
	Audited bool
	// Err is why it was not created.
	Err error
	// Status says that it came back with our status annotation, Warned that we
	// warned.
	Status, Warned bool
}

// Examine makes all checks, in the order in which one would go about it.
func Examine(f *Facts) []Result {
	return []Result{
		checkConfiguration(f),
		checkBundle(f),
		checkOrder(f),
		checkDeployment(f),
		checkSwitches(f),
		checkNamespaces(f),
		checkCanary(f),
		checkMissed(f),
		checkMeshes(f),
		checkServer(f),
		checkKubelets(f),
		checkVirtualKubelets(f),
		checkExecTimeout(f),
		checkWindows(f),
		checkLBMissed(f),
		checkSidecars(f),
		checkUpstreams(f),
		checkUpstreamPorts(f),
		checkDiscovery(f),
		checkFollowed(f),
		checkTrust(f),
		checkEgress(f),
		checkDNS(f),
	}
}

// configuration is the webhook's own configuration, nil where there is none.
func (f *Facts) configuration() *admissionv1.MutatingWebhookConfiguration {
	for i := range f.Configurations.Value {
		if f.Configurations.Value[i].Name == f.ConfigurationName {
			return &f.Configurations.Value[i]
		}
	}
	return nil
}
