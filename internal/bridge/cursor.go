package bridge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// The errors of a backfill's start. ErrAnotherRun is also the error of a run that another one has
// replaced.
var (
	ErrUnreadableCursor = errors.New("the cursor of an earlier run is unreadable")
	ErrNothingToResume  = errors.New("no run of this bucket is unfinished")
	ErrUnfinished       = errors.New("an earlier run of this bucket is unfinished")
	ErrAnotherRun       = errors.New("another run works on this bucket")
)

// cursor is the object that records a backfill: one per bucket, in the bucket of dead
// letters. A run writes it every saveInterval, on the condition that nobody else did since.
// So a run that was killed is recognised without a clock: its cursor does not change for
// takeOverAfter. A run that was replaced notices it at its next write.
type cursor struct {
	store       *objects.Store
	bucket, key string
	etag        string // of the version that the next write replaces
	state       cursorState
}

// cursorState is the content of a cursor.
type cursorState struct {
	Run     string    `json:"run"`
	By      string    `json:"by"` // host and process
	Running bool      `json:"running"`
	Saved   time.Time `json:"saved"`

	Prefix string    `json:"prefix"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
	Chain  string    `json:"chain"`
	Again  bool      `json:"again"`

	Last   string         `json:"last"` // done, like all uploads before it
	Counts BackfillCounts `json:"counts"`
}

const (
	saveInterval   = 2 * time.Second
	takeOverAfter  = 10 * time.Second
	maxCursorBytes = 64 << 10
)

// openCursor makes this run the only one of its bucket. If the run continues an earlier one,
// openCursor sets the selection of that in r.
func openCursor(ctx context.Context, b *Bridge, r *Backfill) (*cursor, error) {
	c := &cursor{store: b.config.Store, bucket: b.config.DeadLetters, key: "_backfill/" + r.Bucket + ".cursor"}
	before, etag, err := c.load(ctx)
	c.etag = etag
	switch {
	case errors.Is(err, objects.ErrNotFound) && r.Resume && !r.Begin:
		return nil, ErrNothingToResume
	case errors.Is(err, objects.ErrNotFound):
		r.Resume = false
	case err != nil && (!r.Restart || !errors.Is(err, ErrUnreadableCursor)):
		return nil, err
	case !r.Restart && (!r.Resume || !before.continues(r)):
		return nil, fmt.Errorf("%w: prefix %q, chain %q, by %s; its last upload was %q, %d completed",
			ErrUnfinished, before.Prefix, before.Chain, before.By, before.Last, before.Counts.Completed)
	case before.Running:
		if err := c.awaitSilence(ctx, before); err != nil {
			return nil, err
		}
	}
	if r.Resume {
		r.Prefix, r.Since, r.Until, r.Chain, r.Again = before.Prefix, before.Since, before.Until, before.Chain, before.Again
		c.state = before
	} else {
		c.state = cursorState{Prefix: r.Prefix, Since: r.Since, Until: r.Until, Chain: r.Chain, Again: r.Again}
	}
	host, _ := os.Hostname()
	c.state.Run, c.state.By = rand.Text(), fmt.Sprintf("process %d on %s", os.Getpid(), host)
	if err := c.save(ctx, true); err != nil {
		return nil, err
	}
	return c, nil
}

// continues reports whether the run of a cursor has the selection of r. What r leaves out,
// and the times, which may be relative, may differ. An r that may begin a run names its prefix,
// and an empty one is the whole bucket.
func (s cursorState) continues(r *Backfill) bool {
	return (r.Prefix == "" && !r.Begin || r.Prefix == s.Prefix) && (r.Chain == "" || r.Chain == s.Chain) && (!r.Again || s.Again)
}

// load reads the cursor.
func (c *cursor) load(ctx context.Context) (state cursorState, etag string, err error) {
	text, info, err := c.store.Get(ctx, c.bucket, c.key, "", maxCursorBytes)
	switch {
	case errors.Is(err, objects.ErrTooLarge):
		info, statErr := c.store.Stat(ctx, c.bucket, c.key)
		if statErr != nil {
			return state, "", statErr
		}
		return state, info.ETag, fmt.Errorf("%w: %s/%s: %w", ErrUnreadableCursor, c.bucket, c.key, err)
	case err != nil:
		return state, "", err
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return cursorState{}, info.ETag, fmt.Errorf("%w: %s/%s: %w", ErrUnreadableCursor, c.bucket, c.key, err)
	}
	return state, info.ETag, nil
}

// awaitSilence waits until the cursor of a run that did not end has not changed for
// takeOverAfter.
func (c *cursor) awaitSilence(ctx context.Context, before cursorState) error {
	slog.InfoContext(ctx, "the earlier run did not end by itself: waiting for signs of life", "by", before.By,
		"for", takeOverAfter.String())
	for end := time.Now().Add(takeOverAfter); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(saveInterval / 2):
		}
		info, err := c.store.Stat(ctx, c.bucket, c.key)
		if err != nil {
			return err
		}
		if info.ETag != c.etag {
			return fmt.Errorf("%w: %s", ErrAnotherRun, before.By)
		}
	}
	return nil
}

// save writes the cursor. It returns ErrAnotherRun if another run has written it.
func (c *cursor) save(ctx context.Context, running bool) error {
	c.state.Running, c.state.Saved = running, time.Now().UTC()
	err := c.write(ctx)
	if !errors.Is(err, objects.ErrChanged) {
		return err
	}
	// A write of this run whose answer was lost may have succeeded.
	now, etag, err := c.load(ctx)
	switch {
	case err != nil && !errors.Is(err, objects.ErrNotFound):
		return err
	case now.Run != c.state.Run:
		return fmt.Errorf("%w: %s", ErrAnotherRun, now.By)
	}
	c.etag = etag
	return c.write(ctx)
}

// write replaces the version of the cursor that this run knows.
func (c *cursor) write(ctx context.Context) error {
	text, err := json.Marshal(c.state)
	if err != nil {
		return err
	}
	info, err := c.store.PutOver(ctx, c.etag, c.bucket, c.key, "application/json", text,
		execution.ObjectMetadata("backfill", c.bucket, c.key))
	if err == nil {
		c.etag = info.ETag
	}
	return err
}

// keep saves the position periodically until the context ends. It ends the run if another
// one has replaced it.
func (c *cursor) keep(ctx context.Context, stop context.CancelCauseFunc, position func() (string, BackfillCounts)) {
	tick := time.NewTicker(saveInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.state.Last, c.state.Counts = position()
		saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeOverAfter)
		err := c.save(saving, true)
		cancel()
		switch {
		case errors.Is(err, ErrAnotherRun):
			stop(err)
			return
		case err != nil && ctx.Err() == nil:
			slog.WarnContext(ctx, "cursor not saved", "error", err)
		}
	}
}

// close removes the cursor of a finished run, and saves the one of another.
func (c *cursor) close(ctx context.Context, position func() (string, BackfillCounts), finished bool) error {
	ctx, cancel := context.WithTimeout(ctx, takeOverAfter)
	defer cancel()
	c.state.Last, c.state.Counts = position()
	err := c.save(ctx, false)
	if err == nil && finished {
		err = c.store.Remove(ctx, c.bucket, c.key)
	}
	if errors.Is(err, ErrAnotherRun) {
		return nil // the run's own error says it
	}
	return err
}
