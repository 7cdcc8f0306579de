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

// Sweep says which objects the sweeper looks after: those that the store has
// but whose notification, or whose events, may have been lost.
type Sweep struct {
	Buckets []string
	// Prefix of the keys; empty means all.
	Prefix string
	// Interval between two sweeps; 0 sweeps never.
	Interval time.Duration
	// Grace is how long a chain has before its object counts as unfinished, by
	// the store's clock and ours.
	Grace time.Duration
	// Horizon is the age from which an object is left alone.
	Horizon time.Duration
	// Rate is how many events are sent a second at most.
	Rate float64
}

// Sweep looks through the buckets again and again until the context ends, and
// sends an event for each object past its grace period that no step wrote and
// that has no final tag. Several bridges may do so at once: steps do nothing
// twice, so more events only cost their way.
func (b *Bridge) Sweep(ctx context.Context) {
	if b.config.Sweep.Interval <= 0 {
		return
	}
	s := newSweeper(b)
	for tick := time.NewTicker(b.config.Sweep.Interval); ; {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "a sweep ended early", "error", err)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
}

// sweeper remembers from sweep to sweep, so that an object is not looked at each
// time that is known to need nothing, and one that no Trigger wants, and which
// therefore never gets a tag, is sent less and less often.
type sweeper struct {
	bridge *Bridge
	config Sweep
	rate   *rate.Limiter
	memory map[events.Origin]memo
	sweeps int
	now    func() time.Time
}

// memo is what is remembered of a version of an object.
type memo struct {
	// state is what the last look found; what is finished gets no other.
	state condition
	// due is when the object is looked at again, wait what was waited for that.
	due  time.Time
	wait time.Duration
	seen int // the last sweep that saw it
}

func newSweeper(b *Bridge) *sweeper {
	c := b.config.Sweep
	return &sweeper{bridge: b, config: c, rate: rate.NewLimiter(rate.Limit(c.Rate), 1), memory: map[events.Origin]memo{}, now: time.Now}
}

// maxFailures is how many objects may fail one after the other before a sweep
// ends: then the store or the broker is away.
const maxFailures = 128

// sweep looks through the buckets once. An object that fails does not end it, but
// is reported.
func (s *sweeper) sweep(ctx context.Context) error {
	s.sweeps++
	tally := &tally{}
	for _, bucket := range s.config.Buckets {
		if err := s.sweepBucket(ctx, bucket, tally); err != nil {
			return err
		}
	}
	for version, m := range s.memory {
		if m.seen != s.sweeps { // gone, replaced or too old
			delete(s.memory, version)
		}
	}
	pending.Record(ctx, tally.unfinished)
	if tally.failures > 0 {
		return fmt.Errorf("%d objects failed, the first with: %w", tally.failures, tally.first)
	}
	return nil
}

// tally counts what a sweep has found.
type tally struct {
	unfinished, failures int64
	first                error
}

func (s *sweeper) sweepBucket(ctx context.Context, bucket string, t *tally) error {
	inARow := 0
	for entry, err := range s.bridge.config.Store.Walk(ctx, bucket, s.config.Prefix) {
		if err != nil {
			return err
		}
		open, err := s.visit(ctx, entry)
		if open {
			t.unfinished++
		}
		switch {
		case err == nil && open:
			inARow = 0
		case err != nil:
			inARow++
			t.failures++
			t.first = cmp.Or(t.first, err)
		}
		if inARow >= maxFailures || ctx.Err() != nil {
			return cmp.Or(ctx.Err(), t.first)
		}
	}
	return nil
}

// visit looks at one object of a listing, sends its event if that is due, and
// tells whether its chain is still open.
func (s *sweeper) visit(ctx context.Context, entry objects.Entry) (open bool, err error) {
	if age := s.now().Sub(entry.Modified); age < s.config.Grace || age > s.config.Horizon {
		return false, nil
	}
	if entry.HasMetadata && (execution.WrittenByUs(entry.Info) || execution.HasOutcome(entry.Info, entry.Tags)) {
		return false, nil
	}
	if s.bridge.certainlyNoImage(entry) {
		return false, nil
	}
	version := events.Origin{Bucket: entry.Bucket, Key: entry.Key, ETag: entry.ETag}
	m, known := s.memory[version]
	if !known {
		m.wait = s.config.Grace
	}
	m.seen = s.sweeps
	defer func() { s.memory[version] = m }()
	if m.state == finished || s.now().Before(m.due) {
		return m.state == unfinished, nil
	}
	// Whatever comes of it, the next sweep passes this object over, so that
	// none holds up those behind it.
	m.wait *= 2
	m.due = s.now().Add(m.wait)
	var info objects.Info
	info, m.state, err = s.look(ctx, version)
	if err == nil && m.state == unfinished {
		m.state, err = s.emit(ctx, info)
	}
	return m.state == unfinished, err
}

// condition of an object, as the store tells it when asked for it alone.
type condition int

const (
	unfinished condition = iota
	// failed objects stay so until someone sends their dead letters again.
	failed
	// finished objects need nothing any more: they are ours, completed or gone.
	finished
)

// look asks the store about one object. A listing says less, may be old by now,
// and leaves out what the store's policy hides.
func (s *sweeper) look(ctx context.Context, v events.Origin) (objects.Info, condition, error) {
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
	case errors.Is(err, objects.ErrNotFound), errors.Is(err, objects.ErrInvalidName): // the latter cannot be read at all
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

// emit sends the event of an object, no faster than the rate allows, and returns
// the object's condition after that.
func (s *sweeper) emit(ctx context.Context, info objects.Info) (condition, error) {
	e, err := events.NewObjectFound(info)
	if err != nil {
		return unfinished, err
	}
	if err := s.rate.Wait(ctx); err != nil {
		return unfinished, err
	}
	_, err = s.bridge.sender.send(ctx, e)
	var never *refusal
	switch {
	case errors.As(err, &never):
		return failed, s.bridge.keepRefused(ctx, &e, never)
	case err != nil:
		return unfinished, err
	}
	count(ctx, emitted, "")
	slog.InfoContext(ctx, "an unfinished object's event is sent again", "bucket", info.Bucket, "key", info.Key, "event", e.ID())
	return unfinished, nil
}
