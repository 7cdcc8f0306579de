// Package doctor checks a deployment on Knative. For each thing that ImageFlow needs, it reports whether the thing is there or,
// if not, the reason and a fix. It changes nothing.
package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

// Pods are what the checks ask of pods, through the API server.
type Pods interface {
	// Exec runs a command in a container of a pod and returns what it prints.
	Exec(ctx context.Context, pod, container string, command ...string) (string, error)
	// Forward forwards a port of this machine to a pod of a Service, until stop is called.
	Forward(ctx context.Context, service string) (address string, stop func(), err error)
}

// Doctor checks one deployment.
type Doctor struct {
	*cluster.Clients
	pods Pods
}

// New returns a Doctor of a deployment.
func New(c *cluster.Clients) *Doctor { return &Doctor{c, c} }

// Status is the outcome of a check.
type Status string

// The outcomes of checks.
const (
	OK      Status = "ok"
	Missing Status = "MISSING"
	Skipped Status = "skipped"
)

// Result describes a check that was made or skipped.
type Result struct {
	// Check is the name of the check.
	Check  string
	Status Status
	// Text describes what is there, or the reason of a failure.
	Text string
	// Fix has lines for a shell that remove the failure. Comments begin with #. It is empty if nothing failed.
	Fix string
}

// finding describes a failed check. A nil finding means success.
type finding struct{ reason, fix string }

// checks run in dependency order: a failure often causes the failures after it.
var checks = []struct {
	name string
	run  func(*Doctor, context.Context) (good string, wrong *finding)
}{
	{"cluster", (*Doctor).reachable},
	{"knative", (*Doctor).knative},
	{"features", (*Doctor).features},
	{"namespace", (*Doctor).namespaced},
	{"secrets", (*Doctor).secrets},
	{"gpu", (*Doctor).gpu},
	{"services", (*Doctor).services},
	{"images", (*Doctor).images},
	{"ingress", (*Doctor).ingress},
	{"broker", (*Doctor).broker},
	{"triggers", (*Doctor).triggers},
	{"presets", (*Doctor).presets},
	{"outputs", (*Doctor).outputs},
	{"webhooks", (*Doctor).webhooks},
	{"chains", (*Doctor).chains},
	{"store", (*Doctor).store},
	{"formats", (*Doctor).formats},
	{"tokens", (*Doctor).tokens},
	{"dead-letters", (*Doctor).deadLetters},
	{"argo", (*Doctor).argo},
}

// Names returns the names of the checks, in order.
func Names() (names []string) {
	for _, c := range checks {
		names = append(names, c.name)
	}
	return names
}

// Options are the settings of Run.
type Options struct {
	// Wait is the maximum time in which all checks together may begin to succeed. 0 makes each check once.
	Wait time.Duration
	// Skip has the names of checks that are not made.
	Skip []string
	// Waiting is called when a check has failed for a new reason and is repeated. It may be nil.
	Waiting func(check, reason string)
}

// Run makes the checks and calls report for each, in order. Without a reachable cluster, the others are skipped.
func (d *Doctor) Run(ctx context.Context, o Options, report func(Result)) error {
	for _, name := range o.Skip {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("there is no check %q; there are %s", name, strings.Join(Names(), ", "))
		}
	}
	end, unreachable := time.Now().Add(o.Wait), false
	for _, c := range checks {
		if unreachable || slices.Contains(o.Skip, c.name) {
			report(Result{Check: c.name, Status: Skipped})
			continue
		}
		good, wrong := d.await(ctx, c.run, end, func(reason string) {
			if o.Waiting != nil {
				o.Waiting(c.name, reason)
			}
		})
		if ctx.Err() != nil { // and a check may have failed by that
			return ctx.Err()
		}
		if wrong == nil {
			report(Result{Check: c.name, Status: OK, Text: good})
			continue
		}
		report(Result{Check: c.name, Status: Missing, Text: strings.TrimSpace(wrong.reason), Fix: strings.TrimSpace(wrong.fix)})
		unreachable = c.name == "cluster" // which the others need
	}
	return ctx.Err()
}

// await repeats a check until it succeeds or the time ends.
func (d *Doctor) await(
	ctx context.Context, check func(*Doctor, context.Context) (string, *finding), end time.Time, waiting func(reason string),
) (string, *finding) {
	before := ""
	for {
		good, wrong := check(d, ctx)
		if wrong == nil || time.Now().After(end) || ctx.Err() != nil {
			return good, wrong
		}
		if wrong.reason != before {
			before = wrong.reason
			waiting(before)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}
