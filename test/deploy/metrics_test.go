package deploy

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"k8s.io/client-go/kubernetes"
)

// series is one line of an exposition, without its value.
type series struct {
	name   string
	labels map[string]string
}

// exposition is what an endpoint of metrics exports.
type exposition []series

// of returns the series of one name.
func (e exposition) of(name string) []series {
	var found []series
	for _, s := range e {
		if s.name == name {
			found = append(found, s)
		}
	}
	return found
}

// scrape reads the API server's metrics.
func scrape(t testing.TB) exposition {
	t.Helper()
	c, err := kubernetes.NewForConfig(cluster)
	if err != nil {
		t.Fatal(err)
	}
	text, err := c.RESTClient().Verb(http.MethodGet).AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? `)
	label := regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
	var all exposition
	for l := range strings.Lines(string(text)) {
		parts := line.FindStringSubmatch(l)
		if parts == nil {
			continue
		}
		s := series{name: parts[1], labels: map[string]string{}}
		for _, pair := range label.FindAllStringSubmatch(parts[2], -1) {
			s.labels[pair[1]] = pair[2]
		}
		all = append(all, s)
	}
	return all
}
