package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// Sweep configures Bridge.Sweep, which finds uploads whose notification or events were
// lost.
type Sweep struct {
	// Buckets are the buckets of uploads.
	Buckets []string
	// Prefix is a prefix of the uploads' keys. Empty means all keys.
	Prefix string
	// Interval is the time between two sweeps. 0 disables the sweeps.
	Interval time.Duration
	// Grace is the age at which an object without an outcome counts as unfinished. It
	// compares the store's clock with the bridge's.
	Grace time.Duration
	// Horizon is the age from which an object is ignored.
	Horizon time.Duration
	// Rate limits the events per second.
	Rate float64
}

// Sweep lists the buckets periodically until the context ends. It sends an event for
// each object past its grace period that no step wrote and that has no outcome. Several
// bridges may sweep concurrently: steps are idempotent, so additional events cost only
// their delivery.
func (b *Bridge) Sweep(ctx context.Context) {
	if b.config.Sweep.Interval <= 0 {
		return
	}
	s := newSweeper(b)
	for tick := time.NewTicker(b.config.Sweep.Interval); ; {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "sweep ended early", "error", err)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// sweeper keeps an entry for each object between its sweeps. So it asks the store only
// once about a finished object. It sends events less and less often for an object
// without an outcome, which may be an object that no Trigger selects.
type sweeper struct {
	bridge  *Bridge
	config  Sweep
	rate    *rate.Limiter
	entries map[events.Origin]sweepEntry
	sweeps  int // started so far
	now     func() time.Time
}

// sweepEntry is the state of a version of an object between sweeps.
type sweepEntry struct {
	state objectState // after the last check; a finished object is not checked again
	due   time.Time   // of the next check
	wait  time.Duration
	seen  int // the number of the last sweep that listed the object
}

func newSweeper(b *Bridge) *sweeper {
	c := b.config.Sweep
	return &sweeper{bridge: b, config: c, rate: rate.NewLimiter(rate.Limit(c.Rate), 1),
		entries: map[events.Origin]sweepEntry{}, now: time.Now}
}

// maxFailures is the number of consecutive failures after which a sweep ends, since the
// store or the broker is unavailable.
const maxFailures = 128

// sweep lists the buckets once. It continues after a failure and returns the first.
func (s *sweeper) sweep(ctx context.Context) error {
	s.sweeps++
	tally := &tally{}
	for _, bucket := range s.config.Buckets {
		if err := s.sweepBucket(ctx, bucket, tally); err != nil {
			return err
		}
	}
	for version, entry := range s.entries {
		if entry.seen != s.sweeps { // removed, replaced or too old
			delete(s.entries, version)
		}
	}
	pending.Record(ctx, tally.unfinished)
	if tally.failures > 0 {
		return fmt.Errorf("%d objects failed, the first with: %w", tally.failures, tally.first)
	}
	return nil
}

// tally counts the results of a sweep.
type tally struct {
	unfinished, failures int64
	first                error
}

func (s *sweeper) sweepBucket(ctx context.Context, bucket string, t *tally) error {
	consecutive := 0
	for entry, err := range s.bridge.config.Store.Walk(ctx, bucket, s.config.Prefix) {
		if err != nil {
			return err
		}
		isUnfinished, err := s.visit(ctx, entry)
		if isUnfinished {
			t.unfinished++
		}
		switch {
		case err == nil && isUnfinished:
			consecutive = 0
		case err != nil:
			consecutive++
			t.failures++
			t.first = cmp.Or(t.first, err)
		}
		if consecutive >= maxFailures || ctx.Err() != nil {
			return cmp.Or(ctx.Err(), t.first)
		}
	}
	return nil
}

// visit checks one object of a listing and sends its event if that is due. It reports
// whether the object is unfinished.
func (s *sweeper) visit(ctx context.Context, entry objects.Entry) (isUnfinished bool, err error) {
	if age := s.now().Sub(entry.Modified); age < s.config.Grace || age > s.config.Horizon {
		return false, nil
	}
	if entry.HasMetadata && (execution.WrittenByUs(entry.Info) || execution.HasOutcome(entry.Info, entry.Tags)) {
		return false, nil
	}
	if s.bridge.isCertainlyNoImage(entry) {
		return false, nil
	}
	version := events.Origin{Bucket: entry.Bucket, Key: entry.Key, ETag: entry.ETag}
	known, ok := s.entries[version]
	if !ok {
		known.wait = s.config.Grace
	}
	known.seen = s.sweeps
	defer func() { s.entries[version] = known }()
	if known.state == finished || s.now().Before(known.due) {
		return known.state == unfinished, nil
	}
	// The next sweep skips this object even after a failure, so that it delays no others.
	known.wait *= 2
	known.due = s.now().Add(known.wait)
	var info objects.Info
	info, known.state, err = s.check(ctx, version)
	if err == nil && known.state == unfinished {
		known.state, err = s.emit(ctx, info)
	}
	return known.state == unfinished, err
}

// objectState is the state of an object's chain.
type objectState int

const (
	unfinished objectState = iota
	// failed objects stay failed until a replay of their dead letters.
	failed
	// finished objects are completed or removed, are not images, or were written by ImageFlow.
	finished
)

// check reads the metadata and the tags of an object from the store. A listing may lack
// them, and may be outdated.
func (s *sweeper) check(ctx context.Context, v events.Origin) (objects.Info, objectState, error) {
	store := s.bridge.config.Store
	info, err := store.Stat(ctx, v.Bucket, v.Key)
	if err == nil && (info.ETag != v.ETag || execution.WrittenByUs(info)) {
		return info, finished, nil
	}
	var tags map[string]string
	if err == nil {
		tags, err = store.Tags(ctx, v.Bucket, v.Key)
	}
	outcome := execution.Outcome(info, tags)
	switch {
	case errors.Is(err, objects.ErrNotFound), errors.Is(err, objects.ErrInvalidName): // an invalid name can never be read
		return info, finished, nil
	case err != nil:
		return info, unfinished, err
	case outcome == execution.StatusCompleted:
		return info, finished, nil
	case outcome == execution.StatusFailed:
		return info, failed, nil
	}
	image, err := s.bridge.isImage(ctx, info)
	if err == nil && !image {
		return info, finished, nil
	}
	return info, unfinished, err
}

// emit sends the event of an object within the rate limit, and returns the object's
// state after that.
func (s *sweeper) emit(ctx context.Context, info objects.Info) (objectState, error) {
	e, err := events.NewObjectFound(info)
	if err != nil {
		return unfinished, err
	}
	if err := s.rate.Wait(ctx); err != nil {
		return unfinished, err
	}
	_, err = s.bridge.sender.send(ctx, e)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return failed, s.bridge.keepRefused(ctx, &e, refused)
	case err != nil:
		return unfinished, err
	}
	count(ctx, emitted, "")
	slog.InfoContext(ctx, "event sent again: its object has no outcome", "bucket", info.Bucket, "key", info.Key, "event", e.ID())
	return unfinished, nil
}
