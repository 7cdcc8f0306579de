package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// pauseOfWatch is the time between the end of a watch and its continuation.
const pauseOfWatch = time.Second

func newExecutionWatch(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "watch",
		Short: "Print each execution when something happens to it, until Ctrl-C",
		Example: `  kn imageflow execution watch --prefix uploads/
  kn imageflow execution watch --status failed -o json`,
		Args: cobra.NoArgs,
	}
	f, p := &executionFilter{}, addPrinter(c)
	f.add(c)
	c.RunE = runs(o.asksGateway(func(ctx context.Context, gateway imageflowv1.ExecutionServiceClient, _ []string) error {
		states, err := f.states()
		if err != nil {
			return err
		}
		request := &imageflowv1.WatchExecutionsRequest{
			Bucket: f.bucket, Prefix: f.prefix, Status: states, Step: f.step, Variant: f.variant,
		}
		err = watchExecutions(ctx, gateway, request, func(change *imageflowv1.WatchExecutionsResponse) error {
			e := change.GetExecution()
			switch {
			case e == nil:
				return nil
			case p.isTable():
				return printChange(e, o.out)
			}
			object, err := asObject("Execution", e.GetExecutionId(), e)
			if err != nil {
				return err
			}
			return p.printOne(object, o)
		})
		if ctx.Err() != nil {
			return nil // the user has ended it
		}
		return err
	}))
	return c
}

// watchExecutions passes on each change, and heartbeats, of which the first says that the watch has begun. A watch that the
// gateway ends, because it restarts or the reader was slow, continues after the last change.
func watchExecutions(
	ctx context.Context, gateway imageflowv1.ExecutionServiceClient, request *imageflowv1.WatchExecutionsRequest,
	each func(*imageflowv1.WatchExecutionsResponse) error,
) error {
	for {
		stream, err := gateway.WatchExecutions(ctx, request)
		for err == nil {
			var change *imageflowv1.WatchExecutionsResponse
			if change, err = stream.Recv(); err != nil {
				break
			}
			request.LastEventId = cmp.Or(change.GetEventId(), request.LastEventId) // heartbeats have none
			if err := each(change); err != nil {
				return err
			}
		}
		code := status.Code(err)
		if request.LastEventId == "" || code != codes.Unavailable && code != codes.ResourceExhausted {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pauseOfWatch):
		}
	}
}

// printChange prints a change in a line.
func printChange(e *imageflowv1.ExecutionSummary, out io.Writer) error {
	at := e.GetUpdatedAt().AsTime().Local().Format(time.TimeOnly)
	_, err := fmt.Fprintf(out, "%s  %-9s  %s  %s\n", at, stateName(e.GetStatus()),
		text.Escape(e.GetExecutionId()), text.Escape(stepNames(e)))
	return err
}
