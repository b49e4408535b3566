package envoy

import (
	"time"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	previoushostsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	// minRetryPause and maxRetryPause are the bounds of the pause between two
	// attempts. Without a pause all attempts would fall into the instant in which
	// a Pod goes; Envoy's default of up to 250 ms would make five of them outlast
	// the deadlines of many callers.
	minRetryPause = 25 * time.Millisecond
	maxRetryPause = 100 * time.Millisecond
	// hostAttempts is how often a host is drawn again when the one drawn has been
	// tried before. With Envoy's default of one, two choices among few hosts often
	// end at the same dead one.
	hostAttempts = 10
)

// retries sends a request again, to another host, when it certainly never
// reached the application: so that the call is made at most once, whatever it
// does.
func (p *packer) retries(n uint32) *routev3.RetryPolicy {
	return &routev3.RetryPolicy{
		RetryOn:    "connect-failure,refused-stream,reset-before-request",
		NumRetries: wrapperspb.UInt32(n),
		RetryHostPredicate: []*routev3.RetryPolicy_RetryHostPredicate{{
			Name: "envoy.retry_host_predicates.previous_hosts",
			ConfigType: &routev3.RetryPolicy_RetryHostPredicate_TypedConfig{
				TypedConfig: p.pack(&previoushostsv3.PreviousHostsPredicate{}),
			},
		}},
		HostSelectionRetryMaxAttempts: hostAttempts,
		RetryBackOff: &routev3.RetryPolicy_RetryBackOff{
			BaseInterval: durationpb.New(minRetryPause),
			MaxInterval:  durationpb.New(maxRetryPause),
		},
	}
}
