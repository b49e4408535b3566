package serve

import (
	"fmt"

	discoverygrpc "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/probeshift/probeshift/pkg/discovery/resource"
)

/*
A client gets the endpoints of Services that it names, and cannot ask which there
are. The protocol has several ways to ask for everything: a first request without
names, the name "*", and for the state-of-the-world form a list that becomes empty.
The library would answer each with all that other clients have asked for. So each
ends the stream here, before the library sees the request; newADS and
onlyNamed turn the library's own reading of them off besides.
*/

// maxNames is how many names a stream may ask for in its life. A Pod may list
// this many upstreams (package sidecar), so that fewer would shut Pods out.
const maxNames = 100

// reason is why a client was refused, as metrics tell it.
type reason string

// The reasons.
const (
	// wildcard: everything was asked for.
	wildcard reason = "wildcard"
	// otherType: something else than endpoints was asked for.
	otherType reason = "other-type"
	// tooManyNames: more names than maxNames.
	tooManyNames reason = "too-many-names"
	// nameTooLong: a name of more than resource.MaxLength bytes.
	nameTooLong reason = "name-too-long"
	// malformedName: not the form of a name. It is left unanswered, as a name that
	// leads nowhere is; the stream goes on, for the sake of its other names.
	malformedName reason = "malformed-name"
	// tooManyVariants: a name of a Service of which maxVariants are held, with a
	// port or a zone that may be invented. It is told that there are no endpoints.
	tooManyVariants reason = "too-many-variants"
	// requestTooLarge: a request of more than maxRequest bytes. An Envoy that tells
	// more about itself than it does today would be refused for this.
	requestTooLarge reason = "request-too-large"
	// slow: answers of maxOwed bytes wait for the address to read them.
	slow reason = "slow"
	// handshake: no TLS came about; among others from clients that do not trust
	// the serving certificate.
	handshake reason = "handshake"
	// connections: the address has as many connections as it may.
	connections reason = "connections"
)

// reasons are all of them.
func reasons() []reason {
	return []reason{wildcard, otherType, tooManyNames, nameTooLong, malformedName, tooManyVariants, requestTooLarge, slow, handshake, connections}
}

// refusal is the error that ends a stream.
type refusal struct {
	why  reason
	code codes.Code
	text string
}

func (r *refusal) Error() string { return r.text }

// GRPCStatus is what the client is told.
func (r *refusal) GRPCStatus() *status.Status { return status.New(r.code, r.text) }

func refuse(why reason, code codes.Code, format string, args ...any) error {
	return &refusal{why: why, code: code, text: fmt.Sprintf(format, args...)}
}

// checkDelta checks a request of the delta form; first says that it is the first
// of its stream. Later ones need no names: most acknowledge an answer.
func checkDelta(request *discoverygrpc.DeltaDiscoveryRequest, first bool) error {
	if err := checkType(request.GetTypeUrl()); err != nil {
		return err
	}
	if first && len(request.GetResourceNamesSubscribe()) == 0 {
		return refuse(wildcard, codes.InvalidArgument, "the first request names nothing, which would ask for everything: name what is wanted")
	}
	if len(request.GetInitialResourceVersions()) > maxNames {
		return refuse(tooManyNames, codes.ResourceExhausted, "more than %d versions are told", maxNames)
	}
	for name := range request.GetInitialResourceVersions() {
		if err := checkName(name); err != nil {
			return err
		}
	}
	if err := checkNames(request.GetResourceNamesUnsubscribe()); err != nil {
		return err
	}
	return checkNames(request.GetResourceNamesSubscribe())
}

// checkWorld checks a request of the state-of-the-world form, of which each tells
// all names anew.
func checkWorld(request *discoverygrpc.DiscoveryRequest) error {
	if err := checkType(request.GetTypeUrl()); err != nil {
		return err
	}
	if len(request.GetResourceNames()) == 0 {
		return refuse(wildcard, codes.InvalidArgument, "a request names nothing, which could ask for everything: name what is wanted")
	}
	return checkNames(request.GetResourceNames())
}

func checkType(url string) error {
	if url != resourcev3.EndpointType {
		return refuse(otherType, codes.InvalidArgument, "only %s is served here", resourcev3.EndpointType)
	}
	return nil
}

func checkNames(names []string) error {
	if len(names) > maxNames {
		return refuse(tooManyNames, codes.ResourceExhausted, "more than %d names in one request", maxNames)
	}
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name string) error {
	switch {
	case name == "*" || name == "":
		return refuse(wildcard, codes.InvalidArgument, "the name %q would ask for everything: name what is wanted", name)
	case len(name) > resource.MaxLength:
		return refuse(nameTooLong, codes.InvalidArgument, "a name of %d bytes is longer than %d", len(name), resource.MaxLength)
	}
	return nil
}
