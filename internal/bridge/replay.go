package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
)

// Replay says which dead letters are sent again, and how.
type Replay struct {
	Selection execution.Selection
	// DryRun only reports.
	DryRun bool
	// Wait is how long the broker may take to accept an event.
	Wait time.Duration
	// Report is told of each letter: the error is nil when its event was
	// accepted, or would be sent, and ErrNoEvent when there is none to send.
	Report func(execution.DeadLetter, error)
}

// ErrNoEvent means that a dead letter holds no event that could be sent.
var ErrNoEvent = errors.New("no event")

// Replay sends the events of the letters that there are now to the broker, one
// after the other, and removes each that was accepted. What fails again comes
// back as a letter. It fails when the letters cannot be listed.
func (b *Bridge) Replay(ctx context.Context, r Replay) error {
	if now := time.Now(); r.Selection.Until.IsZero() || r.Selection.Until.After(now) {
		r.Selection.Until = now // what fails again meanwhile waits for the next replay
	}
	for letter, err := range b.letters.List(ctx, r.Selection) {
		switch {
		case err != nil && letter.Object == "":
			return err
		case errors.Is(err, execution.ErrUnreadable):
			err = fmt.Errorf("%w: %w", ErrNoEvent, err)
		case err == nil && len(letter.Event) == 0:
			err = noEvent(letter)
		case err == nil && !r.DryRun:
			err = b.resend(ctx, letter, r.Wait)
		}
		r.Report(letter, err)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// noEvent says why a letter's event cannot be sent.
func noEvent(letter execution.DeadLetter) error {
	if letter.Whole == nil || letter.EventID == "" {
		return ErrNoEvent
	}
	return fmt.Errorf("%w: it had %d bytes, and only its start was kept", ErrNoEvent, letter.Whole.Bytes)
}

// resend sends a letter's event. The letter is set aside and the object's tag
// taken away before, so that neither a new failure nor the end of the chain,
// which may both come before the broker's answer does, is undone after it; and
// so that the sweeper finds the object should the event be lost.
func (b *Bridge) resend(ctx context.Context, letter execution.DeadLetter, wait time.Duration) error {
	var e cloudevents.Event
	if err := json.Unmarshal(letter.Event, &e); err != nil {
		return fmt.Errorf("%w: %w", ErrNoEvent, err)
	}
	taken, err := b.letters.BeginReplay(ctx, letter)
	if err != nil {
		return err
	}
	from := events.Origin{Bucket: letter.Bucket, Key: letter.Key, ETag: letter.ETag}
	if err = b.untagFailed(ctx, from); err == nil {
		posting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		err = b.sender.post(posting, e)
	}
	after := context.WithoutCancel(ctx)
	if err != nil {
		return errors.Join(err, b.letters.CancelReplay(after, taken), b.tagFailed(after, from))
	}
	return b.letters.Remove(after, taken)
}

// untagFailed takes the tag of a failure away.
func (b *Bridge) untagFailed(ctx context.Context, from events.Origin) error {
	if from.Key == "" {
		return nil
	}
	status, err := b.status(ctx, from)
	if err == nil && status == execution.StatusFailed {
		err = b.tag(ctx, from, "")
	}
	if gone(err) {
		return nil
	}
	return err
}
