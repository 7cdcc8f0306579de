package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/triggers"
)

const chainSummary = "derives from Triggers which outputs complete an execution"

const chainUsage = `Usage: imageflow chain [--write] FOLDER...

Reads the Triggers in the .yaml files of the folders. For each Trigger whose
subscriber is the bridge at /completed, it prints the outputs at the ends of the
branches that the Trigger gets events of. An execution has completed when all
outputs in the parameter of exist: uri: /completed?of=resize-small,filter. Without
the parameter, the first event completes it. The command fails if two Triggers can
write one name, or if a Trigger waits for an output that no Trigger makes.

Flags:
`

// chain prints what Triggers wait for, or writes it into their files.
func chain(_ context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("imageflow chain", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, chainUsage)
		f.PrintDefaults()
	}
	write := f.Bool("write", false, "write the outputs into the uri of each such Trigger with several branches")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case f.NArg() == 0:
		return errors.New("name the folders with the Triggers; see imageflow chain --help")
	}
	files, all, err := readTriggers(f.Args())
	if err != nil {
		return err
	}
	for _, c := range triggers.Completions(all) {
		describeCompletion(out, c)
		if *write && len(c.Leaves) > 1 && len(c.Elsewhere) == 0 {
			if err := writeLeaves(files, c); err != nil {
				return err
			}
		}
	}
	if *write {
		if _, all, err = readTriggers(f.Args()); err != nil {
			return err
		}
	}
	return triggers.Check(all)
}

// describeCompletion prints what a Trigger waits for, and what it could wait for.
func describeCompletion(out io.Writer, c triggers.Completion) {
	switch {
	case c.Of == nil && len(c.Leaves) > 1:
		fmt.Fprintf(out, "%s: the first of these completes an execution; with several of one upload, set uri: %s\n",
			c.Trigger, uriOf(c))
	case c.Of == nil:
		fmt.Fprintf(out, "%s: completed by %s\n", c.Trigger, leavesText(c.Leaves))
	default:
		fmt.Fprintf(out, "%s: waits for %s\n", c.Trigger, leavesText(c.Of))
	}
	for _, leaf := range c.Leaves {
		isLeaf := func(l execution.Leaf) bool { return l.Step == leaf.Step && l.Variant == leaf.Variant }
		if c.Of != nil && !slices.ContainsFunc(c.Of, isLeaf) {
			fmt.Fprintf(out, "  it does not wait for %s\n", leaf)
		}
	}
	for _, way := range c.Elsewhere {
		fmt.Fprintf(out, "  it cannot wait for the end of %s, whose output has a bucket or a key of its own\n", way)
	}
}

// leavesText returns leaves as text, or "nothing".
func leavesText(leaves []execution.Leaf) string {
	if len(leaves) == 0 {
		return "nothing"
	}
	return joinLeaves(leaves)
}

func joinLeaves(leaves []execution.Leaf) string {
	var names []string
	for _, l := range leaves {
		names = append(names, l.String())
	}
	return strings.Join(names, ",")
}

func uriOf(c triggers.Completion) string { return "/completed?of=" + joinLeaves(c.Leaves) }

// readTriggers reads the Triggers of all .yaml files in folders, and returns the content of the files, too.
func readTriggers(folders []string) (files map[string][]byte, all []triggers.Trigger, err error) {
	files = map[string][]byte{}
	for _, folder := range folders {
		names, err := filepath.Glob(filepath.Join(folder, "*.y*ml"))
		if err == nil && len(names) == 0 {
			err = fmt.Errorf("%s: no .yaml file", folder)
		}
		if err != nil {
			return nil, nil, err
		}
		for _, name := range names {
			if files[name], err = os.ReadFile(name); err != nil {
				return nil, nil, err
			}
			for i, document := range documents(files[name]) {
				t, isTrigger, err := parseTrigger(document)
				if err != nil {
					return nil, nil, fmt.Errorf("%s: document %d: %w", name, i+1, err)
				}
				if isTrigger {
					t.Location = name + ": Trigger " + t.Metadata.Name
					all = append(all, t)
				}
			}
		}
	}
	return files, all, nil
}

// parseTrigger returns the Trigger in a document; false if it is of another kind.
func parseTrigger(document []byte) (t triggers.Trigger, isTrigger bool, err error) {
	var content any
	var kind struct{ Kind string }
	var text []byte
	if err = yaml.Unmarshal(document, &content); err == nil {
		text, err = json.Marshal(content)
	}
	if err == nil {
		err = json.Unmarshal(text, &kind)
	}
	if err != nil || kind.Kind != "Trigger" {
		return t, false, err
	}
	return t, true, json.Unmarshal(text, &t)
}

var separator = regexp.MustCompile(`(?m)^---[ \t]*\r?\n`)

// documents returns the documents of a YAML file.
func documents(text []byte) (all [][]byte) {
	start := 0
	for _, at := range separator.FindAllIndex(text, -1) {
		all = append(all, text[start:at[0]])
		start = at[1]
	}
	return append(all, text[start:])
}

// writeLeaves replaces the uri of a Trigger in its file.
func writeLeaves(files map[string][]byte, c triggers.Completion) error {
	name, _, _ := strings.Cut(c.Trigger.Location, ": Trigger ")
	uri := regexp.MustCompile(`(?m)^(\s*uri:[ \t]*)["']?` + regexp.QuoteMeta(c.Trigger.Spec.Subscriber.URI) + `["']?[ \t]*$`)
	named := regexp.MustCompile(`(?m)^[ \t]+name:[ \t]*["']?` + regexp.QuoteMeta(c.Trigger.Metadata.Name) + `["']?[ \t]*$`)
	for _, document := range documents(files[name]) {
		if !named.Match(document) || len(uri.FindAllIndex(document, -1)) != 1 {
			continue
		}
		changed := uri.ReplaceAll(document, []byte("${1}"+uriOf(c)))
		text := bytes.Replace(files[name], document, changed, 1)
		info, err := os.Stat(name)
		if err == nil {
			files[name], err = text, os.WriteFile(name, text, info.Mode().Perm())
		}
		return err
	}
	return fmt.Errorf("%s: the uri cannot be replaced in this file; set it to %s", c.Trigger, uriOf(c))
}
