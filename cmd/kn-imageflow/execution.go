package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

func newExecution(o *options) *cobra.Command {
	c := &cobra.Command{Use: "execution", Aliases: []string{"executions"}, Short: "Follow images through their chains"}
	return group(c, newExecutionList(o), newExecutionDescribe(o), newExecutionWatch(o))
}

// executionFilter are the flags that select executions.
type executionFilter struct {
	bucket, prefix, step, variant string
	status                        []string
}

func (f *executionFilter) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.bucket, "bucket", "", "`bucket` of the images (default the server's)")
	addPrefix(c, &f.prefix)
	flags.StringSliceVar(&f.status, "status", nil, "select executions in a `state`: pending, running, completed or failed")
	flags.StringVar(&f.step, "step", "", "select executions with an output of this `step`: resize, detect or filter")
	flags.StringVar(&f.variant, "variant", "", "select executions with an output of this `variant`")
	states := []string{"pending", "running", "completed", "failed"}
	_ = c.RegisterFlagCompletionFunc("status", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp))
}

// statusPrefix begins the names of states in the contract.
const statusPrefix = "PROCESSING_STATUS_"

// states returns the states of the contract.
func (f *executionFilter) states() (found []imageflowv1.ProcessingStatus, err error) {
	for _, name := range f.status {
		n, ok := imageflowv1.ProcessingStatus_value[statusPrefix+strings.ToUpper(name)]
		if !ok || n == 0 {
			return nil, fmt.Errorf("--status is %q but must be pending, running, completed or failed", name)
		}
		found = append(found, imageflowv1.ProcessingStatus(n))
	}
	return found, nil
}

func stateName(s imageflowv1.ProcessingStatus) string {
	return strings.TrimPrefix(s.String(), statusPrefix)
}

func newExecutionList(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List executions, the newest first",
		Example: `  kn imageflow execution list --prefix uploads/
  kn imageflow execution list --prefix uploads/ --status failed --since 24h -o wide`,
		Args: cobra.NoArgs,
	}
	f, p, span, limit := &executionFilter{}, addPrinter(c), &span{}, 0
	f.add(c)
	span.add(c, "the image arrived")
	c.Flags().IntVar(&limit, "limit", 50, "maximum `number` of executions; 0 lists all")
	c.RunE = runs(o.asksGateway(func(ctx context.Context, gateway imageflowv1.ExecutionServiceClient, _ []string) error {
		request := &imageflowv1.ListExecutionsRequest{Bucket: f.bucket, Prefix: f.prefix, Step: f.step, Variant: f.variant}
		var err, err2 error
		request.Status, err = f.states()
		request.Since, request.Until, err2 = span.parse()
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		r, err := listExecutions(ctx, gateway, request, limit)
		if err != nil {
			return err
		}
		return p.print(r, o)
	}))
	return c
}

// listExecutions returns at most limit executions, or all if it is 0.
func listExecutions(
	ctx context.Context, gateway imageflowv1.ExecutionServiceClient, request *imageflowv1.ListExecutionsRequest, limit int,
) (*result, error) {
	r := &result{columns: []metav1.TableColumnDefinition{
		column("Execution", false), column("Status", false), column("Steps", false), column("Updated", false),
		column("Arrived", true), column("Bucket", true), column("Key", true),
	}}
	err := pages(limit, func(size int32, token string) (int, string, error) {
		request.PageSize, request.PageToken = size, token
		page, err := gateway.ListExecutions(ctx, request)
		if err != nil {
			return 0, "", err
		}
		for _, e := range page.GetExecutions() {
			object, err := asObject("Execution", e.GetExecutionId(), e)
			if err != nil {
				return 0, "", err
			}
			r.add(object, e.GetExecutionId(), stateName(e.GetStatus()), stepNames(e), age(e.GetUpdatedAt()),
				age(e.GetArrivedAt()), e.GetBucket(), e.GetObjectKey())
		}
		return len(page.GetExecutions()), page.GetNextPageToken(), nil
	})
	return r, err
}

// stepNames returns the outputs of an execution as text.
func stepNames(e *imageflowv1.ExecutionSummary) string {
	var names []string
	for _, s := range e.GetSteps() {
		names = append(names, stepName(s))
	}
	return cmp.Or(strings.Join(names, ","), "none")
}

// stepName returns the name of a step and of its variant, if it has one.
func stepName(s interface {
	GetName() string
	GetVariant() string
}) string {
	return strings.TrimSuffix(s.GetName()+"-"+s.GetVariant(), "-")
}

func newExecutionDescribe(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:     "describe EXECUTION",
		Short:   "Describe an execution: its image, its steps and its failure",
		Example: "  kn imageflow execution describe uploads/cat",
		Args:    cobra.ExactArgs(1),
	}
	p, bucket := addPrinter(c), ""
	c.Flags().StringVar(&bucket, "bucket", "", "`bucket` of the image (default the server's)")
	c.RunE = runs(o.asksGateway(func(ctx context.Context, gateway imageflowv1.ExecutionServiceClient, args []string) error {
		e, err := gateway.GetExecution(ctx, &imageflowv1.GetExecutionRequest{ExecutionId: idOf("Execution", args[0]), Bucket: bucket})
		if err != nil {
			return err
		}
		if !p.isTable() {
			object, err := asObject("Execution", e.GetExecutionId(), e)
			if err != nil {
				return err
			}
			return p.printOne(object, o)
		}
		describeExecution(e, o.out)
		return nil
	}))
	return c
}

// describeExecution prints an execution for people.
func describeExecution(e *imageflowv1.GetExecutionResponse, out io.Writer) {
	source := e.GetSource()
	d := &description{out: out}
	d.line("Execution", e.GetExecutionId())
	d.line("Status", stateName(e.GetStatus()))
	if source != nil {
		d.line("Image", source.GetBucket()+"/"+source.GetObjectKey())
	}
	for _, s := range e.GetSteps() {
		output := s.GetOutputImage()
		d.line("Step", stepName(s))
		d.line("  Output", output.GetBucket()+"/"+output.GetObjectKey())
		if output.GetWidth() > 0 {
			d.line("  Size", fmt.Sprintf("%dx%d", output.GetWidth(), output.GetHeight()))
		}
		if s.GetSideCar() != "" {
			d.line("  Side-car", s.GetSideCar())
		}
		finished := s.GetFinishedAt().AsTime().Format(time.RFC3339)
		d.line("  Finished", fmt.Sprintf("%s, after %.3f s", finished, s.GetProcessingTimeSeconds()))
	}
	if f := e.GetFailure(); f != nil {
		attempts := text.Count(int(f.GetAttempts()), "attempt")
		d.line("Failure", fmt.Sprintf("%s (HTTP status %d, %s)", f.GetReason(), f.GetCode(), attempts))
		d.line("  Step", f.GetStep())
		d.line("  Dead letter", f.GetDeadLetter())
		quoted := "'" + strings.ReplaceAll(f.GetDeadLetter(), "'", `'\''`) + "'"
		d.line("  Fix", "after its cause is gone: kn imageflow dead-letter replay "+quoted)
	}
}
