package output_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/probeshift/probeshift/cmd/kubectl-probeshift/output"
)

func TestAValueIsWrittenInTheFormatAskedFor(t *testing.T) {
	value := struct {
		Name string `json:"theName"`
		List []int  `json:"list"`
	}{"a", []int{1}}
	for args, want := range map[string]string{
		"-o json":       "{\n  \"theName\": \"a\",\n  \"list\": [\n    1\n  ]\n}\n",
		"--output=yaml": "list:\n- 1\ntheName: a\n",
	} {
		var format output.Format
		command := &cobra.Command{}
		format.Add(command)
		if err := command.ParseFlags(strings.Fields(args)); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := format.Show(&out, value, func() { t.Errorf("%s is shown as a table", args) }); err != nil {
			t.Fatal(err)
		}
		if format.Table() || out.String() != want {
			t.Errorf("%s: %q", args, out.String())
		}
	}
}

func TestTheDefaultIsATableAndOthersAreRefused(t *testing.T) {
	var format output.Format
	command := &cobra.Command{}
	format.Add(command)
	shown := false
	var out bytes.Buffer
	if err := format.Show(&out, "value", func() { shown = true }); err != nil || !shown || !format.Table() || out.Len() > 0 {
		t.Errorf("shown as a table: %t, error %v, written: %q", shown, err, out.String())
	}
	if err := command.ParseFlags([]string{"-o", "wide"}); err == nil || !strings.Contains(err.Error(), `"wide" is not known: use table, json, yaml`) {
		t.Errorf("error %v", err)
	}
}
