package server

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/component-base/cli/flag"
)

const (
	// helpWidth is the width of help where there is no terminal, and the widest, in
	// columns.
	helpWidth = 100
	// minHelpWidth is the narrowest terminal that help is fitted to.
	minHelpWidth = 40
)

// setHelp gives the command help that fits the terminal, with the flags in their
// groups.
func setHelp(command *cobra.Command, sets flag.NamedFlagSets) {
	command.SetUsageFunc(func(c *cobra.Command) error {
		_, err := io.WriteString(c.OutOrStderr(), usage(c, sets, widthOf(c.OutOrStderr())))
		return err
	})
	command.SetHelpFunc(func(c *cobra.Command, _ []string) {
		width := widthOf(c.OutOrStdout())
		// A reader that is gone is not ours to mend.
		_, _ = io.WriteString(c.OutOrStdout(), fitted(c.Long, width)+"\n\n"+usage(c, sets, width))
	})
}

// widthOf is how wide help may be where it is written to.
func widthOf(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok {
		return helpWidth
	}
	width, _, err := term.GetSize(int(file.Fd()))
	if err != nil || width <= 0 {
		return helpWidth
	}
	return min(max(width, minHelpWidth), helpWidth)
}

// usage is everything but the description.
func usage(c *cobra.Command, sets flag.NamedFlagSets, width int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "Usage:\n  %s\n", c.UseLine())
	for _, name := range sets.Order {
		if flags := sets.FlagSets[name]; flags.HasFlags() {
			fmt.Fprintf(&text, "\n%s flags:\n\n%s", strings.ToUpper(name[:1])+name[1:], flags.FlagUsagesWrapped(width))
		}
	}
	return text.String()
}

// entry is the beginning of a line in a table: its indent, and a name with blanks
// behind it.
var entry = regexp.MustCompile(`^ +(?:\S+ {2,})?`)

// fitted is a text whose tables fit a width; other lines stay as they are. What goes
// on in a new line begins where the text beside the name does.
func fitted(text string, width int) string {
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		head := entry.FindString(line)
		if head == "" || utf8.RuneCountInString(line) <= width {
			lines = append(lines, line)
			continue
		}
		indent := strings.Repeat(" ", len(head))
		current := head
		for word := range strings.FieldsSeq(line[len(head):]) {
			switch {
			case current == head || current == indent:
				current += word
			case utf8.RuneCountInString(current+" "+word) <= width:
				current += " " + word
			default:
				lines = append(lines, current)
				current = indent + word
			}
		}
		lines = append(lines, current)
	}
	return strings.Join(lines, "\n")
}
