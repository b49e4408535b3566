package sidecar

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// Prefix is what the keys of the sidecar's annotations begin with.
const Prefix = "lb.probeshift.dev/"

const (
	// UpstreamsAnnotation is the switch: a Pod without it is left alone.
	UpstreamsAnnotation = Prefix + "upstreams"
	// StatusAnnotation is where the decision is written.
	StatusAnnotation = Prefix + "status"
)

// Annotation is one row of the table from which the Pod's annotations are read
// and README and --help are made.
type Annotation struct {
	// Key is the annotation's key, without the prefix.
	Key string
	// Values and Meaning are for people.
	Values, Meaning string
	// Default is the value that holds where there is none. It is empty where
	// DefaultText says in words what holds.
	Default, DefaultText string

	// read reads a value into the settings. It returns what to write instead
	// of a value that is none, and nil for the output.
	read func(s *settings, value string) (remedy string)
}

// DefaultShown is the default as people read it.
func (a Annotation) DefaultShown() string {
	if a.Default == "" {
		return a.DefaultText
	}
	return "`" + a.Default + "`"
}

// Annotations returns the table: every key, in the order of README.
func Annotations() []Annotation {
	return slices.Concat(trafficAnnotations(), resourceAnnotations())
}

func trafficAnnotations() []Annotation {
	return []Annotation{
		{
			Key: "upstreams", Values: "list of `[dialled=]backend:port`, by comma or line", DefaultText: "none",
			Meaning: "the switch: Services whose requests are balanced; `dialled` is what the app dials, if not the backend",
			read:    readUpstreams,
		},
		{
			Key: "intercept", Values: "`auto`, `hosts`, `env`, `none`", Default: "auto",
			Meaning: "how traffic reaches the sidecar: by the hosts file, rewritten addresses, or the app dials it",
			read: func(s *settings, v string) string {
				return oneOf(&s.intercept, v, interceptAuto, interceptHosts, interceptEnv, interceptNone)
			},
		},
		{
			Key: "app-ports", Values: "list of ports", DefaultText: "declared and probed ports",
			Meaning: "ports that the app itself listens on beyond those that it declares",
			read:    readAppPorts,
		},
		{
			Key: "algorithm", Values: "`least-request`, `round-robin`, `random`", Default: string(envoy.LeastRequest),
			Meaning: "who gets the next request; `least-request` prefers those with fewer under way",
			read: func(s *settings, v string) string {
				return oneOf(&s.algorithm, v, envoy.LeastRequest, envoy.RoundRobin, envoy.Random)
			},
		},
		{
			Key: "protocol", Values: "`auto`, `http`, `tcp`", Default: string(envoy.Auto),
			Meaning: "`auto` waits up to 5 s for the first bytes; `http` suits gRPC; `tcp` balances connections",
			read: func(s *settings, v string) string {
				return oneOf(&s.protocol, v, envoy.Auto, envoy.HTTP, envoy.TCP)
			},
		},
		{
			Key: "retries", Values: "0 to 10", Default: "5",
			Meaning: "how often a request that never reached the server is sent to another",
			read: func(s *settings, v string) string {
				return number(&s.retries, v, 0, 10)
			},
		},
		{
			Key: "health-check", Values: "`none`, `grpc`, `grpc:<service>`, `tcp`", DefaultText: "`none`; `tcp` for HTTP upstreams with discovery",
			Meaning: "ask each server for its health every few seconds",
			read:    readHealthCheck,
		},
		{
			Key: "dns-refresh", Values: "1s to 60s", Default: "5s",
			Meaning: "time between two looks at DNS",
			read:    readRefresh,
		},
		{
			Key: "metrics-port", Values: "1 to 65535", Default: "15902",
			Meaning: "port of `/ready` and `/stats/prometheus` at the Pod's IP",
			read: func(s *settings, v string) string {
				return number(&s.metricsPort, v, 1, 65535)
			},
		},
	}
}

func resourceAnnotations() []Annotation {
	row := func(key, defaultText, meaning string, field func(*settings) **resource.Quantity) Annotation {
		return Annotation{
			Key: key, Values: "quantity", DefaultText: defaultText, Meaning: meaning,
			read: func(s *settings, v string) string { return readQuantity(field(s), v, strings.HasPrefix(key, "cpu")) },
		}
	}
	return []Annotation{
		row("cpu-request", "`20m`; `200m` in a Guaranteed Pod", "CPU request of the sidecar",
			func(s *settings) **resource.Quantity { return &s.resources.cpuRequest }),
		row("memory-request", "`48Mi`; `128Mi` in a Guaranteed Pod", "memory request of the sidecar",
			func(s *settings) **resource.Quantity { return &s.resources.memoryRequest }),
		row("cpu-limit", "none; `200m` in a Guaranteed Pod", "CPU limit of the sidecar; throttling costs latency",
			func(s *settings) **resource.Quantity { return &s.resources.cpuLimit }),
		row("memory-limit", "`256Mi`; `128Mi` in a Guaranteed Pod", "memory limit of the sidecar",
			func(s *settings) **resource.Quantity { return &s.resources.memoryLimit }),
		{
			Key: "status", Values: "output", DefaultText: "",
			Meaning: "written by the webhook: upstreams, and the addresses where they are reached",
		},
	}
}

