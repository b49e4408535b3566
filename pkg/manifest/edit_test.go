package manifest_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/probeshift/probeshift/pkg/manifest"
)

// inPod puts the lines of a readiness probe into a Pod.
func inPod(probe string) string {
	return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: cart\nspec:\n  containers:\n    - name: server\n      ports:\n        - containerPort: 8080\n" +
		indent(probe, 6) + "      image: example.com/cart:1\n"
}

func indent(text string, n int) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) == "" {
			out.WriteString(line)
			continue
		}
		out.WriteString(strings.Repeat(" ", n) + line)
	}
	return out.String()
}

func TestAProbeIsReplacedInTheStyleOfItsAuthor(t *testing.T) {
	for name, tc := range map[string]struct{ before, after string }{
		"block style": {`
readinessProbe:
  exec:
    command: ["/bin/grpc_health_probe", "-addr=:8080"]
  periodSeconds: 5
`, `
readinessProbe:
  grpc:
    port: 8080
    service: ""
  periodSeconds: 5
`},
		"comments, each with the field that its word became": {`
readinessProbe: # why
  exec: # how
    # before the command

    command: # behind the command
    - /bin/grpc_health_probe # baked into the image
    # the port of the server
    - -addr=:8080 # as in GRPC_PORT
    - -service=cart.v1.Cart   # as in the proto
    # after the last word
  # before the period
  periodSeconds: 5
`, `
readinessProbe: # why
  grpc: # how
    # before the command

    # behind the command
    # baked into the image
    # the port of the server
    port: 8080  # as in GRPC_PORT
    service: cart.v1.Cart   # as in the proto
    # after the last word
  # before the period
  periodSeconds: 5
`},
		"a flow probe": {`
readinessProbe: {exec: {command: [/bin/grpc_health_probe, "-addr=:8080"]}, timeoutSeconds: 5} # short
`, `
readinessProbe: {grpc: {port: 8080, service: ""}, timeoutSeconds: 2} # short
`},
		"a flow handler": {`
readinessProbe:
  exec: { command: [/bin/grpc_health_probe, "-addr=:8080"] }
  timeoutSeconds: 0x5 # long
`, `
readinessProbe:
  grpc: { port: 8080, service: "" }
  timeoutSeconds: 2 # long
`},
		"quoted keys": {`
"readinessProbe":
  "exec":
      'command':
      - "/bin/grpc_health_probe"
      - "-addr=:8080"
`, `
"readinessProbe":
  "grpc":
      "port": 8080
      "service": ""
`},
		"block scalars": {`
readinessProbe:
  exec:
    command:
      - sh
      - -c
      - |
        exec /bin/grpc_health_probe \
          -addr=:8080

  timeoutSeconds: 9
`, `
readinessProbe:
  grpc:
    port: 8080
    service: ""

  timeoutSeconds: 2
`},
		"plain and quoted words over several lines": {`
readinessProbe:
  exec:
    command:
      - sh
      - -c
      - exec /bin/grpc_health_probe
        -addr=:8080
  periodSeconds: 3
livenessProbe:
  exec:
    command: [sh, "-c", "exec
      /bin/grpc_health_probe
  -addr=:8080", # the end
      ]
`, `
readinessProbe:
  grpc:
    port: 8080
    service: ""
  periodSeconds: 3
livenessProbe:
  grpc:
    port: 8080  # the end
    service: ""
`},
		"a handler that both probes share": {`
readinessProbe:
  exec: &probe
    command: ["/bin/grpc_health_probe", "-addr=:8080"]
livenessProbe:
  exec: *probe
  periodSeconds: 30
`, `
readinessProbe:
  grpc:
    port: 8080
    service: ""
livenessProbe:
  grpc:
    port: 8080
    service: ""
  periodSeconds: 30
`},
		"a probe that both share": {`
readinessProbe: &probe
  exec:
    command: ["/bin/grpc_health_probe", "-addr=:8080"]
livenessProbe: *probe
`, `
readinessProbe: &probe
  grpc:
    port: 8080
    service: ""
livenessProbe: *probe
`},
		"a merge": {`
readinessProbe: &probe
  exec:
    command: ["/bin/grpc_health_probe", "-addr=:8080"]
  timeoutSeconds: 7
livenessProbe:
  <<: *probe
  timeoutSeconds: 1
`, `
readinessProbe: &probe
  grpc:
    port: 8080
    service: ""
  timeoutSeconds: 2
livenessProbe:
  <<: *probe
  timeoutSeconds: 1
`},
		"CRLF": {"readinessProbe:\r\n  exec:\r\n    command: [\"grpc_health_probe\", \"-addr=:8080\"]\r\n",
			"readinessProbe:\r\n  grpc:\r\n    port: 8080\r\n    service: \"\"\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := strings.TrimPrefix(tc.before, "\n"), strings.TrimPrefix(tc.after, "\n")
			got, err := manifest.Edit([]byte(inPod(before)), manifest.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(inPod(after), string(got.Content)); diff != "" {
				t.Errorf("(-want +got)\n%s\n%+v", diff, got.Findings)
			}
		})
	}
}
