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

const doctorSummary = "checks a deployment on Knative and suggests fixes"

const doctorUsage = `Usage: imageflow doctor [flags]

Checks a deployment through kubectl, in its current context. For each thing that
ImageFlow needs, it prints whether the thing is there or, if not, the reason and
a fix. It changes nothing. It fails if a check fails.

Flags:
`

// finding describes a failed check. A nil finding means success.
type finding struct{ reason, fix string }

// checks run in dependency order: a failure often causes the failures after it.
var checks = []struct {
	name string
	run  func(*cluster, context.Context) (good string, wrong *finding)
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
	{"presets", (*cluster).presets},
	{"names", (*cluster).names},
	{"webhooks", (*cluster).hooks},
	{"chains", (*cluster).chains},
	{"store", (*cluster).store},
	{"formats", (*cluster).formats},
}

// doctor runs the checks and prints a line for each.
func doctor(ctx context.Context, args []string, out io.Writer) error {
	c := &cluster{}
	f := flag.NewFlagSet("imageflow doctor", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() {
		fmt.Fprint(out, doctorUsage)
		f.PrintDefaults()
	}
	f.StringVar(&c.namespace, "namespace", "image-processing", "`namespace` of the deployment")
	f.StringVar(&c.kubectl, "kubectl", "kubectl", "`command` that runs kubectl")
	f.DurationVar(&c.timeout, "wait", 0, "maximum time to wait until every check succeeds")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	return c.report(ctx, out)
}

// report runs the checks. Without a reachable cluster, the first is the only one.
func (c *cluster) report(ctx context.Context, out io.Writer) error {
	made, missing := 0, 0
	for _, check := range checks {
		made++
		good, wrong := c.await(ctx, check.run)
		if wrong == nil {
			fmt.Fprintf(out, "ok       %-14s %s\n", check.name, indent(good))
			continue
		}
		missing++
		fmt.Fprintf(out, "MISSING  %-14s %s\n", check.name, indent(wrong.reason))
		fmt.Fprintf(out, "         fix:           %s\n", indent(wrong.fix))
		if check.name == "cluster" {
			break // the other checks need it
		}
	}
	if skipped := len(checks) - made; skipped > 0 {
		fmt.Fprintf(out, "skipped  %d checks that need the cluster\n", skipped)
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d checks failed", missing, made)
	}
	return nil
}

// await repeats a check until it succeeds or the timeout ends.
func (c *cluster) await(ctx context.Context, check func(*cluster, context.Context) (string, *finding)) (string, *finding) {
	if c.deadline.IsZero() {
		c.deadline = time.Now().Add(c.timeout)
	}
	for {
		good, wrong := check(c, ctx)
		if wrong == nil || time.Now().After(c.deadline) || ctx.Err() != nil {
			return good, wrong
		}
		time.Sleep(time.Second)
	}
}

// indent aligns further lines with the first.
func indent(text string) string {
	return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n                        ")
}
