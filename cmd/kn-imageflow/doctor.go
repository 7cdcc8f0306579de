package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"imageflow.dev/cmd/kn-imageflow/internal/doctor"
	"imageflow.dev/cmd/kn-imageflow/internal/text"
)

const doctorHelp = `Check a deployment. For each thing that ImageFlow needs, it prints whether the thing is there or, if not, the
reason and a fix: lines for a shell. It changes nothing. It fails if a check fails.

The account needs to get and list what is checked, and to create pods/exec and pods/portforward.`

func newDoctor(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Check a deployment and suggest fixes",
		Long:  doctorHelp,
		Example: `  kn imageflow doctor --wait 5m
  kn imageflow doctor --skip dead-letters
  kn imageflow doctor -o jsonpath='{.items[?(@.status=="MISSING")].fix}'`,
		Args: cobra.NoArgs,
	}
	p, settings := addPrinter(c), doctor.Options{}
	c.Flags().DurationVar(&settings.Wait, "wait", 0, "maximum `time` to wait until every check succeeds")
	c.Flags().StringSliceVar(&settings.Skip, "skip", nil, "`checks` that are not made, such as dead-letters,argo")
	_ = c.RegisterFlagCompletionFunc("skip", cobra.FixedCompletions(doctor.Names(), cobra.ShellCompDirectiveNoFileComp))
	c.RunE = runs(func(ctx context.Context, _ []string) error {
		clients, err := o.clients()
		if err != nil {
			return err
		}
		return o.diagnose(ctx, doctor.New(clients), settings, p)
	})
	return c
}

// diagnose makes the checks and prints each result, as soon as it is there if it is for people.
func (o *options) diagnose(ctx context.Context, d *doctor.Doctor, settings doctor.Options, p *printer) error {
	settings.Waiting = func(check, reason string) {
		first, _, _ := strings.Cut(reason, "\n")
		fmt.Fprintf(o.errOut, "waiting for %s: %s\n", check, first)
	}
	r, made, failed := &result{columns: []metav1.TableColumnDefinition{
		column("Check", false), column("Status", false), column("Text", false), column("Fix", true),
	}}, 0, 0
	err := d.Run(ctx, settings, func(check doctor.Result) {
		if check.Status != doctor.Skipped {
			made++
		}
		if check.Status == doctor.Missing {
			failed++
		}
		check.Fix = o.cluster.In(check.Fix)
		if p.isLines() {
			o.printCheck(check)
		}
		r.add(checkObject(check), check.Check, check.Status, check.Text, check.Fix)
	})
	if err == nil && !p.isLines() {
		err = p.print(r, o)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("of %s, %d failed", text.Count(made, "check"), failed)
	}
	return err
}

// printCheck prints a result in lines for people.
func (o *options) printCheck(r doctor.Result) {
	fmt.Fprintln(o.out, strings.TrimSpace(fmt.Sprintf("%-8s %-14s %s", r.Status, r.Check, aligned(r.Text))))
	if r.Fix != "" {
		fmt.Fprintf(o.out, "         fix:           %s\n", aligned(r.Fix))
	}
}

// aligned aligns further lines with the first.
func aligned(lines string) string {
	return strings.ReplaceAll(lines, "\n", "\n"+strings.Repeat(" ", 24))
}

// checkObject returns a result as an object that printers take.
func checkObject(r doctor.Result) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"status": string(r.Status)}}
	for name, value := range map[string]string{"text": r.Text, "fix": r.Fix} {
		if value != "" {
			o.Object[name] = value
		}
	}
	o.SetAPIVersion("imageflow.dev/v1")
	o.SetKind("Check")
	o.SetName(r.Check)
	return o
}
