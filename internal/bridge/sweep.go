package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
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
	// Share limits the part of the time that goes into listing the buckets, in [0, 1]. A sweep
	// lists at least 1000 objects, continues where the last one stopped, and begins anew after the
	// last object.
	Share float64
}

// Sweep runs sweeps periodically until the context ends. It sends an event for each upload
// past its grace period that no step wrote and that has no outcome. It finds them in the
// index, whatever the size of the buckets, and, if the notification or the index was lost,
// by listing the buckets. Several bridges may sweep concurrently: steps are idempotent, so
// additional events cost only their delivery.
func (b *Bridge) Sweep(ctx context.Context) {
	if b.config.Sweep.Interval <= 0 {
		return
	}
	repeat(ctx, b.config.Sweep.Interval, "sweep ended early", newSweeper(b).sweep)
}

// repeat calls do at once and then at each interval, until the context ends. It logs the errors with a message.
func repeat(ctx context.Context, interval time.Duration, message string, do func(context.Context) error) {
	for tick := time.NewTicker(interval); ; {
		if err := do(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, message, "error", err)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// sweeper knows the uploads without an outcome. All that it knows can be found again.
type sweeper struct {
	bridge  *Bridge
	config  Sweep
	rate    *rate.Limiter
	tail    *index.Tail
	walk    walk
	work    map[events.Origin]*candidate
	tidied  time.Time // when the whole index was compacted
	now     func() time.Time
	maxWork int
}

// candidate is a version of an upload that may be unfinished. Its event is sent less and less often,
// since no Trigger may select it.
type candidate struct {
	state objectState // after the last check
	since time.Time   // when it was uploaded
	due   time.Time   // of the next check
	wait  time.Duration
}

// maxWork bounds the uploads that a sweeper remembers, to some 30 MB.
const maxWork = 100_000

func newSweeper(b *Bridge) *sweeper {
	c := b.config.Sweep
	return &sweeper{
		bridge: b, config: c, rate: rate.NewLimiter(rate.Limit(c.Rate), 1), work: map[events.Origin]*candidate{},
		tail: index.NewTail(b.config.Store, b.config.DeadLetters, time.Now().Add(-c.Horizon)), walk: newWalk(),
		now: time.Now, maxWork: maxWork,
	}
}

// maxFailures is the number of consecutive failures after which a sweep ends, since the
// store or the broker is unavailable.
const maxFailures = 128

// sweep looks for unfinished uploads and sends the events that are due. It continues after
// a failure and returns the first.
func (s *sweeper) sweep(ctx context.Context) error {
	failures := []error{s.readIndex(ctx), s.walkOn(ctx), s.checkWork(ctx), s.tidyIndex(ctx)}
	return cmp.Or(failures...)
}

// checkWork checks the candidates that are due.
func (s *sweeper) checkWork(ctx context.Context) error {
	due, unfinishedNow := s.dueWork()
	defer func() { pending.Record(ctx, unfinishedNow) }()
	var first error
	failures, consecutive := 0, 0
	for _, version := range due {
		c := s.work[version]
		before := c.state
		err := s.visit(ctx, version, c)
		if before == unfinished && c.state != unfinished {
			unfinishedNow--
		}
		if err == nil {
			consecutive = 0
			continue
		}
		failures, consecutive, first = failures+1, consecutive+1, cmp.Or(first, err)
		if consecutive >= maxFailures || ctx.Err() != nil {
			break
		}
	}
	if failures > 0 {
		return fmt.Errorf("%d objects failed, the first with: %w", failures, first)
	}
	return nil
}

// dueWork returns the candidates that are due, the oldest first, and the number of unfinished uploads.
// It drops those beyond the horizon.
func (s *sweeper) dueWork() (due []events.Origin, unfinishedNow int64) {
	for version, c := range s.work {
		age := s.now().Sub(c.since)
		if age > s.config.Horizon {
			delete(s.work, version)
			continue
		}
		if age >= s.config.Grace && !s.now().Before(c.due) {
			due = append(due, version)
		}
		if age >= s.config.Grace && c.state == unfinished {
			unfinishedNow++
		}
	}
	slices.SortFunc(due, func(a, b events.Origin) int {
		return cmp.Or(s.work[a].since.Compare(s.work[b].since), cmp.Compare(a.Key, b.Key))
	})
	return due, unfinishedNow
}

// visit checks a version of an upload and sends its event if it is unfinished.
func (s *sweeper) visit(ctx context.Context, version events.Origin, c *candidate) error {
	// The next sweep skips this upload even after a failure, so that it delays no others.
	c.wait *= 2
	c.due = s.now().Add(c.wait)
	info, state, err := s.check(ctx, version)
	if err == nil && state == unfinished {
		state, err = s.emit(ctx, info)
	}
	if c.state = state; state == finished {
		delete(s.work, version)
	}
	return err
}

// add makes an upload a candidate. It returns false if there are too many.
func (s *sweeper) add(version events.Origin, since time.Time, state objectState) bool {
	if s.work[version] == nil {
		if len(s.work) >= s.maxWork {
			return false
		}
		s.work[version] = &candidate{state: state, since: since, wait: s.config.Grace}
	}
	return true
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
