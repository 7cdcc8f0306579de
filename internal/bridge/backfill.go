package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// Backfill selects the uploads whose events are sent.
type Backfill struct {
	Bucket, Prefix string
	// Since and Until bound the time at which an object was written. Zero means no bound.
	Since, Until time.Time
	// Chain is the value of the events' extension backfill, which filters can select; empty
	// means DefaultChain.
	Chain string
	// Again also sends the events of uploads whose chain has ended.
	Again bool
	// Rate limits the events per second. 0 means no limit.
	Rate float64
	// InFlight limits the uploads whose chains run at a time.
	InFlight int
	// Wait limits the time that an upload occupies a place in flight, and the time that the
	// store or the broker may be unavailable.
	Wait time.Duration
	// DryRun sends nothing and only counts.
	DryRun bool
	// Resume continues the unfinished run of the bucket with its selection. If there is none, it is an error, or with
	// Begin, a new run begins. Restart forgets the unfinished run. Without Resume or Restart, it is an error.
	Resume, Begin, Restart bool
	// Report is called when the run is done with an object, by one goroutine at a time.
	Report func(BackfillCounts)
	// Failed is called before it for an upload that failed or has no outcome.
	Failed func(key string, reason error)
}

// BackfillCounts counts uploads.
type BackfillCounts struct {
	// Listed objects may be uploads of the selection. It is 0 until all have been counted.
	Listed int64 `json:"-"`
	// Before is Done at the start of the run, above 0 if it continues another one.
	Before int64 `json:"-"`
	// Others turned out to be no uploads, such as outputs.
	Others int64 `json:"others"`
	// Ended uploads had an outcome before.
	Ended int64 `json:"ended"`
	// Sent uploads are Completed, Failed or Silent, which have no outcome after the wait. In
	// a dry run, they would be sent.
	Sent      int64 `json:"sent"`
	Completed int64 `json:"completed"`
	Failed    int64 `json:"failed"`
	Silent    int64 `json:"silent"`
}

// Done is the number of the listed objects that the run is done with.
func (c BackfillCounts) Done() int64 { return c.Others + c.Ended + c.Sent }

// DefaultChain is the chain of a backfill that names none.
const DefaultChain = "all"

// NoOutcomeCauses are the likely reasons if none of the uploads that were sent has an outcome.
const NoOutcomeCauses = "either the steps refuse the events, because EVENT_SIGNING_KEYS is not their key (they log " +
	"\"event refused\"), or no Trigger selects the events (see imageflow chain), or no Trigger reports to /completed"

// ErrNoOutcomes ends a backfill whose uploads get no outcome, or all fail.
var ErrNoOutcomes = errors.New("the chain does not complete uploads")

// Backfill sends the events of the uploads in a bucket in the order of their keys. It waits
// for the outcome of each, so that no more than InFlight chains run: brokers in memory must
// not be given more. A cursor in the bucket of dead letters records how far it got, and
// that it runs; see cursor. After an error, or when the context ends, a run with Resume
// continues where the first upload without an outcome was. It may send events again that
// were sent just before, whose jobs find their outputs.
func (b *Bridge) Backfill(ctx context.Context, r Backfill) (BackfillCounts, error) {
	f := &backfiller{Backfill: r, bridge: b, rate: rate.NewLimiter(rate.Inf, 1)}
	if r.Rate > 0 {
		f.rate.SetLimit(rate.Limit(r.Rate))
	}
	if err := b.config.Store.CheckBucket(ctx, r.Bucket); err != nil {
		return f.counts, err
	}
	if r.DryRun {
		err := f.run(ctx)
		return f.counts, err
	}
	c, err := openCursor(ctx, b, &f.Backfill)
	if err != nil {
		return f.counts, err
	}
	f.last, f.counts = c.state.Last, c.state.Counts
	f.counts.Before = f.counts.Done()
	running, stop := context.WithCancelCause(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		c.keep(running, stop, f.position)
	}()
	err = f.run(running)
	if cause := context.Cause(running); err != nil && cause != nil {
		err = cause
	}
	stop(nil)
	<-kept
	return f.counts, errors.Join(err, c.close(context.WithoutCancel(ctx), f.position, err == nil))
}

