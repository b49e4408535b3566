package server

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/pflag"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// options returns the defaults in an environment, changed by flags.
func options(t *testing.T, environment map[string]string, args ...string) *Options {
	t.Helper()
	o := NewOptions(func(name string) string { return environment[name] })
	all := pflag.NewFlagSet("webhook", pflag.ContinueOnError)
	for _, set := range o.Flags().FlagSets {
		all.AddFlagSet(set)
	}
	if err := all.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestDefaultsAreValid(t *testing.T) {
	if errs := options(t, nil).Validate(); len(errs) > 0 {
		t.Errorf("problems: %v", errs)
	}
}

func TestValidateListsEveryProblemWithItsRemedy(t *testing.T) {
	tests := map[string]struct {
		environment map[string]string
		args        []string
		want        string
	}{
		"a source that does not exist": {nil, []string{"--certs=secret"}, `--certs="secret" is not known: use self or files`},
		"several at once": {nil, []string{"--ports=all", "--mesh=no", "--ip-family=4", "--pod-ip-family=5", "--bare-pods=keep"}, `--ports="all" is not known: use declared or any
--mesh="no" is not known: use respect or ignore
--ip-family="4" is not known: use respect or ignore
--pod-ip-family="5" is not known: use auto or 4 or 6
--bare-pods="keep" is not known: use rewrite or skip`},
		"words of serving": {nil, []string{"--tls-min-version=1.1", "--log-format=yaml", "--grpc-probe-tls=auto"}, `--tls-min-version="1.1" is not known: use 1.3 or 1.2
--grpc-probe-tls="auto" is not known: use never or always
--log-format="yaml" is not known: use json or text`},
		"numbers out of range": {nil, []string{"--port=0", "--max-concurrent-reviews=0", "--drain-duration=-1s", "-v=-1"}, `--port=0 is no port: use 1 to 65535
--max-concurrent-reviews=0 lets no review through: use at least 1
--drain-duration=-1s is negative: use 0s to end at once
-v=-1 is negative: use 0 for the least detail`},
		"addresses": {nil, []string{"--bind-address=here", "--metrics-bind-address=8080", "--health-probe-bind-address=:http"}, `--bind-address="here" is no IP address: give one, or leave it empty for all
--metrics-bind-address="8080" is no address: use HOST:PORT or :PORT, or 0 to switch it off
--health-probe-bind-address=":http" is no address: use HOST:PORT or :PORT, or 0 to switch it off`},
		"no directory": {nil, []string{"--cert-dir="}, `--cert-dir is empty: name the directory that holds tls.crt and tls.key`},
		"names": {nil, []string{"--tool-name=/bin/hc", "--mesh-proxy-name=a b"}, `--tool-name="/bin/hc" is no file name: give the last element of the path, of letters, digits and . _ + -
--mesh-proxy-name="a b" is no container name: give the proxy's container name`},
		"a CA that lives no longer than its leaves": {nil, []string{"--ca-life=1h"},
			`--ca-life=1h0m0s: write at least 504h45m0s, three times the leaf life and the settle time`},
		"a broken POD_IP": {map[string]string{"POD_IP": "x"}, nil,
			`POD_IP="x" is no IP address: take it from status.podIP, or set --pod-ip-family`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := errors.Join(options(t, test.environment, test.args...).Validate()...)
			if err == nil {
				t.Fatal("no problem was found")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPolicyOfOptions(t *testing.T) {
	tests := map[string]struct {
		environment map[string]string
		args        []string
		want        mutate.Policy
	}{
		"the default is the most careful one": {nil, nil, mutate.Policy{}},
		"every flag": {nil, []string{"--ports=any", "--mesh=ignore", "--ip-family=ignore", "--pod-ip-family=6", "--grpc-probe-tls=always",
			"--bare-pods=skip", "--tool-name=a", "--tool-name=b", "--mesh-proxy-name=p"}, mutate.Policy{
			AnyPort: true, IgnoreMesh: true, IgnoreIPFamily: true, IPv6: true, TLSProbes: true, SkipBarePods: true,
			ToolNames: []string{"a", "b"}, MeshProxies: []string{"p"},
		}},
		"auto follows an IPv6 Pod":         {map[string]string{"POD_IP": "fd00::7"}, nil, mutate.Policy{IPv6: true}},
		"auto follows an IPv4 Pod":         {map[string]string{"POD_IP": "10.0.0.7"}, nil, mutate.Policy{}},
		"auto reads mapped IPv4 as IPv4":   {map[string]string{"POD_IP": "::ffff:10.0.0.7"}, nil, mutate.Policy{}},
		"a family by flag beats the Pod's": {map[string]string{"POD_IP": "fd00::7"}, []string{"--pod-ip-family=4"}, mutate.Policy{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, policy(options(t, test.environment, test.args...))); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadConfigSaysWhatCannotBeLoaded(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"invalid options":                               {[]string{"--port=0", "--ports=x"}, "--port=0 is no port"},
		"a client CA file that is missing":              {[]string{"--certs=files", "--client-ca-file=missing.pem"}, "read --client-ca-file: open missing.pem"},
		"a client CA file without any":                  {[]string{"--certs=files", "--client-ca-file=" + empty}, "no certificate in --client-ca-file " + empty},
		"TLS probes without an API server":              {[]string{"--certs=files", "--grpc-probe-tls=always", "--namespace=n"}, "--grpc-probe-tls=always needs an API server: set --kubeconfig or run in a Pod"},
		"certificates of our own without an API server": {nil, "--certs=self needs an API server: set --kubeconfig, run in a Pod with a service account, or use --certs=files"},
		"a kubeconfig file that is missing":             {[]string{"--grpc-probe-tls=always", "--namespace=n", "--kubeconfig=missing"}, "load --kubeconfig: "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := LoadConfig(options(t, nil, test.args...), prometheus.NewRegistry())
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

func TestHelpGroupsFlagsAndGivesDefaults(t *testing.T) {
	var out bytes.Buffer
	command := NewCommand(func(string) string { return "" })
	command.SetOut(&out)
	command.SetArgs([]string{"--help"})
	if err := command.ExecuteContext(context.Background()); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		if len(line) > helpWidth || strings.TrimRight(line, " ") != line {
			t.Errorf("%d columns, or a blank at its end: %q", len(line), line)
		}
	}
	for _, group := range []string{"Serving flags:", "Certificate flags:", "Probe flags:", "Kubernetes API flags:", "Observing flags:", "General flags:"} {
		if !strings.Contains(out.String(), group) {
			t.Errorf("no %q in:\n%s", group, &out)
		}
	}
	for _, set := range options(t, nil).Flags().FlagSets {
		set.VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(out.String(), "--"+f.Name+" ") {
				t.Errorf("no --%s in help", f.Name)
			}
			// pflag prints a default that is not the zero value by itself.
			zero := f.DefValue == "" || f.DefValue == "0" || f.DefValue == "[]"
			if zero && !strings.Contains(f.Usage, "(default ") {
				t.Errorf("no default of --%s in help", f.Name)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	var out bytes.Buffer
	command := NewCommand(func(string) string { return "" })
	command.SetOut(&out)
	command.SetArgs([]string{"--version"})
	if err := command.ExecuteContext(context.Background()); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "webhook version ") {
		t.Errorf("version: %q", &out)
	}
}
