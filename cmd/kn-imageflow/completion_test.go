package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestCompletion: a shell gets the names that begin with what was typed, and what else it may complete.
func TestCompletion(t *testing.T) {
	for args, want := range map[string]string{
		"logs |g": "grpc-gateway\n:4\n", "logs |x": ":4\n", "logs --execution |": ":5\n", // there is no gateway
		"status |": ":4\n", "install |": ":16\n", "upload |": ":0\n",
	} {
		before, start, _ := strings.Cut(args, "|")
		code, out, wrong := call(t, smallDeployment(), append(append([]string{"__complete"}, strings.Fields(before)...), start)...)
		if code != 0 || out != want {
			t.Errorf("%s: code %d, %q, %s, want %q", args, code, out, wrong, want)
		}
	}
}

// TestCompletionChains: so are chains, of which apply and delete take those that apply has made.
func TestCompletionChains(t *testing.T) {
	clients := shippedChain(t)
	call(t, clients, "chain", "apply", "shop", "--prefix", "thumbnails/", "--step", "resize?target_width=90")
	for command, want := range map[string]string{"describe": "chain\nshop\n:4\n", "delete": "shop\n:4\n"} {
		if _, out, wrong := call(t, clients, "__complete", "chain", command, ""); out != want {
			t.Errorf("%s: got %q, %s", command, out, wrong)
		}
	}
}

// TestExamples: each command has an example, whose command line is right.
func TestExamples(t *testing.T) {
	root := newRoot(&options{})
	var check func(c *cobra.Command)
	check = func(c *cobra.Command) {
		for _, below := range c.Commands() {
			check(below)
		}
		if !c.Runnable() || c.Name() == "help" || c.Parent() != nil && c.Parent().Name() == "completion" {
			return
		}
		if c.Example == "" && !c.HasSubCommands() {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for line := range strings.Lines(c.Example) {
			args, isOurs := strings.CutPrefix(strings.TrimSpace(line), "kn imageflow ")
			if !isOurs {
				t.Errorf("%s: the example %q is of something else", c.CommandPath(), line)
				continue
			}
			found, rest, err := root.Find(fieldsOf(args))
			if err == nil {
				err = found.ParseFlags(rest)
			}
			if err == nil {
				err = found.ValidateArgs(found.Flags().Args())
			}
			if err != nil || found.CommandPath() != c.CommandPath() {
				t.Errorf("%s: the example %q: %v", c.CommandPath(), line, err)
			}
		}
	}
	check(root)
}

// fieldsOf returns the words of a command line, of which some have parts in single quotes, until the output is redirected.
func fieldsOf(line string) []string {
	const space = "\x00"
	line, _, _ = strings.Cut(line, " > ")
	var text strings.Builder
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			part = strings.ReplaceAll(part, " ", space)
		}
		text.WriteString(part)
	}
	words := strings.Fields(text.String())
	for i, word := range words {
		words[i] = strings.ReplaceAll(word, space, " ")
	}
	return words
}
