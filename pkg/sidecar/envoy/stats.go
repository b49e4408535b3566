package envoy

import (
	"strings"

	metricsv3 "github.com/envoyproxy/go-control-plane/envoy/config/metrics/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
)

// kept are the statistics that a sidecar has, as regular expressions for what
// follows the name of a pool, of a listener or of nothing.
func kept(isDiscovered bool) string {
	return strings.Join(append(keptOfPools(isDiscovered),
		`listener\.[^a].*\.downstream_(cx_(total|active)|pre_cx_.*)`,
		`http\.[^.]+\.downstream_(rq_(total|active|.xx|.*reset.*|too_large|ws_.*)|cx_(total|active|http\d_total))`,
		`tcp\.[^.]+\.downstream_cx_.*`,
		`server\.(live|uptime|memory_.*|initialization_time_ms)`,
		`dns\.cares\..*`,
	), "|")
}

// keptOfPools are those of the pools. With discovery an upstream has three times as
// many: each says what nobody else does. Requests, connections and ejections count
// at the members, answers and retries at the aggregate.
func keptOfPools(isDiscovered bool) []string {
	members := strings.Join([]string{
		`upstream_rq_(total|active|time|timeout|cancelled|[rt]x_reset|pending_.*|retry.*|\dxx)`,
		`upstream_cx_(total|active|none_healthy|connect_(fail|timeout)|destroy.*|[rt]x_bytes_total)`,
		`membership_.*`,
		`outlier_detection\.ejections_(active|overflow|enforced_total|detected_consecutive_local_origin_failure)`,
		`health_check\..*`,
	}, "|")
	const answers = `grpc\..*`
	if !isDiscovered {
		return []string{`cluster\.[^.]+\.(` + members + `|update_.*|` + answers + `)`}
	}
	const (
		// pool is the name of one that discovery fills, or DNS alone: it ends in the
		// upstream's port.
		pool = `cluster\.[^.|]*_\d+`
		// updates leaves out how long each took, which is a histogram.
		updates = `update_(attempt|success|failure|empty|no_rebuild|rejected)`
	)
	return []string{
		pool + `(\|tcp)?\.(` + members + `|` + updates + `|` + answers + `)`,
		pool + `(\|tcp)?\|dns\.(upstream_rq_total|upstream_cx_(total|active|connect_(fail|timeout))|membership_(total|healthy)` +
			`|outlier_detection\.ejections_(active|enforced_total)|` + updates + `)`,
		pool + `(\|tcp)?\|all\.upstream_cx_none_healthy`,
		pool + `\|all\.(upstream_rq_(time|timeout|retry.*|\dxx)|` + answers + `)`,
		// Why the sidecar has no stream to discovery, if it has none.
		`cluster\.discovery\.(membership_(total|healthy)|upstream_cx_(total|active|connect_(fail|timeout))|ssl\.(connection_error|fail_verify_(error|san)))`,
		`control_plane\.connected_state`,
	}
}

// statistics leaves out most of what Envoy counts: a dozen histograms for each
// upstream, and numbers about features that are not used here. With all of it
// one upstream makes 700 series, and 500 sidecars of five upstreams more than a
// million.
func statistics(isDiscovered bool) *metricsv3.StatsConfig {
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
					SafeRegex: &matcherv3.RegexMatcher{Regex: kept(isDiscovered)},
				}}},
			}},
		},
	}
}
