package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

func newDeadLetter(o *options) *cobra.Command {
	c := &cobra.Command{
		Use: "dead-letter", Aliases: []string{"dead-letters"}, Short: "List and replay dead letters",
	}
	return group(c, newDeadLetterList(o), newDeadLetterReplay(o))
}

func newDeadLetterList(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters",
		Example: `  kn imageflow dead-letter list
  kn imageflow dead-letter list --prefix uploads/ --since 24h -o wide`,
		Args: cobra.NoArgs,
	}
	p, span, request, limit := addPrinter(c), &span{}, &imageflowv1.ListDeadLettersRequest{}, 0
	span.add(c, "the event failed at last")
	addPrefix(c, &request.Prefix)
	c.Flags().StringVar(&request.Bucket, "bucket", "", "`bucket` of the images (default the server's)")
	c.Flags().IntVar(&limit, "limit", 50, "maximum `number` of dead letters; 0 lists all")
	c.RunE = runs(o.asksGateway(func(ctx context.Context, gateway imageflowv1.ExecutionServiceClient, _ []string) error {
		var err error
		if request.Since, request.Until, err = span.parse(); err != nil {
			return err
		}
		letters, err := listDeadLetters(ctx, gateway, request, limit)
		if err != nil {
			return err
		}
		r, err := deadLetters(letters)
		if err != nil {
			return err
		}
		return p.print(r, o)
	}))
	return c
}

// listDeadLetters returns at most limit dead letters, or all if it is 0.
func listDeadLetters(
	ctx context.Context, gateway imageflowv1.ExecutionServiceClient, request *imageflowv1.ListDeadLettersRequest, limit int,
) (found []*imageflowv1.DeadLetter, err error) {
	err = pages(limit, func(size int32, token string) (int, string, error) {
		request.PageSize, request.PageToken = size, token
		page, err := gateway.ListDeadLetters(ctx, request)
		found = append(found, page.GetDeadLetters()...)
		return len(page.GetDeadLetters()), page.GetNextPageToken(), err
	})
	return found, err
}

// deadLetters returns dead letters for a printer.
func deadLetters(letters []*imageflowv1.DeadLetter) (*result, error) {
	r := &result{columns: []metav1.TableColumnDefinition{
		column("Execution", false), column("Code", false), column("Failures", false), column("Failed", false), column("Reason", false),
		column("Step", true), column("ID", true),
	}}
	for _, l := range letters {
		object, err := asObject("DeadLetter", l.GetId(), l)
		if err != nil {
			return nil, err
		}
		reason := l.GetReason()
		switch {
		case l.GetInReplay():
			reason = "is being sent again: " + reason
		case !l.GetReplayable():
			reason = "cannot be sent again: " + reason
		}
		r.add(object, l.GetExecutionId(), l.GetCode(), l.GetFailures(), age(l.GetLastFailedAt()), reason, l.GetStep(), l.GetId())
	}
	return r, nil
}

const replayHelp = `Request a replay of dead letters: within seconds, a bridge sends their events to the broker. A dead letter
is removed when the broker has accepted its event. An event that fails again becomes a dead letter again.

Name dead letters by their ids, which "dead-letter list -o wide" and "-o name" print, or select them by --execution,
--prefix and --since, or all of them by --all.`

func newDeadLetterReplay(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "replay (ID... | --execution ID | --prefix PREFIX | --since TIME | --all)",
		Short: "Replay dead letters",
		Long:  replayHelp,
		Example: `  kn imageflow dead-letter replay --since 24h --dry-run
  kn imageflow dead-letter replay --execution uploads/cat`,
	}
	p, span, request := addPrinter(c), &span{}, &imageflowv1.ReplayDeadLettersRequest{}
	span.add(c, "the event failed at last")
	flags := c.Flags()
	flags.StringVar(&request.Bucket, "bucket", "", "`bucket` of the images (default the server's)")
	flags.StringVar(&request.ExecutionId, "execution", "", "select the dead letters of the execution `ID`")
	addPrefix(c, &request.Prefix)
	flags.BoolVar(&request.All, "all", false, "select all dead letters of the bucket")
	flags.BoolVar(&request.DryRun, "dry-run", false, "only print what would be sent")
	c.RunE = runs(o.asksGateway(func(ctx context.Context, gateway imageflowv1.ExecutionServiceClient, args []string) error {
		for _, id := range args {
			if id = idOf("DeadLetter", id); !slices.Contains(request.Ids, id) {
				request.Ids = append(request.Ids, id)
			}
		}
		if request.Bucket == "" && len(request.Ids) > 0 {
			if bucket, _, ok := strings.Cut(request.Ids[0], "/"); ok {
				request.Bucket = bucket // with which each id begins
			}
		}
		var err error
		if request.Since, request.Until, err = span.parse(); err != nil {
			return err
		}
		return o.replay(ctx, gateway, request, p)
	}))
	return c
}

// replay requests a replay and prints what it will send. It fails if an id does not exist or its dead letter has no event.
func (o *options) replay(
	ctx context.Context, gateway imageflowv1.ExecutionServiceClient, request *imageflowv1.ReplayDeadLettersRequest, p *printer,
) error {
	answer, err := gateway.ReplayDeadLetters(ctx, request)
	if err != nil {
		return err
	}
	r, err := deadLetters(answer.GetDeadLetters())
	if err != nil {
		return err
	}
	if err := p.print(r, o); err != nil {
		return err
	}
	count, verb := text.Count(len(r.rows), "dead letter"), "will be sent again"
	if answer.GetMore() {
		count = "more than " + count
	}
	if request.GetDryRun() {
		verb = "would be sent again"
	}
	fmt.Fprintf(o.errOut, "%s %s\n", count, verb)
	missing := answer.GetNotFound()
	if len(missing) > 0 {
		err = errors.New("there is no dead letter " + strings.Join(missing, ", "))
	}
	if n := len(request.GetIds()) - len(missing) - len(r.rows); n > 0 {
		err = errors.Join(err, fmt.Errorf("%s cannot be sent again: its event is lost", text.Count(n, "dead letter")))
	}
	return err
}
