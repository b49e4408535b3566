package conformance

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/probeshift/probeshift/pkg/reason"
)

// grpc-go may send an address through a proxy that the environment names. A
// line that is read as native never goes there.
func TestNoLineThatIsReadAsNativeGoesThroughAProxy(t *testing.T) {
	const proxy = "http://127.0.0.9:3128" // nothing is sent there either
	row := count{what: "grpc-go's proxies"}
	for name, env := range map[string][]corev1.EnvVar{
		"upper case":       {{Name: "HTTPS_PROXY", Value: proxy}},
		"lower case":       {{Name: "https_proxy", Value: proxy}},
		"without a scheme": {{Name: "HTTPS_PROXY", Value: "127.0.0.9:3128"}},
		"with exceptions":  {{Name: "HTTPS_PROXY", Value: proxy}, {Name: "NO_PROXY", Value: "localhost,web-0"}},
		"for http only":    {{Name: "HTTP_PROXY", Value: proxy}, {Name: "ALL_PROXY", Value: proxy}, {Name: "all_proxy", Value: proxy}},
		"empty, then set":  {{Name: "HTTPS_PROXY"}, {Name: "https_proxy", Value: proxy}},
		"set, then empty":  {{Name: "https_proxy", Value: proxy}, {Name: "HTTPS_PROXY"}},
		"as a CGI program": {{Name: "HTTPS_PROXY", Value: proxy}, {Name: "REQUEST_METHOD", Value: "GET"}},
	} {
		t.Run(name, func(t *testing.T) {
			g, tool := newGenerator(seed()+3), newOracle(t, processEnv(env, pod{})...)
			lines := make([]line, *lineCount/40)
			for i := range lines {
				lines[i] = line{Args: g.line().Args, Env: env}
			}
			for i, answer := range judgeLines(t, tool, lines) {
				reading := lines[i].read()
				row.judged(reading)
				if reading.Reason != reason.None {
					continue
				}
				problem := difference(answer, reading, 0)
				if problem != "" {
					row.differences++
				}
				if problem != "" && row.differences <= maxShown {
					t.Errorf("%s\n%s", problem, kept(keptCase{Command: lines[i].command(), Env: env}))
				}
			}
		})
	}
	totals.add(row)
}
