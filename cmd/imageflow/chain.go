package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"imageflow.dev/cmd/internal/role"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/triggers"
)

const chainSummary = "derives from Triggers which outputs complete an execution"

const chainUsage = `Usage: imageflow chain [--write] [--presets FILE] FOLDER...

Reads the Triggers in the .yaml files of the folders. For each Trigger whose
subscriber is the bridge at /completed, it prints the outputs at the ends of the
branches that the Trigger gets events of. An execution has completed when all
outputs in the parameter of exist: uri: /completed?of=resize-small,filter. Without
the parameter, the first event completes it. The command fails if two Triggers can
write one name, if a Trigger waits for an output that no Trigger makes, or if a
processor would refuse a Trigger's parameters. Triggers that name presets or
pipelines need their file.

Flags:
`

// chain prints what Triggers wait for, or writes it into their files.
func chain(_ context.Context, args []string, out io.Writer) error {
	c, err := parseChain(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	set, err := c.presets.Presets()
	if err != nil {
		return err
	}
	all, err := readTriggers(c.folders)
	if err != nil {
		return err
	}
	for _, completion := range triggers.Completions(triggers.Expand(all, set)) {
		describeCompletion(out, completion)
		if c.write && len(completion.Leaves) > 1 && len(completion.Elsewhere) == 0 {
			if err := writeLeaves(completion); err != nil {
				return err
			}
		}
	}
	if c.write {
		if all, err = readTriggers(c.folders); err != nil {
			return err
		}
	}
	return errors.Join(checkSteps(all, set), triggers.Check(triggers.Expand(all, set)))
}

// chainFlags are the flags and the arguments of the command.
type chainFlags struct {
	write   bool
	presets role.PresetsFile
	folders []string
}

func parseChain(args []string, out io.Writer) (given chainFlags, err error) {
	if err := role.Load(&given.presets); err != nil {
		return given, err
	}
	f := flag.NewFlagSet("imageflow chain", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, chainUsage)
		f.PrintDefaults()
	}
	f.BoolVar(&given.write, "write", false, "write the outputs into the uri of each such Trigger with several branches")
	f.StringVar(&given.presets.File, "presets", given.presets.File,
		"`file` of the presets and pipelines that Triggers name; without the flag, PRESETS_FILE")
	if err := f.Parse(args); err != nil {
		return given, err
	}
	if given.folders = f.Args(); len(given.folders) == 0 {
		return given, errors.New("name the folders with the Triggers; see imageflow chain --help")
	}
	return given, nil
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

// readTriggers reads the Triggers of all .yaml files in folders.
func readTriggers(folders []string) ([]triggers.Trigger, error) {
	files, err := triggers.ReadFiles(folders)
	if err != nil {
		return nil, err
	}
	return triggers.Parse(files)
}

// writeLeaves replaces the uri of a Trigger in its file.
func writeLeaves(c triggers.Completion) error {
	name := c.Trigger.File
	whole, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	uri := regexp.MustCompile(`(?m)^(\s*uri:[ \t]*)["']?` + regexp.QuoteMeta(c.Trigger.Spec.Subscriber.URI) + `["']?[ \t]*$`)
	named := regexp.MustCompile(`(?m)^[ \t]+name:[ \t]*["']?` + regexp.QuoteMeta(c.Trigger.Metadata.Name) + `["']?[ \t]*$`)
	for _, document := range triggers.Documents(whole) {
		if !named.Match(document) || len(uri.FindAllIndex(document, -1)) != 1 {
			continue
		}
		changed := uri.ReplaceAll(document, []byte("${1}"+uriOf(c)))
		info, err := os.Stat(name)
		if err == nil {
			err = os.WriteFile(name, bytes.Replace(whole, document, changed, 1), info.Mode().Perm())
		}
		return err
	}
	return fmt.Errorf("%s: the uri cannot be replaced in this file; set it to %s", c.Trigger, uriOf(c))
}
