package root

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/access"
	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/screen"
)

// helpWidth is the width of help where there is no terminal, in columns.
const helpWidth = 100

// setUsage gives all commands help in the order of kubectl's: what it does,
// examples, flags, and last how it is called.
func setUsage(command *cobra.Command) {
	command.SetUsageFunc(func(c *cobra.Command) error {
		c.Print(usage(c))
		return nil
	})
	command.SetHelpFunc(func(c *cobra.Command, _ []string) {
		text := c.Long
		if text == "" {
			text = c.Short + "."
		}
		fmt.Fprint(c.OutOrStdout(), text+"\n\n"+usage(c))
	})
}

// usage is everything but the description.
func usage(c *cobra.Command) string {
	width := screen.New(c.OutOrStdout(), func(string) string { return "" }).Width()
	if width == 0 || width > helpWidth {
		width = helpWidth
	}
	var text strings.Builder
	section := func(title, body string) {
		if body != "" {
			fmt.Fprintf(&text, "%s:\n%s\n\n", title, strings.TrimRight(body, "\n"))
		}
	}
	own, cluster := Flags(c)
	section("Examples", c.Example)
	section("Commands", commands(c))
	section("Flags", own.FlagUsagesWrapped(width))
	section("Flags that say how the cluster is reached, as kubectl's", cluster.FlagUsagesWrapped(width))
	section("Usage", "  "+useLine(c))
	return strings.TrimRight(text.String(), "\n") + "\n"
}

func useLine(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " COMMAND"
	}
	return c.UseLine()
}

// commands lists the commands below c.
func commands(c *cobra.Command) string {
	var text strings.Builder
	for _, each := range c.Commands() {
		if each.IsAvailableCommand() {
			fmt.Fprintf(&text, "  %-*s  %s\n", c.NamePadding(), each.Name(), each.Short)
		}
	}
	return text.String()
}

// Flags returns a command's flags: its own, and those that say how the cluster
// is reached.
func Flags(c *cobra.Command) (own, cluster *pflag.FlagSet) {
	own, cluster = pflag.NewFlagSet("", pflag.ContinueOnError), pflag.NewFlagSet("", pflag.ContinueOnError)
	c.InitDefaultHelpFlag()
	c.InitDefaultVersionFlag()
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, is := f.Annotations[access.Annotation]; is {
			cluster.AddFlag(f)
			return
		}
		own.AddFlag(f)
	})
	return own, cluster
}
