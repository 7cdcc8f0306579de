package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// process sends the event of an upload and waits for its outcome. Its errors end the run.
func (f *backfiller) process(ctx context.Context, entry objects.Entry) error {
	info, outcome, err := f.look(ctx, entry)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", entry.Key, err)
	case info.Key == "":
		return f.done(entry.Key, func(c *BackfillCounts) { c.Others++ }, nil)
	case outcome != "" && !f.Again:
		return f.done(entry.Key, func(c *BackfillCounts) { c.Ended++ }, nil)
	case f.DryRun:
		return f.done(entry.Key, func(c *BackfillCounts) { c.Sent++ }, nil)
	}
	origin := events.Origin{Bucket: info.Bucket, Key: info.Key, ETag: info.ETag}
	if outcome != "" { // otherwise it would be taken for the outcome of this run
		err = f.persist(ctx, func() error { return f.bridge.tag(ctx, origin, "") })
	}
	var refused *refusal
	if err == nil {
		err = f.send(ctx, info)
	}
	if err == nil {
		outcome, err = f.await(ctx, origin)
	}
	switch {
	case isGone(err): // removed or replaced meanwhile
		return f.done(entry.Key, func(c *BackfillCounts) { c.Others++ }, nil)
	case errors.As(err, &refused):
		return f.done(entry.Key, func(c *BackfillCounts) { c.Sent++; c.Failed++ }, refused)
	case err != nil:
		return fmt.Errorf("%s: %w", entry.Key, err)
	case outcome == execution.StatusFailed:
		return f.done(entry.Key, func(c *BackfillCounts) { c.Sent++; c.Failed++ }, errors.New("its dead letter has the reason"))
	case outcome == "":
		return f.done(entry.Key, func(c *BackfillCounts) { c.Sent++; c.Silent++ }, f.noOutcome())
	}
	return f.done(entry.Key, func(c *BackfillCounts) { c.Sent++; c.Completed++ }, nil)
}

// noOutcome returns the reason of an upload without an outcome. The first one that no upload with an outcome precedes
// has the likely causes: the others probably have the same.
func (f *backfiller) noOutcome() error {
	_, counts := f.position()
	if counts.Sent > 0 {
		return fmt.Errorf("no outcome after %v", f.Wait)
	}
	return fmt.Errorf("no outcome after %v: if no upload has one, %s", f.Wait, NoOutcomeCauses)
}

// look reads the metadata and the outcome of an object. The info is empty if the object is
// gone, was replaced since it was listed, or starts no chain. Listings may lack the metadata,
// and may be outdated.
func (f *backfiller) look(ctx context.Context, entry objects.Entry) (info objects.Info, outcome string, err error) {
	err = f.persist(ctx, func() (err error) {
		info, outcome, err = f.lookOnce(ctx, entry)
		return err
	})
	if isGone(err) || errors.Is(err, objects.ErrInvalidName) { // an invalid name can never be read
		return objects.Info{}, "", nil
	}
	return info, outcome, err
}

func (f *backfiller) lookOnce(ctx context.Context, entry objects.Entry) (info objects.Info, outcome string, err error) {
	store := f.bridge.config.Store
	info, err = store.Stat(ctx, entry.Bucket, entry.Key)
	if err != nil || info.ETag != entry.ETag || execution.WrittenByUs(info) {
		return objects.Info{}, "", err
	}
	if image, err := f.bridge.isImage(ctx, info); err != nil || !image {
		return objects.Info{}, "", err
	}
	tags, err := store.Tags(ctx, entry.Bucket, entry.Key)
	return info, execution.Outcome(info, tags), err
}

// await waits for the outcome of an upload, at most Wait. It asks first when the chains
// before had most of their time.
func (f *backfiller) await(ctx context.Context, origin events.Origin) (outcome string, err error) {
	began := time.Now()
	usual := f.usualTime()
	for pause := usual * 3 / 4; time.Since(began) < f.Wait; pause = max(usual/8, time.Since(began)/8) {
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(min(max(pause, 10*time.Millisecond), 2*time.Second)):
		}
		err = f.persist(ctx, func() (err error) {
			outcome, err = f.bridge.statusOf(ctx, origin)
			return err
		})
		if err != nil || outcome != "" {
			f.addTime(time.Since(began))
			return outcome, err
		}
	}
	return "", nil
}

// usualTime is a moving average of the time of a chain.
func (f *backfiller) usualTime() time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.usual
}

func (f *backfiller) addTime(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.usual += (d - f.usual) / 8
}

// done counts an upload. It fails if so many uploads in a row were not completed that the
// fault must be the chain's or that of the selection.
func (f *backfiller) done(key string, count func(*BackfillCounts), reason error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	completed := f.counts.Completed
	count(&f.counts)
	f.end(key)
	if reason != nil {
		f.inARow++
		f.Failed(key, reason)
	}
	if f.counts.Completed > completed {
		f.inARow = 0
	}
	f.Report(f.counts)
	limit := max(2*f.InFlight, minInARow)
	switch {
	case f.inARow >= limit && f.counts.Silent == f.counts.Sent:
		return fmt.Errorf("%w: %d in a row have no outcome: %s", ErrNoOutcomes, limit, NoOutcomeCauses)
	case f.inARow >= limit:
		return fmt.Errorf("%w: %d in a row failed or have no outcome, the last with: %w", ErrNoOutcomes, limit, reason)
	}
	return nil
}

// minInARow is the minimum number of uploads without completion that end a run.
const minInARow = 32

// places are the uploads in the order of their listing, of which some are done.
type places struct {
	mu    sync.Mutex
	keys  []string // from the first that is not done
	ended map[string]bool
	last  string // done, like all before it
}

// begin adds an upload.
func (p *places) begin(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = append(p.keys, key)
}

// end marks an upload as done. The caller holds the lock.
func (p *places) end(key string) {
	if p.ended == nil {
		p.ended = map[string]bool{}
	}
	p.ended[key] = true
	for len(p.keys) > 0 && p.ended[p.keys[0]] {
		p.last = p.keys[0]
		delete(p.ended, p.last)
		p.keys = p.keys[1:]
	}
}

// position returns the last upload before which all are done, and the counts.
func (f *backfiller) position() (last string, counts BackfillCounts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.counts
}
