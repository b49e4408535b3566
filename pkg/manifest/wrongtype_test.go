package manifest_test

import (
	"strings"
	"testing"

	"github.com/probeshift/probeshift/pkg/manifest"
)

func TestAWrongTypeIsSaidInPlainWords(t *testing.T) {
	const probe = "    livenessProbe:\n      exec:\n        command: [grpc_health_probe, '-addr=:8080']\n"
	for lines, want := range map[string]string{
		"    readinessProbe: {exec: {command: grpc_health_probe}}\n": "spec.containers.readinessProbe.exec.command is a text, and has to be a list",
		"    env: [{name: PORT, value: 8080}]\n":                     "spec.containers.env.value is a number, and has to be a text: put it in quotes",
		"    env: [{name: A, value: yes}]\n":                         "spec.containers.env.value is true or false, and has to be a text: put it in quotes",
		"    image: {name: cart}\n":                                  "spec.containers.image is a mapping, and has to be a text",
		"    ports: [{containerPort: '8080'}]\n":                     "spec.containers.ports.containerPort is a text, and has to be a whole number",
		"    ports: [{containerPort: 80.5}]\n":                       "spec.containers.ports.containerPort is a number, and has to be a whole number",
		"    ports: [8080]\n":                                        "spec.containers.ports is a number, and has to be a mapping or a text",
		"    tty: 'yes'\n":                                           "spec.containers.tty is a text, and has to be true or false",
		"    resources: []\n":                                        "spec.containers.resources is a list, and has to be a mapping or a text",
		"    resources: {limits: {cpu: lots}}\n":                     "quantities must match",
		"    startupProbe: {grpc: {port: [1]}}\n":                    "spec.containers.startupProbe.grpc.port is a list, and has to be a whole number",
		"    resources: {limits: 1}\n":                               "spec.containers.resources.limits is a number, and has to be a mapping or a text",
		"    resources: none\n":                                      "spec.containers.resources is a text, and has to be a mapping",
		"    imagePullPolicy: {a: b}\n":                              "spec.containers.imagePullPolicy is a mapping, and has to be a text",
		"    securityContext: {capabilities: {add: [1]}}\n":          "spec.containers.securityContext.capabilities.add is a number, and has to be a mapping or a text",
	} {
		text := "apiVersion: v1\nkind: Pod\nmetadata: {name: cart}\nspec:\n  containers:\n  - name: server\n" + lines + probe
		result, err := manifest.Edit([]byte(text), manifest.Options{})
		if err != nil || len(result.Findings) != 1 {
			t.Fatalf("%v, %+v", err, result.Findings)
		}
		if f := result.Findings[0]; f.Reason != manifest.NotAPod || !strings.Contains(f.Detail, want) {
			t.Errorf("%s%s: %s", lines, f.Reason, f.Detail)
		}
	}
}
