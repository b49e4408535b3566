// Package serve tells sidecars the endpoints of the Services that they name, and
// each change of them: xDS over gRPC and TLS, endpoint assignments alone.
//
// Two informers hold the cluster's Services and EndpointSlices; what a name means
// is for package discovery to say; the protocol is go-control-plane's. What is
// left, and is here: assignments are made only for names that somebody asks for,
// changes of one Service are gathered, nothing is taken away on a mere glance,
// and a client gets what it names and nothing else.
package serve
