package bridge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// maxOutcomes limits the events of outcomes that wait for the broker in the background. They have a limit of their
// own, since a broker may answer only after a webhook has failed many times, and must not keep uploads waiting.
const maxOutcomes = 1024

// sendCompleted sends the event of a completed execution with its last outputs, if they are known. The event that led
// to it is answered after that, so that the broker repeats both if the bridge stops in between.
func (b *Bridge) sendCompleted(
	ctx context.Context, cause *cloudevents.Event, origin events.Origin, last []objects.Info,
) error {
	return b.sendOutcome(ctx, cause, origin, execution.Execution{State: execution.Completed}, last)
}

// sendFailed sends the event of an execution that a dead letter made fail.
func (b *Bridge) sendFailed(ctx context.Context, d *execution.DeadLetter) error {
	cause := cloudevents.NewEvent()
	if json.Unmarshal(d.Event, &cause) != nil { // it was too large to keep
		cause.SetID(d.EventID)
	}
	origin := events.Origin{Bucket: d.Bucket, Key: d.Key, ETag: d.ETag}
	return b.sendOutcome(ctx, &cause, origin, execution.Execution{State: execution.Failed, Failure: d}, nil)
}

// sendOutcome sends the event of an execution that has ended, with its outputs. It returns an error if a repetition
// may succeed.
func (b *Bridge) sendOutcome(
	ctx context.Context, cause *cloudevents.Event, origin events.Origin, ended execution.Execution, last []objects.Info,
) error {
	if b.outcomes == nil {
		return nil
	}
	upload := objects.Info{Bucket: origin.Bucket, Key: origin.Key, ETag: origin.ETag}
	if err := ended.FindSteps(ctx, b.config.Store, upload, last); err != nil {
		return err
	}
	e, err := events.NewExecutionEnded(ctx, cause, origin, ended.Response())
	if err != nil {
		return err
	}
	_, err = b.outcomes.send(ctx, e)
	var refused *refusal
	if errors.As(err, &refused) || errors.Is(err, errBusy) {
		b.keepOutcome(ctx, e, err)
		return nil
	}
	return err
}

// keepOutcome stores the event of an outcome that the broker has not accepted as a dead letter, for a replay.
func (b *Bridge) keepOutcome(ctx context.Context, e cloudevents.Event, reason error) {
	d := newDeadLetter(&e)
	d.Reason, d.Step, d.Attempts = fmt.Sprintf("the outcome was not sent: %v", reason), b.config.Broker, 1
	err := cmp.Or(b.putDeadLetter(ctx, d), reason)
	slog.WarnContext(ctx, "event of an outcome not accepted by the broker", "event", e.ID(), "execution", d.Execution,
		"dead_letter", d.Object, "error", err)
}
