// Package output holds the flag -o of the commands and writes the forms that
// programs read.
package output

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// Format is the value of -o: "table", "json" or "yaml".
type Format string

// The formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	YAML  Format = "yaml"
)

// formats returns what -o takes, the default first.
func formats() []string { return []string{string(Table), string(JSON), string(YAML)} }

// Add adds -o to a command; the default is a table.
func (f *Format) Add(command *cobra.Command) {
	*f = Table
	command.Flags().VarP(f, "output", "o", "output format: "+strings.Join(formats(), ", "))
	// The only error is that of a flag that is not there.
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats(), cobra.ShellCompDirectiveNoFileComp))
}

// Set takes the flag's value.
func (f *Format) Set(value string) error {
	if !slices.Contains(formats(), value) {
		return fmt.Errorf("%q is not known: use %s", value, strings.Join(formats(), ", "))
	}
	*f = Format(value)
	return nil
}

// String is the flag's value.
func (f *Format) String() string { return string(*f) }

// Type names the value's type in --help.
func (f *Format) Type() string { return "format" }

// Table says that the output is for people.
func (f *Format) Table() bool { return *f == Table }

// Show writes a value as Write does, or has it shown as a table.
func (f *Format) Show(out io.Writer, value any, table func()) error {
	if f.Table() {
		table()
		return nil
	}
	return f.Write(out, value)
}

// Write writes a value with JSON tags as JSON or YAML, with the same keys.
func (f *Format) Write(out io.Writer, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return fmt.Errorf("write the result as JSON: %w", err)
	}
	text = append(text, '\n')
	if *f == YAML {
		if text, err = yaml.JSONToYAML(text); err != nil {
			return fmt.Errorf("write the result as YAML: %w", err)
		}
	}
	if _, err := out.Write(text); err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	return nil
}
