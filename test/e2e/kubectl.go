package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// kubectl prints a command, runs it and prints what it said. Input may be
// empty.
func (l *life) kubectl(ctx context.Context, input string, arguments ...string) error {
	words := []string{"kubectl"}
	for _, argument := range arguments {
		words = append(words, quote(argument))
	}
	shown := strings.Join(words, " ")
	if input != "" {
		shown += " <<EOF\n" + input + "EOF"
	}
	fmt.Fprintln(l.screen, "$ "+shown)
	said, err := ask(ctx, input, arguments...)
	for line := range strings.Lines(said) {
		fmt.Fprint(l.screen, "  "+line)
	}
	return err
}

// harmless are the characters that no shell takes for more than they are.
const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=:,./@%+"

// quote puts an argument in quotes where a shell needs them.
func quote(argument string) string {
	if argument != "" && strings.Trim(argument, harmless) == "" {
		return argument
	}
	return "'" + strings.ReplaceAll(argument, "'", `'\''`) + "'"
}

// ask runs kubectl without a word and returns what it said.
func ask(ctx context.Context, input string, arguments ...string) (string, error) {
	var said, complaint bytes.Buffer
	command := exec.CommandContext(ctx, "kubectl", arguments...)
	command.Stdin, command.Stdout, command.Stderr = strings.NewReader(input), &said, &complaint
	if err := command.Run(); err != nil {
		return said.String(), fmt.Errorf("kubectl %s: %w: %s", strings.Join(arguments, " "), err, strings.TrimSpace(complaint.String()))
	}
	return said.String(), nil
}
