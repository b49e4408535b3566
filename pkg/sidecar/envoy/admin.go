package envoy

import (
	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/structpb"
)

// podIP stands for the Pod's address, which the kubelet writes into the
// container's arguments from the variable POD_IP.
const podIP = "$(POD_IP)"

// admin serves health and metrics. It listens at the Pod's own address, where the
// kubelet and Prometheus come from.
func admin(port uint16) *bootstrapv3.Admin {
	return &bootstrapv3.Admin{
		Address: socket(podIP, port),
		// Everybody in the cluster can connect: without this they could read the
		// whole configuration and end the process (/quitquitquit).
		AllowPaths: []*matcherv3.StringMatcher{exactly("/ready"), exactly("/stats/prometheus")},
	}
}

func exactly(path string) *matcherv3.StringMatcher {
	return &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: path}}
}

// runtime sets what has no field.
func runtime() *bootstrapv3.LayeredRuntime {
	return &bootstrapv3.LayeredRuntime{Layers: []*bootstrapv3.RuntimeLayer{{
		Name: "static",
		LayerSpecifier: &bootstrapv3.RuntimeLayer_StaticLayer{StaticLayer: &structpb.Struct{
			Fields: map[string]*structpb.Value{
				// Envoy closes a connection on which most streams are reset soon after
				// they began, as an attacker's would be. The only client here is the
				// Pod's own application: with deadlines below a second the guard cut off
				// every call on its connection.
				"overload.premature_reset_total_stream_count": structpb.NewNumberValue(1<<32 - 1),
			},
		}},
	}}}
}
