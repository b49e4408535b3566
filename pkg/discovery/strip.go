package discovery

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Strip takes out of a Service or an EndpointSlice all that Assign does not look
// at, so that an informer's store is small. It is a transform of client-go's
// informers: it changes the object in place, leaves an object that was stripped
// as it is, and lets everything else pass.
func Strip(object any) (any, error) {
	switch o := object.(type) {
	case *discoveryv1.EndpointSlice:
		o.ObjectMeta = identity(&o.ObjectMeta)
		for i := range o.Ports {
			o.Ports[i].AppProtocol = nil
		}
		for i := range o.Endpoints {
			o.Endpoints[i] = stripped(&o.Endpoints[i])
		}
	case *corev1.Service:
		o.ObjectMeta = identity(&o.ObjectMeta)
		o.Status = corev1.ServiceStatus{}
		o.Spec = corev1.ServiceSpec{
			Type:         o.Spec.Type,
			ClusterIP:    o.Spec.ClusterIP,
			ExternalName: o.Spec.ExternalName,
			IPFamilies:   o.Spec.IPFamilies,
			Ports:        o.Spec.Ports,

			InternalTrafficPolicy: o.Spec.InternalTrafficPolicy,
		}
	}
	return object, nil
}

// identity is what tells an object from others and its versions apart, and whose
// slice it is.
func identity(m *metav1.ObjectMeta) metav1.ObjectMeta {
	kept := metav1.ObjectMeta{Namespace: m.Namespace, Name: m.Name, UID: m.UID, ResourceVersion: m.ResourceVersion}
	if service, ok := m.Labels[discoveryv1.LabelServiceName]; ok {
		kept.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	}
	return kept
}

func stripped(e *discoveryv1.Endpoint) discoveryv1.Endpoint {
	kept := discoveryv1.Endpoint{Addresses: e.Addresses, Conditions: e.Conditions}
	if len(kept.Addresses) > 1 {
		kept.Addresses = kept.Addresses[:1:1]
	}
	if e.Hints != nil && len(e.Hints.ForZones) > 0 {
		kept.Hints = &discoveryv1.EndpointHints{ForZones: e.Hints.ForZones}
	}
	return kept
}
