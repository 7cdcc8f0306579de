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

// Replay selects the dead letters whose events are sent again.
type Replay struct {
	Selection execution.Selection
	// DryRun sends nothing and only reports.
	DryRun bool
	// AnyKey also sends the events of dead letters that a bridge with other keys has stored.
	AnyKey bool
	// Wait is the time that the broker has to accept an event.
	Wait time.Duration
	// Report is called for each dead letter. Its error is nil if the broker accepted the
	// event or, in a dry run, if the event would be sent. It is ErrNoEvent if the dead
	// letter contains no event.
	Report func(execution.DeadLetter, error)
}

// ErrNoEvent means that a dead letter contains no event that can be sent.
var ErrNoEvent = errors.New("no event")

// Replay sends the events of the selected dead letters to the broker, one after the
// other, and removes each dead letter whose event was accepted. It omits dead letters
// that are stored after its start. It returns an error if it cannot list the dead letters.
func (b *Bridge) Replay(ctx context.Context, r Replay) error {
	if now := time.Now(); r.Selection.Until.IsZero() || r.Selection.Until.After(now) {
		r.Selection.Until = now
	}
	for d, err := range b.deadLetters.List(ctx, r.Selection) {
		switch {
		case err != nil && d.Object == "":
			return err
		case errors.Is(err, execution.ErrUnreadable):
			err = fmt.Errorf("%w: %w", ErrNoEvent, err)
		case err == nil && len(d.Event) == 0:
			err = noEvent(d)
		case err == nil && !r.AnyKey && d.KeyID != "" && !b.config.Signer.HasKey(d.KeyID):
			err = b.otherKey(d)
		case err == nil && !r.DryRun:
			err = b.resend(ctx, d, r.Wait)
		}
		r.Report(d, err)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// noEvent returns the reason why a dead letter contains no event.
func noEvent(d execution.DeadLetter) error {
	if d.Whole == nil || d.EventID == "" {
		return ErrNoEvent
	}
	return fmt.Errorf("%w: it had %d bytes, and only its start was kept", ErrNoEvent, d.Whole.Bytes)
}

// otherKey returns the error about a dead letter whose event this bridge would sign with a key that the steps may not
// have. They would refuse the event after the broker has accepted it, and it would be lost.
func (b *Bridge) otherKey(d execution.DeadLetter) error {
	return fmt.Errorf("EVENT_SIGNING_KEYS: the bridge that stored it signed with the key %.16q, and the first key here is %.16q: "+
		"steps may refuse the event; set the keys of the bridge, or add --any-key if they have been replaced since",
		d.KeyID, b.config.Signer.KeyID())
}

// resend sends the event of a dead letter. It moves the dead letter and removes the tag
// of the object before. A new failure and the end of the chain may both precede the
// broker's answer, and resend must not undo them after it. If the event is lost, the
// sweeper finds the object, since it has no tag.
func (b *Bridge) resend(ctx context.Context, d execution.DeadLetter, wait time.Duration) error {
	var e cloudevents.Event
	if err := json.Unmarshal(d.Event, &e); err != nil {
		return fmt.Errorf("%w: %w", ErrNoEvent, err)
	}
	events.SetFailures(&e, d.Failures, d.First)
	moved, err := b.deadLetters.BeginReplay(ctx, d)
	if err != nil {
		return err
	}
	if err = b.untagFailed(ctx, d); err == nil {
		posting, cancel := context.WithTimeout(ctx, wait)
		defer cancel()
		err = b.sender.post(posting, e)
	}
	after := context.WithoutCancel(ctx)
	if err != nil {
		_, tagging := b.tagFailed(after, d)
		return errors.Join(err, b.deadLetters.CancelReplay(after, moved), tagging)
	}
	return b.deadLetters.Remove(after, moved)
}

// untagFailed removes the tag of the object of a dead letter that is being replayed, if the object is tagged as
// failed and no other dead letter of a step is left: a branch that failed is not sent again with this one.
func (b *Bridge) untagFailed(ctx context.Context, d execution.DeadLetter) error {
	origin := events.Origin{Bucket: d.Bucket, Key: d.Key, ETag: d.ETag}
	if origin.Key == "" || d.OfListener() {
		return nil
	}
	status, err := b.statusOf(ctx, origin)
	if err == nil && status == execution.StatusFailed {
		var others bool
		if others, err = b.hasFailures(ctx, origin); err == nil && !others {
			err = b.tag(ctx, origin, "")
		}
	}
	if isGone(err) {
		return nil
	}
	return err
}

// hasFailures reports whether a step has a dead letter about a version of an object that is not being replayed.
func (b *Bridge) hasFailures(ctx context.Context, origin events.Origin) (bool, error) {
	s := execution.Selection{Bucket: origin.Bucket, Execution: execution.ID(origin.Key)}
	for d, err := range b.deadLetters.List(ctx, s) {
		if err != nil && d.Object == "" {
			return false, err
		}
		if err == nil && !d.InReplay && d.ETag == origin.ETag && !d.OfListener() {
			return true, nil
		}
	}
	return false, nil
}
