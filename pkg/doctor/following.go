package doctor

import (
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

// Following is what the arguments of a sidecar say of discovery.
type Following struct {
	// Names are what it asks for, each once, without its zone, which the kubelet
	// fills in.
	Names []resource.Name
	// Service is where it asks, and Port the port that it dials there.
	Service ServiceName
	Port    int32
	// CA is what it trusts, certificates in PEM.
	CA string
}

// names are what is asked for; nobody asks for nothing.
func (f *Following) names() []resource.Name {
	if f == nil {
		return nil
	}
	return f.Names
}

// follows says whether an upstream's members come from discovery.
func (b Balanced) follows(u Upstream) bool {
	return slices.ContainsFunc(b.Following.names(), func(n resource.Name) bool {
		return u.Service == ServiceName{n.Namespace, n.Service} && u.Port == int32(n.Port)
	})
}

// Followed is what is to be read because sidecars follow EndpointSlices.
type Followed struct {
	// Services are those that are followed, and Clients the sidecars' namespaces.
	Services []ServiceName
	Clients  []string
	// Discovery is the namespace in which sidecars ask, "" where none does.
	Discovery string
}

// Followed gathers it from all Pods.
func (p *Pods) Followed() Followed {
	var all Followed
	for _, key := range p.sortedBalanced() {
		f := p.Balanced[key].Following
		if f == nil {
			continue
		}
		all.Discovery = f.Service.Namespace
		all.Clients = append(all.Clients, key.Owner.Namespace)
		for _, name := range f.Names {
			all.Services = append(all.Services, ServiceName{Namespace: name.Namespace, Name: name.Service})
		}
	}
	slices.SortFunc(all.Services, func(a, b ServiceName) int { return strings.Compare(a.String(), b.String()) })
	all.Services, all.Clients = slices.Compact(all.Services), slices.Compact(all.Clients)
	return all
}

// bootstrap is as much of Envoy's configuration as tells of discovery.
type bootstrap struct {
	StaticResources struct {
		Clusters []cluster `json:"clusters"`
	} `json:"static_resources"`
}

type cluster struct {
	Name string `json:"name"`
	EDS  struct {
		ServiceName string `json:"service_name"`
	} `json:"eds_cluster_config"`
	LoadAssignment struct {
		Endpoints []struct {
			LbEndpoints []struct {
				Endpoint struct {
					Address struct {
						SocketAddress struct {
							Address string `json:"address"`
							Port    int32  `json:"port_value"`
						} `json:"socket_address"`
					} `json:"address"`
				} `json:"endpoint"`
			} `json:"lb_endpoints"`
		} `json:"endpoints"`
	} `json:"load_assignment"`
	TransportSocket struct {
		TypedConfig struct {
			CommonTLSContext struct {
				ValidationContext struct {
					TrustedCA struct {
						InlineString string `json:"inline_string"`
					} `json:"trusted_ca"`
				} `json:"validation_context"`
			} `json:"common_tls_context"`
		} `json:"typed_config"`
	} `json:"transport_socket"`
}

// readFollowing reads a sidecar's configuration, YAML in which a value that occurs
// again is an alias; nil where it says nothing of discovery.
func readFollowing(text string) *Following {
	var b bootstrap
	if yaml.Unmarshal([]byte(text), &b) != nil {
		return nil
	}
	f := &Following{}
	for i := range b.StaticResources.Clusters {
		c := &b.StaticResources.Clusters[i]
		if c.Name == "discovery" {
			f.CA = c.TransportSocket.TypedConfig.CommonTLSContext.ValidationContext.TrustedCA.InlineString
			f.Service, f.Port = c.destination()
		}
		name, _, _ := strings.Cut(c.EDS.ServiceName, "@")
		parsed, err := resource.Parse(name)
		if err == nil && !slices.Contains(f.Names, parsed) {
			f.Names = append(f.Names, parsed)
		}
	}
	if len(f.Names) == 0 {
		return nil
	}
	return f
}

// destination is the Service and the port that a cluster dials.
func (c *cluster) destination() (ServiceName, int32) {
	for _, locality := range c.LoadAssignment.Endpoints {
		for i := range locality.LbEndpoints {
			socket := locality.LbEndpoints[i].Endpoint.Address.SocketAddress
			labels := strings.SplitN(socket.Address, ".", 3)
			if len(labels) > 1 {
				return ServiceName{Namespace: labels[1], Name: labels[0]}, socket.Port
			}
		}
	}
	return ServiceName{}, 0
}
