package sidecar

import (
	"os"
	"strings"
	"testing"
)

func TestREADMEHoldsTheTableOfAnnotations(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if table := MarkdownTable(); !strings.Contains(string(readme), table) {
		t.Errorf("README.md does not hold the table of the annotations as the code has it:\n%s", table)
	}
}
