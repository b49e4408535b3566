// Package policy holds the flags that say how the webhook is, or is going to
// be, configured, for the commands that decide as it does. Names, values and
// defaults are those of the webhook's own flags.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/probeshift/probeshift/pkg/mutate"
)

// Flags are the flags, as given. The zero value is to be filled by Add.
type Flags struct {
	Ports          string
	Mesh           string
	IPFamily       string
	PodIPFamily    string
	BarePods       string
	GRPCProbeTLS   string
	ToolNames      []string
	MeshProxyNames []string
}

// choice is a flag that takes one of a few words, the default first.
type choice struct {
	name  string
	value *string
	words []string
	usage string
}

func (f *Flags) choices() []choice {
	return []choice{
		{"ports", &f.Ports, []string{"declared", "any"},
			"evidence that a server listens beyond loopback, as the webhook's flag: declared or any"},
		{"mesh", &f.Mesh, []string{"respect", "ignore"}, "Pods of a service mesh, as the webhook's flag: respect or ignore"},
		{"ip-family", &f.IPFamily, []string{"respect", "ignore"},
			"probes that dial the other IP family than the kubelet, as the webhook's flag: respect or ignore"},
		{"pod-ip-family", &f.PodIPFamily, []string{"auto", "4", "6"},
			"family of the Pods' primary IP: 4, 6 or auto (that of a Pod's own address where it has one, otherwise 4)"},
		{"bare-pods", &f.BarePods, []string{"rewrite", "skip"}, "Pods without a controlling owner, as the webhook's flag: rewrite or skip"},
		{"grpc-probe-tls", &f.GRPCProbeTLS, []string{"never", "always"}, "native TLS probes, as the webhook's flag: never or always"},
	}
}

// Add adds the flags to a command.
func (f *Flags) Add(command *cobra.Command) {
	fs := command.Flags()
	for _, c := range f.choices() {
		fs.StringVar(c.value, c.name, c.words[0], c.usage)
		complete(command, c.name, c.words)
	}
	f.addNames(fs)
}

func (f *Flags) addNames(fs *pflag.FlagSet) {
	fs.StringSliceVar(&f.ToolNames, "tool-name", nil, "further file name of the tool; repeatable")
	fs.StringSliceVar(&f.MeshProxyNames, "mesh-proxy-name", nil, "further container name of a mesh proxy; repeatable")
}

// complete completes the values of a flag.
func complete(command *cobra.Command, flag string, words []string) {
	// The only error is that of a flag that is not there.
	_ = command.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// Policy is what the flags mean to a decision; auto counts as IPv4. The error
// names every value that is not known.
func (f *Flags) Policy() (mutate.Policy, error) {
	var errs []error
	for _, c := range f.choices() {
		if !slices.Contains(c.words, *c.value) {
			errs = append(errs, fmt.Errorf("--%s=%q is not known: use %s", c.name, *c.value, strings.Join(c.words, " or ")))
		}
	}
	return mutate.Policy{
		AnyPort:        f.Ports == "any",
		IgnoreMesh:     f.Mesh == "ignore",
		IgnoreIPFamily: f.IPFamily == "ignore",
		IPv6:           f.PodIPFamily == "6",
		SkipBarePods:   f.BarePods == "skip",
		TLSProbes:      f.GRPCProbeTLS == "always",
		ToolNames:      f.ToolNames,
		MeshProxies:    f.MeshProxyNames,
	}, errors.Join(errs...)
}
