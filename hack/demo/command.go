package main

import (
	"strconv"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// harmless are the characters that no shell takes for more than they are.
const harmless = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=:,./@%+"

// command writes the exec command that was sent as one would type it.
func (c change) command() string {
	words := make([]string, 0, len(c.before.Exec.Command))
	for _, word := range c.before.Exec.Command {
		words = append(words, quote(word))
	}
	return strings.Join(words, " ")
}

// quote puts a word in quotes where a shell needs them.
func quote(word string) string {
	if word != "" && strings.Trim(word, harmless) == "" {
		return word
	}
	quoted, err := syntax.Quote(word, syntax.LangBash)
	if err != nil { // a NUL, which no shell can hold
		return strconv.Quote(word)
	}
	return quoted
}
