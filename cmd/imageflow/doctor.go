package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"
)

const doctorSummary = "tells what a deployment on Knative lacks, and the mend"

const doctorUsage = `Usage: imageflow doctor [flags]

Looks at a deployment through kubectl, with its current context, and says of
each thing that ImageFlow needs whether it is there, why not, and what mends it.
It changes nothing. It fails when something is missing.

Flags:
`

// finding is what is wrong with one thing. A nil finding is good news.
type finding struct{ reason, mend string }

// checks are made in this order: what comes later often fails for what comes
// before.
var checks = []struct {
	name string
	look func(*cluster, context.Context) (good string, wrong *finding)
}{
	{"cluster", (*cluster).reachable},
	{"Knative", (*cluster).knative},
	{"feature flags", (*cluster).features},
	{"namespace", (*cluster).namespaced},
	{"secrets", (*cluster).secrets},
	{"GPU", (*cluster).gpu},
	{"Services", (*cluster).services},
	{"ingress", (*cluster).ingress},
	{"broker", (*cluster).broker},
	{"triggers", (*cluster).triggers},
	{"names", (*cluster).names},
	{"store", (*cluster).store},
}

// doctor makes the checks and prints a line for each.
func doctor(ctx context.Context, args []string, out io.Writer) error {
	c := &cluster{}
	f := flag.NewFlagSet("imageflow doctor", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, doctorUsage)
		f.PrintDefaults()
	}
	f.StringVar(&c.namespace, "namespace", "image-processing", "`namespace` of the deployment")
	f.StringVar(&c.kubectl, "kubectl", "kubectl", "the `command`")
	f.DurationVar(&c.patience, "wait", 0, "how long things may take to get ready")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	missing := 0
	for _, check := range checks {
		good, wrong := c.await(ctx, check.look)
		if wrong == nil {
			fmt.Fprintf(out, "ok       %-14s %s\n", check.name, good)
			continue
		}
		missing++
		fmt.Fprintf(out, "MISSING  %-14s %s\n", check.name, indent(wrong.reason))
		fmt.Fprintf(out, "         mend:          %s\n", indent(wrong.mend))
		if check.name == "cluster" {
			break // nothing else can be seen
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d things are missing", missing, len(checks))
	}
	return nil
}

// await looks until all is well or the patience ends.
func (c *cluster) await(ctx context.Context, look func(*cluster, context.Context) (string, *finding)) (string, *finding) {
	if c.deadline.IsZero() {
		c.deadline = time.Now().Add(c.patience)
	}
	for {
		good, wrong := look(c, ctx)
		if wrong == nil || time.Now().After(c.deadline) || ctx.Err() != nil {
			return good, wrong
		}
		time.Sleep(time.Second)
	}
}

// indent keeps further lines under the first.
func indent(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n                        ")
}
