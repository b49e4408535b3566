package discovery

import (
	"maps"
	"net/netip"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
)

// endpoint is what the slices say of one address and port.
type endpoint struct {
	address netip.AddrPort
	// ready: new requests may be sent there.
	ready bool
	// leaving: it terminates and still answers. staying: it does not terminate.
	leaving, staying bool
	// zones are those whose clients should use it, empty where nobody says so.
	zones []string
}

// gather reads the endpoints of slices, each address and port once, in order.
//
// While an endpoint moves from one slice to another, it is in both for a moment;
// and a new Pod may have got the address of one that still terminates. So an
// address is ready if it is ready in any, and leaves if it does not stay in any.
func gather(all []*discoveryv1.EndpointSlice, ports portsOf) []*endpoint {
	found := map[netip.AddrPort]*endpoint{}
	for _, s := range all {
		numbers := ports(s)
		for i := range s.Endpoints {
			address, ok := addressOf(s.AddressType, &s.Endpoints[i])
			if !ok {
				continue
			}
			for _, number := range numbers {
				at := netip.AddrPortFrom(address, number)
				if found[at] == nil {
					found[at] = &endpoint{address: at}
				}
				found[at].add(&s.Endpoints[i])
			}
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b *endpoint) int { return a.address.Compare(b.address) })
}

// add adds what one slice says. Missing conditions mean what the API says they
// do: ready and serving are true, terminating is false.
func (e *endpoint) add(said *discoveryv1.Endpoint) {
	c := said.Conditions
	switch terminating := or(c.Terminating, false); {
	case !terminating:
		e.staying = true
	case or(c.Serving, true):
		e.leaving = true
	}
	if !or(c.Ready, true) {
		return
	}
	e.ready = true
	if said.Hints != nil {
		for _, zone := range said.Hints.ForZones {
			e.zones = append(e.zones, zone.Name)
		}
	}
}

func or(value *bool, otherwise bool) bool {
	if value == nil {
		return otherwise
	}
	return *value
}

// addressOf is the address of an endpoint; ok is false where it has none that can
// be dialled. The API gives further addresses of an endpoint no meaning, and
// kube-proxy does not look at them. It refuses addresses of the host's own, and
// so does this: to a sidecar they would be its own Pod.
func addressOf(kind discoveryv1.AddressType, e *discoveryv1.Endpoint) (address netip.Addr, ok bool) {
	if len(e.Addresses) == 0 {
		return netip.Addr{}, false
	}
	address, err := netip.ParseAddr(e.Addresses[0])
	if err != nil || address.Zone() != "" {
		return netip.Addr{}, false
	}
	address = address.Unmap()
	switch {
	case address.IsUnspecified(), address.IsLoopback(), address.IsLinkLocalUnicast(), address.IsMulticast():
		return netip.Addr{}, false
	case address.Is4():
		return address, kind == discoveryv1.AddressTypeIPv4
	}
	return address, kind == discoveryv1.AddressTypeIPv6
}