// settings are the annotations of one Pod, read.
type settings struct {
	upstreams   []string
	intercept   intercept
	appPorts    []uint16
	algorithm   envoy.Algorithm
	protocol    envoy.Protocol
	retries     uint32
	healthCheck envoy.HealthCheck
	refresh     time.Duration
	metricsPort uint16
	resources   quantities
}

// intercept is how the application's traffic reaches the sidecar.
type intercept string

const (
	// interceptAuto takes the hosts file, and rewrites ports where they clash.
	interceptAuto intercept = "auto"
	// interceptHosts takes the hosts file alone.
	interceptHosts intercept = "hosts"
	// interceptEnv rewrites addresses in the Pod and leaves the hosts file.
	interceptEnv intercept = "env"
	// interceptNone changes nothing: the app dials the sidecar itself.
	interceptNone intercept = "none"
)

// aliases says whether the Pod gets hostAliases.
func (i intercept) aliases() bool { return i == interceptAuto || i == interceptHosts }

// maxUnknown is how many unknown keys a problem names.
const maxUnknown = 10

// readSettings reads the annotations, over the defaults. The problems are in
// the order of the keys.
func readSettings(annotations map[string]string) (settings, []Problem) {
	var s settings
	table := map[string]Annotation{}
	for _, row := range Annotations() {
		table[Prefix+row.Key] = row
		if row.Default != "" {
			row.read(&s, row.Default)
		}
	}
	var problems []Problem
	var unknown []string
	for _, key := range ourKeys(annotations) {
		row, known := table[key]
		switch {
		case !known:
			unknown = append(unknown, shown(key))
		case row.read == nil:
		default:
			value := strings.TrimSpace(annotations[key])
			if remedy := row.read(&s, value); remedy != "" {
				problems = append(problems, Problem{BadValue, "annotation " + key + " is " + shown(value), remedy})
			}
		}
	}
	if len(unknown) > 0 {
		more := ""
		if len(unknown) > maxUnknown {
			more = fmt.Sprintf(" and %d more", len(unknown)-maxUnknown)
			unknown = unknown[:maxUnknown]
		}
		problems = append(problems, Problem{UnknownKey, "not known: annotation " + strings.Join(unknown, ", ") + more, "use " + knownKeys()})
	}
	if s.healthCheck.Kind == "grpc" && s.protocol == envoy.TCP {
		problems = append(problems, Problem{
			BadValue, "annotation " + Prefix + "health-check is grpc while " + Prefix + "protocol is tcp",
			"use health-check tcp or none, or another protocol",
		})
	}
	return s, problems
}

// knownKeys lists what a Pod may set.
func knownKeys() string {
	var keys []string
	for _, row := range Annotations() {
		if row.read != nil {
			keys = append(keys, row.Key)
		}
	}
	return strings.Join(keys, ", ")
}

// ourKeys returns the keys with our prefix, sorted.
func ourKeys(annotations map[string]string) []string {
	var keys []string
	for key := range annotations {
		if strings.HasPrefix(key, Prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// MarkdownTable renders the table for README.
func MarkdownTable() string {
	var b strings.Builder
	b.WriteString("| `" + Prefix + "...` | values | default | meaning |\n|---|---|---|---|\n")
	for _, a := range Annotations() {
		b.WriteString("| `" + a.Key + "` | " + a.Values + " | " + a.DefaultShown() + " | " + a.Meaning + " |\n")
	}
	return b.String()
}

// HelpTable renders the table for a terminal.
func HelpTable() string {
	var b strings.Builder
	plain := strings.NewReplacer("`", "")
	for _, a := range Annotations() {
		text := plain.Replace(a.Values)
		if shown := plain.Replace(a.DefaultShown()); shown != "" {
			text += " (default " + shown + ")"
		}
		fmt.Fprintf(&b, "  %-15s %s\n  %-15s %s\n", a.Key, text, "", plain.Replace(a.Meaning))
	}
	return strings.TrimSuffix(b.String(), "\n")
}
