package envoy

import (
	"errors"
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// Bootstrap returns Envoy's whole configuration for a sidecar. Its errors name
// everything that is wrong with the Config, or with what was made of it by the
// rules in Envoy's own protocol buffers.
func Bootstrap(c Config) (*bootstrapv3.Bootstrap, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	var p packer
	b := &bootstrapv3.Bootstrap{
		Admin:                  admin(c.MetricsPort),
		StaticResources:        &bootstrapv3.Bootstrap_StaticResources{},
		LayeredRuntime:         runtime(),
		StatsConfig:            statistics(c.Discovery != nil),
		TypedDnsResolverConfig: p.resolver(),
	}
	for _, u := range c.Upstreams {
		b.StaticResources.Listeners = append(b.StaticResources.Listeners, p.listener(u))
		if u.Protocol != TCP {
			b.StaticResources.Clusters = append(b.StaticResources.Clusters, p.requestPools(u, c)...)
		}
		if u.Protocol != HTTP {
			b.StaticResources.Clusters = append(b.StaticResources.Clusters, p.connectionPools(u, c)...)
		}
	}
	if c.Discovery != nil {
		b.Node = node()
		b.DynamicResources = follow()
		b.StaticResources.Clusters = append(b.StaticResources.Clusters, p.discovery(*c.Discovery, c.IPv6))
	}
	p.check("the bootstrap", b)
	if err := errors.Join(p.errs...); err != nil {
		return nil, err
	}
	return b, nil
}

// message is a protocol buffer with the rules of protoc-gen-validate.
type message interface {
	proto.Message
	ValidateAll() error
}

// packer packs messages into google.protobuf.Any and keeps what was wrong with
// them. Validation of a message does not look into an Any that it holds, so
// each one is validated as it is packed.
type packer struct {
	errs []error
}

func (p *packer) check(what string, m message) {
	if err := m.ValidateAll(); err != nil {
		p.errs = append(p.errs, fmt.Errorf("validate %s: %w", what, err))
	}
}

func (p *packer) pack(m message) *anypb.Any {
	name := string(m.ProtoReflect().Descriptor().FullName())
	p.check(name, m)
	packed, err := anypb.New(m)
	if err != nil {
		p.errs = append(p.errs, fmt.Errorf("pack %s: %w", name, err))
	}
	return packed
}
