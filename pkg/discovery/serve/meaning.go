package serve

import (
	"slices"

	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/probeshift/probeshift/pkg/discovery"
	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// meanings are what the names of one Service mean at one moment. Names of zones
// that no endpoint is meant for mean the same, and are worked out once: else a
// client that invents zones would slow down every change for everybody.
type meanings struct {
	object *corev1.Service
	slices []*discoveryv1.EndpointSlice
	// zones are those that endpoints are meant for.
	zones map[string]bool
	found map[question]meaning
	// empty is the meaning without endpoints.
	empty meaning
}

// question is what of a name its meaning depends on.
type question struct {
	port uint16
	zone string
}

// meaning is an assignment that has no name yet.
type meaning struct {
	// content is how it is sent; nil where discovery has nothing to say.
	content []byte
	empty   bool
	// missing: the Service, its slices or its port are not there, which may be so
	// for a moment only.
	missing bool
}

func newMeanings(object *corev1.Service, all []*discoveryv1.EndpointSlice) *meanings {
	m := &meanings{
		object: object, slices: all, zones: map[string]bool{}, found: map[question]meaning{},
		empty: write(discovery.Empty(resource.Name{})),
	}
	for _, s := range all {
		for i := range s.Endpoints {
			if hints := s.Endpoints[i].Hints; hints != nil {
				for _, zone := range hints.ForZones {
					m.zones[zone.Name] = true
				}
			}
		}
	}
	return m
}

// of is what a name means.
func (m *meanings) of(asked *name) meaning {
	number, zone := asked.means.Port, ""
	if m.zones[asked.means.Zone] {
		zone = asked.means.Zone
	}
	if asked.beyond && !m.certain(number, zone == asked.means.Zone) {
		return m.empty
	}
	found, ok := m.found[question{number, zone}]
	if !ok {
		found = m.look(resource.Name{Namespace: asked.means.Namespace, Service: asked.means.Service, Port: number, Zone: zone})
		m.found[question{number, zone}] = found
	}
	return found
}

// certain says whether a name could not have been invented: its port is one of the
// Service, and its zone one of its slices or none. Of such there are few.
func (m *meanings) certain(number uint16, zone bool) bool {
	return zone && m.object != nil && slices.ContainsFunc(m.object.Spec.Ports, func(p corev1.ServicePort) bool {
		return p.Port == int32(number)
	})
}

// look works out what a name means.
func (m *meanings) look(name resource.Name) meaning {
	result := discovery.Assign(name, m.object, m.slices)
	found := write(result.Assignment)
	switch result.Verdict.Reason {
	case discovery.PortNotInSlices, discovery.NoSuchPort:
		found.missing = true
	default:
		found.missing = m.object == nil || len(m.slices) == 0
	}
	return found
}

// write is an assignment as it is sent, but for its name.
func write(assignment *endpointv3.ClusterLoadAssignment) meaning {
	if assignment == nil {
		return meaning{}
	}
	assignment.ClusterName = ""
	return meaning{content: marshal(assignment), empty: len(assignment.GetEndpoints()) == 0}
}

// under is the meaning under the name that it was asked for by, which is the only
// one under which Envoy takes it. In protobuf, fields may be written one after the
// other.
func (m meaning) under(text string) []byte {
	return append(marshal(&endpointv3.ClusterLoadAssignment{ClusterName: text}), m.content...)
}

// written is an assignment that is held as it is sent. As a message it would take
// ten times the memory, and nothing reads it any more.
func written(content []byte) *endpointv3.ClusterLoadAssignment {
	held := &endpointv3.ClusterLoadAssignment{}
	held.ProtoReflect().SetUnknown(content)
	return held
}

// marshal writes a message, always in the same way: sidecars that come back are
// told only what has another hash.
func marshal(assignment *endpointv3.ClusterLoadAssignment) []byte {
	// There is no way for it to fail: all strings in it are ASCII.
	content, _ := cachev3.MarshalResource(assignment)
	return content
}
