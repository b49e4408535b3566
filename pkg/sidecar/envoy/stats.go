package envoy

import (
	"strings"

	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// kept are the statistics that a sidecar has, as regular expressions for what
// follows the name of a pool, of a listener or of nothing.
func kept() string {
	return strings.Join([]string{
		`cluster\.[^.]+\.(` + strings.Join([]string{
			`upstream_rq_(total|active|time|timeout|cancelled|[rt]x_reset|pending_.*|retry.*|\dxx)`,
			`upstream_cx_(total|active|none_healthy|connect_(fail|timeout)|destroy.*|[rt]x_bytes_total)`,
			`membership_.*`,
			`outlier_detection\.ejections_(active|overflow|enforced_total|detected_consecutive_local_origin_failure)`,
			`health_check\..*`,
			`update_.*`,
			`grpc\..*`,
		}, "|") + `)`,
		`listener\.[^a].*\.downstream_(cx_(total|active)|pre_cx_.*)`,
		`http\.[^.]+\.downstream_(rq_(total|active|.xx|.*reset.*|too_large|ws_.*)|cx_(total|active|http\d_total))`,
		`tcp\.[^.]+\.downstream_cx_.*`,
		`server\.(live|uptime|memory_.*|initialization_time_ms)`,
		`dns\.cares\..*`,
	}, "|")
}

// statistics leaves out most of what Envoy counts: a dozen histograms for each
// upstream, and numbers about features that are not used here. With all of it
// one upstream makes 700 series, and 500 sidecars of five upstreams more than a
// million.
func statistics() *metricsv3.StatsConfig {
	return &metricsv3.StatsConfig{
		StatsTags: []*metricsv3.TagSpecifier{{
			// gRPC's status becomes a label, envoy_cluster_grpc{grpc_status="14"}. As it
			// is, each status is a metric of its own, which no query can sum up.
			TagName:  "grpc_status",
			TagValue: &metricsv3.TagSpecifier_Regex{Regex: `^cluster\.[^.]+\.grpc(\.(\d+))`},
		}},
		StatsMatcher: &metricsv3.StatsMatcher{
			StatsMatcher: &metricsv3.StatsMatcher_InclusionList{InclusionList: &matcherv3.ListStringMatcher{
				Patterns: []*matcherv3.StringMatcher{{MatchPattern: &matcherv3.StringMatcher_SafeRegex{
					SafeRegex: &matcherv3.RegexMatcher{Regex: kept()},
				}}},
			}},
		},
	}
}