// backfiller is a backfill that runs.
type backfiller struct {
	Backfill
	bridge *Bridge
	rate   *rate.Limiter
	places // guards counts and inARow, too
	counts BackfillCounts
	inARow int // uploads without completion since the last completion
	usual  time.Duration
}

// run lists the uploads and processes them, InFlight at a time.
func (f *backfiller) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	after, before := f.position()
	var counted sync.WaitGroup
	defer counted.Wait()
	counting, stop := context.WithCancel(ctx)
	defer stop()
	counted.Go(func() { f.countAll(counting, after, before.Done()) })
	entries := make(chan objects.Entry)
	group.Go(func() error {
		defer close(entries)
		return f.list(ctx, after, func(e objects.Entry) error {
			f.begin(e.Key)
			select {
			case entries <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	for range f.InFlight {
		group.Go(func() error {
			for e := range entries {
				if err := f.process(ctx, e); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// countAll counts the uploads after a key, for the estimate of the remaining time.
func (f *backfiller) countAll(ctx context.Context, after string, done int64) {
	n := done
	err := f.list(ctx, after, func(objects.Entry) error {
		n++
		return nil
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil {
		f.counts.Listed = n
	}
}

// list calls a function for each upload after a key. If the store is unavailable, it goes on
// after the last one.
func (f *backfiller) list(ctx context.Context, after string, found func(objects.Entry) error) error {
	for {
		began := after
		err := f.persist(ctx, func() error {
			for e, err := range f.bridge.config.Store.WalkAfter(ctx, f.Bucket, f.Prefix, after) {
				if err != nil {
					return err
				}
				if f.selects(e) {
					if err := found(e); err != nil {
						return err
					}
				}
				after = e.Key
			}
			return nil
		})
		if err == nil || after == began || !errors.Is(err, objects.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
	}
}

// selects reports whether an object of a listing may be an upload of the selection.
func (f *backfiller) selects(e objects.Entry) bool {
	switch {
	case !f.Since.IsZero() && e.Modified.Before(f.Since), !f.Until.IsZero() && !e.Modified.Before(f.Until):
		return false
	case e.HasMetadata && (execution.WrittenByUs(e.Info) || !f.Again && execution.HasOutcome(e.Info, e.Tags)):
		return false
	}
	return !f.bridge.isCertainlyNoImage(e)
}

// persist repeats requests that fail because the store or the broker is unavailable, for at
// most Wait.
func (f *backfiller) persist(ctx context.Context, request func() error) error {
	var refused *refusal
	for pause, end := 100*time.Millisecond, time.Now().Add(f.Wait); ; pause = min(2*pause, 5*time.Second) {
		err := request()
		switch {
		case err == nil, isGone(err), errors.Is(err, objects.ErrInvalidName), errors.As(err, &refused), ctx.Err() != nil:
			return err
		case time.Now().Add(pause).After(end):
			return fmt.Errorf("after %v of attempts: %w", f.Wait, err)
		case pause > time.Second:
			slog.WarnContext(ctx, "the backfill waits", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// send sends the event of an upload, and returns a refusal if it never can be sent.
func (f *backfiller) send(ctx context.Context, info objects.Info) error {
	e, err := events.NewObjectBackfilled(info, cmp.Or(f.Chain, DefaultChain))
	if err != nil {
		return &refusal{0, fmt.Sprintf("the event cannot be made: %v", err)}
	}
	if err := f.rate.Wait(ctx); err != nil {
		return err
	}
	err = f.persist(ctx, func() error {
		posting, cancel := context.WithTimeout(ctx, postTimeout)
		defer cancel()
		return f.bridge.sender.post(posting, e)
	})
	var refused *refusal
	if !errors.As(err, &refused) {
		return err
	}
	if err := f.persist(ctx, func() error { return f.bridge.keepRefused(ctx, &e, refused) }); err != nil {
		return err
	}
	return refused
}
