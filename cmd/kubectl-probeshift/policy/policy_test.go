package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/policy"
	"github.com/probeshift/probeshift/cmd/webhook/server"
	"github.com/probeshift/probeshift/pkg/mutate"
)

// parse reads command-line flags.
func parse(t *testing.T, args ...string) *policy.Flags {
	t.Helper()
	var flags policy.Flags
	command := &cobra.Command{}
	flags.Add(command)
	if err := command.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return &flags
}

func TestFlagsAreThePolicyThatTheyName(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want mutate.Policy
	}{
		"none":           {nil, mutate.Policy{}},
		"--ports":        {[]string{"--ports=any"}, mutate.Policy{AnyPort: true}},
		"--mesh":         {[]string{"--mesh=ignore"}, mutate.Policy{IgnoreMesh: true}},
		"--ip-family":    {[]string{"--ip-family=ignore"}, mutate.Policy{IgnoreIPFamily: true}},
		"IPv6":           {[]string{"--pod-ip-family=6"}, mutate.Policy{IPv6: true}},
		"--bare-pods":    {[]string{"--bare-pods=skip"}, mutate.Policy{SkipBarePods: true}},
		"TLS":            {[]string{"--grpc-probe-tls=always"}, mutate.Policy{TLSProbes: true}},
		"names, in both": {[]string{"--tool-name=a,b", "--tool-name=c", "--mesh-proxy-name=p"}, mutate.Policy{ToolNames: []string{"a", "b", "c"}, MeshProxies: []string{"p"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parse(t, tc.args...).Policy()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryUnknownValueIsNamed(t *testing.T) {
	_, err := parse(t, "--ports=all", "--mesh=off").Policy()
	want := "--ports=\"all\" is not known: use declared or any\n--mesh=\"off\" is not known: use respect or ignore"
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
}

// The webhook's flags of the same names have the same defaults, so that an audit
// tells what an unchanged webhook does.
func TestDefaultsAreTheWebhooks(t *testing.T) {
	webhook := pflag.NewFlagSet("", pflag.ContinueOnError)
	sets := server.NewOptions(func(string) string { return "" }).Flags()
	for _, set := range sets.FlagSets {
		webhook.AddFlagSet(set)
	}
	var flags policy.Flags
	command := &cobra.Command{}
	flags.Add(command)
	command.Flags().VisitAll(func(f *pflag.Flag) {
		theirs := webhook.Lookup(f.Name)
		if theirs == nil {
			t.Errorf("the webhook has no --%s", f.Name)
		} else if theirs.DefValue != f.DefValue {
			t.Errorf("--%s: default %s here, %s there", f.Name, f.DefValue, theirs.DefValue)
		}
	})
}
