package resource

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// MaxLength is the longest name in bytes. A namespace and a Service have at most
// 63 each, a port 5, and the value of a zone's label 63.
const MaxLength = 320

// Name is the name of a resource: namespace/service:port or, where the sidecar
// knows its zone, namespace/service:port@zone.
type Name struct {
	Namespace, Service string
	// Port is the number that the application dials: 1 to 65535.
	Port uint16
	// Zone is the client's own, as its node's label topology.kubernetes.io/zone
	// says; empty where it is not known.
	Zone string
}

// String is the name as it is asked for. A zone that is not known yet may be a
// variable that is expanded later; an empty one leaves no mark.
func (n Name) String() string {
	text := n.Namespace + "/" + n.Service + ":" + strconv.Itoa(int(n.Port))
	if n.Zone != "" {
		text += "@" + n.Zone
	}
	return text
}

// Parse reads a name. A mark without a zone behind it, which is what is left of
// a variable that was empty, is no zone.
func Parse(text string) (Name, error) {
	if len(text) > MaxLength {
		return Name{}, fmt.Errorf("a name of %d bytes is longer than %d", len(text), MaxLength)
	}
	rest, zone, _ := strings.Cut(text, "@")
	namespace, rest, found := strings.Cut(rest, "/")
	service, number, numbered := strings.Cut(rest, ":")
	port, err := strconv.ParseUint(number, 10, 16)
	switch {
	case !found, !numbered:
		return Name{}, fmt.Errorf("%q is not of the form namespace/service:port or namespace/service:port@zone", text)
	case len(validation.IsDNS1123Label(namespace)) > 0:
		return Name{}, fmt.Errorf("%q: the namespace %q is none", text, namespace)
	case len(validation.IsDNS1123Label(service)) > 0:
		return Name{}, fmt.Errorf("%q: %q is no name of a Service", text, service)
	case err != nil || port == 0 || strconv.FormatUint(port, 10) != number:
		return Name{}, fmt.Errorf("%q: the port %q is no number from 1 to 65535", text, number)
	case len(validation.IsValidLabelValue(zone)) > 0:
		return Name{}, fmt.Errorf("%q: the zone %q is no value of a label", text, zone)
	}
	return Name{Namespace: namespace, Service: service, Port: uint16(port), Zone: zone}, nil
}
