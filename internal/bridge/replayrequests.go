package bridge

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

const (
	// replayInterval is the time between two looks for requests to replay.
	replayInterval = 5 * time.Second
	// replayWait is the time that the broker has to accept an event of a requested replay.
	replayWait = 30 * time.Second
)

// ServeReplays replays the dead letters that others request by DeadLetterStore.RequestReplay, until the
// context ends. A request is removed when it is done, so that another bridge continues one that this bridge
// leaves unfinished. Several bridges may do the same request: they send some events twice.
func (b *Bridge) ServeReplays(ctx context.Context) {
	repeat(ctx, replayInterval, "requested replay ended early: will continue", b.ReplayRequested)
}

// ReplayRequested does all requests that there are.
func (b *Bridge) ReplayRequested(ctx context.Context) error {
	for key, err := range b.deadLetters.ReplayRequests(ctx) {
		if err == nil {
			err = b.replayRequested(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Bridge) replayRequested(ctx context.Context, key string) error {
	selection, err := b.deadLetters.ReplayRequest(ctx, key)
	switch {
	case errors.Is(err, objects.ErrNotFound): // done by another bridge
		return nil
	case errors.Is(err, execution.ErrUnreadable):
		slog.WarnContext(ctx, "request to replay dead letters is unreadable: removed", "request", key, "error", err)
		return b.deadLetters.RemoveReplayRequest(ctx, key)
	case err != nil:
		return err
	}
	sent, failed := 0, 0
	// AnyKey, since the steps verify what this bridge signs now.
	r := Replay{Selection: selection, AnyKey: true, Wait: replayWait}
	r.Report = func(d execution.DeadLetter, err error) {
		if err == nil {
			sent++
			return
		}
		failed++
		slog.WarnContext(ctx, "dead letter not sent again", "dead_letter", d.Object, "error", err)
	}
	err = b.Replay(ctx, r)
	if err != nil {
		return err
	}
	slog.InfoContext(ctx, "requested replay done", "request", key, "sent", sent, "not_sent", failed)
	return b.deadLetters.RemoveReplayRequest(ctx, key)
}
