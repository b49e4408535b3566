package access

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const (
	// completionTimeout is how long a shell waits for names from the cluster.
	completionTimeout = 3 * time.Second
	// completionLimit is how many names are asked for.
	completionLimit = 500
)

// Completer completes a flag or an argument, as cobra asks for it.
type Completer = cobra.CompletionFunc

// complete sets what the flags are completed with. The only error that cobra
// knows is that of a flag that is not there.
func (a *Access) complete(command *cobra.Command) {
	_ = command.RegisterFlagCompletionFunc("context", a.fromKubeconfig(func(c clientcmdapi.Config) []string {
		return slices.Collect(maps.Keys(c.Contexts))
	}))
	_ = command.RegisterFlagCompletionFunc("cluster", a.fromKubeconfig(func(c clientcmdapi.Config) []string {
		return slices.Collect(maps.Keys(c.Clusters))
	}))
	_ = command.RegisterFlagCompletionFunc("user", a.fromKubeconfig(func(c clientcmdapi.Config) []string {
		return slices.Collect(maps.Keys(c.AuthInfos))
	}))
	if a.flags.Namespace != nil {
		_ = command.RegisterFlagCompletionFunc("namespace", a.Namespaces)
	}
}

// fromKubeconfig completes with names that stand in the kubeconfig.
func (a *Access) fromKubeconfig(names func(clientcmdapi.Config) []string) Completer {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		config, err := a.flags.ToRawKubeConfigLoader().RawConfig()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return beginning(names(config), typed)
	}
}

// Namespaces completes with the cluster's namespaces.
func (a *Access) Namespaces(cmd *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	client, err := a.Client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	list, err := client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{Limit: completionLimit})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names := make([]string, len(list.Items))
	for i := range list.Items {
		names[i] = list.Items[i].Name
	}
	return beginning(names, typed)
}

// Pods completes with the names of the namespace's Pods that are not there yet.
func (a *Access) Pods(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	client, err := a.Client()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	namespace, err := a.Namespace()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
	defer cancel()
	list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: completionLimit})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for i := range list.Items {
		if name := list.Items[i].Name; !slices.Contains(args, name) {
			names = append(names, name)
		}
	}
	return beginning(names, typed)
}

// beginning is the names that begin as was typed, sorted.
func beginning(names []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, typed) })
	slices.Sort(names)
	return names, cobra.ShellCompDirectiveNoFileComp
}
