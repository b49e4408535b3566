package sidecar

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/probeshift/probeshift/pkg/sidecar/envoy"
)

// Each reader returns what to write instead of a value that is none, or "".

// oneOf reads one of a few words.
func oneOf[T ~string](field *T, value string, words ...T) (remedy string) {
	known := make([]string, 0, len(words))
	for _, word := range words {
		if value == string(word) {
			*field = word
			return ""
		}
		known = append(known, string(word))
	}
	return "use " + strings.Join(known[:len(known)-1], ", ") + " or " + known[len(known)-1]
}

// number reads a whole number in decimal digits.
func number[T ~uint16 | ~uint32](field *T, value string, low, high uint64) (remedy string) {
	n, ok := digits(value)
	if !ok || n < low || n > high {
		return fmt.Sprintf("use a number from %d to %d", low, high)
	}
	*field = T(n)
	return ""
}

// digits reads a number without sign, blanks or leading zeros.
func digits(value string) (n uint64, ok bool) {
	n, err := strconv.ParseUint(value, 10, 32)
	return n, err == nil && value == strconv.FormatUint(n, 10)
}

// readPort reads a port number.
func readPort(text string) (port uint16, ok bool) {
	n, ok := digits(text)
	return uint16(n), ok && n >= 1 && n <= 65535
}

// list splits at commas and line ends, and leaves out what is blank.
func list(value string) []string {
	var items []string
	for item := range strings.FieldsFuncSeq(value, func(c rune) bool { return c == ',' || c == '\n' || c == '\r' }) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func readUpstreams(s *settings, value string) (remedy string) {
	if s.upstreams = list(value); len(s.upstreams) == 0 {
		return "list [dialled=]backend:port, or remove the annotation"
	}
	return ""
}

func readAppPorts(s *settings, value string) (remedy string) {
	items := list(value)
	for _, item := range items {
		port, ok := readPort(item)
		if !ok {
			return "list port numbers from 1 to 65535"
		}
		s.appPorts = append(s.appPorts, port)
	}
	if len(items) == 0 {
		return "list port numbers, or remove the annotation"
	}
	return ""
}

// serviceName is a name that a gRPC health service may know: the fully
// qualified name of a proto service, or a word of the server's own.
var serviceName = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,200}$`)

func readHealthCheck(s *settings, value string) (remedy string) {
	kind, service, named := strings.Cut(value, ":")
	switch {
	case value == "none":
		s.healthCheck = envoy.HealthCheck{Kind: "none"}
	case value == "tcp", value == "grpc", kind == "grpc" && named && serviceName.MatchString(service):
		s.healthCheck = envoy.HealthCheck{Kind: kind, Service: service}
	default:
		return "use none, grpc, grpc:<service> with letters, digits and . / _ -, or tcp"
	}
	return ""
}

func readRefresh(s *settings, value string) (remedy string) {
	refresh, err := time.ParseDuration(value)
	if err != nil || refresh < time.Second || refresh > time.Minute {
		return "use a duration from 1s to 60s"
	}
	s.refresh = refresh
	return ""
}

// quantityShape is what a sane quantity looks like. The API's own parser takes
// minutes for 1e-30000000, and so does comparing 1e30000000.
var quantityShape = regexp.MustCompile(`^[0-9]{1,15}(\.[0-9]{1,9})?(m|k|[MGTP]|[KMGTP]i|[eE][0-9])?$`)

// readQuantity reads a positive quantity that the API server takes: whole
// millicores or bytes.
func readQuantity(field **resource.Quantity, value string, cpu bool) (remedy string) {
	remedy = "use a quantity of memory such as 64Mi"
	if cpu {
		remedy = "use a quantity of CPU such as 50m"
	}
	if !quantityShape.MatchString(value) {
		return remedy
	}
	quantity, err := resource.ParseQuantity(value)
	if err != nil || quantity.Sign() <= 0 {
		return remedy
	}
	whole := resource.NewQuantity(quantity.Value(), resource.BinarySI)
	if cpu {
		whole = resource.NewMilliQuantity(quantity.MilliValue(), resource.DecimalSI)
	}
	if quantity.Cmp(*whole) != 0 {
		return remedy
	}
	*field = &quantity
	return ""
}
