package discovery

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/probeshift/probeshift/deploy"
	"github.com/probeshift/probeshift/pkg/sidecar"
)

// inject creates a Pod that asks for the sidecar, and returns its status and
// the sidecar's bootstrap in JSON.
func (c *cluster) inject(t *testing.T) (status sidecar.Status, bootstrap string) {
	t.Helper()
	pod, err := c.client.CoreV1().Pods("shop").Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "client-", Annotations: map[string]string{"lb.probeshift.dev/upstreams": "greeter:9000"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "client", Image: "example.com/client:1.0.0"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text := pod.Annotations[sidecar.StatusAnnotation]
	if text == "" {
		return sidecar.Status{}, ""
	}
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		t.Fatal(err)
	}
	written, _ := sidecar.Bootstrap(pod)
	content, err := yaml.YAMLToJSON([]byte(written))
	if err != nil {
		t.Fatal(err)
	}
	return status, string(content)
}

// members waits until new sidecars get their members so.
func (s *story) members(t *testing.T, want string) (bootstrap string) {
	t.Helper()
	eventually(t, "new sidecars get their members from "+want, func() bool {
		var status sidecar.Status
		status, bootstrap = s.inject(t)
		return status.Members == want
	})
	return bootstrap
}

func (s *story) withoutACANewSidecarsWorkFromDNS(t *testing.T) {
	s.webhook.start(t)
	configuration, err := deploy.ConfigurationAt("https://"+s.webhook.address, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), configuration, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.webhook.waitReady(t)
	s.members(t, "dns")
	const words = "new sidecars work from DNS until discovery has published its CA"
	if n := s.webhook.said(words); n != 1 {
		t.Errorf("the webhook says %d times: %s", n, words)
	}
	if known := s.webhook.metric(t, "probeshift_sidecar_discovery_known"); known != 0 {
		t.Errorf("probeshift_sidecar_discovery_known is %v", known)
	}
}

func (s *story) newSidecarsGetTheCA(t *testing.T) {
	bootstrap := s.members(t, "discovery")
	for _, want := range []string{
		inJSON(t, s.published(t)),
		`"address":"` + serverName + `.cluster.test."`, `"port_value":18000`,
		`"exact":"` + serverName + `"`, `"interval":"7s"`,
	} {
		if !strings.Contains(bootstrap, want) {
			t.Errorf("the bootstrap does not hold %s:\n%s", want, bootstrap)
		}
	}
	if known := s.webhook.metric(t, "probeshift_sidecar_discovery_known"); known != 1 {
		t.Errorf("probeshift_sidecar_discovery_known is %v", known)
	}
}

// inJSON is a string as JSON has it, without the quotes.
func inJSON(t *testing.T, text string) string {
	t.Helper()
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Trim(string(quoted), `"`)
}

func (s *story) theWebhookKeepsTheLastGoodCA(t *testing.T) {
	open := sidecarAt(t, s.first, s.published(t), name) // it ends with the process
	open.follows(t, "10.0.0.4:50051")
	s.first.stop(t)
	s.second.stop(t)
	last := s.published(t)
	eventually(t, "the webhook has the last CA", func() bool {
		_, bootstrap := s.inject(t)
		return strings.Contains(bootstrap, inJSON(t, last))
	})
	const rejected = "probeshift_sidecar_discovery_ca_rejected_total"
	for _, bad := range []string{"", "no certificate", strings.ReplaceAll(last, "CERTIFICATE", "PRIVATE KEY")} {
		before := s.webhook.metric(t, rejected)
		s.publish(t, "ca.crt", bad)
		eventually(t, fmt.Sprintf("the webhook rejects %q", bad), func() bool { return s.webhook.metric(t, rejected) > before })
		if _, bootstrap := s.inject(t); !strings.Contains(bootstrap, inJSON(t, last)) {
			t.Errorf("with %q in the ConfigMap, new sidecars do not get the last good CA", bad)
		}
	}
	if s.webhook.said("no usable CA of discovery: the last good one stays in use") == 0 {
		t.Error("the webhook does not say so")
	}
	s.unpublish(t)
	s.members(t, "dns")
	s.first.start(t)
	s.members(t, "discovery")
	s.first.stop(t)
	s.webhook.stop(t)
}
