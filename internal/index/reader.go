package index

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// The limits of one call of List. At any of them the page ends early.
const (
	maxScanned = 50_000 // entries
	maxChecks  = 100    // executions whose outcome is read from the bucket
	maxWindows = 2000
)

// maxRetries bounds the retries after a compaction.
const maxRetries = 3

// maxCached bounds the entries that a Reader keeps, to some 50 MB.
const maxCached = 100_000

// Reader lists the executions of an index. Segments never change, so it reads each only once.
type Reader struct {
	store  *objects.Store
	bucket string

	mu        sync.Mutex
	cache     map[string]*mergedWindow // by folder
	cached    int                      // entries
	since     time.Time                // the result of Since, read at sinceRead
	sinceRead time.Time
}

// NewReader returns a reader of the index in a bucket.
func NewReader(store *objects.Store, bucket string) *Reader {
	return &Reader{store: store, bucket: bucket, cache: map[string]*mergedWindow{}}
}

// sinceAge is how long the result of Since is kept.
const sinceAge = time.Minute

// Since returns the time from which the index has segments; zero if it has none.
func (r *Reader) Since(ctx context.Context) (time.Time, error) {
	r.mu.Lock()
	since, age := r.since, time.Since(r.sinceRead)
	r.mu.Unlock()
	if !since.IsZero() && age < sinceAge {
		return since, nil
	}
	for entry, err := range r.store.Walk(ctx, r.bucket, folder) {
		if err != nil {
			return time.Time{}, err
		}
		at, err := timeOf(windowOf(entry.Key))
		if err != nil {
			continue
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.since, r.sinceRead = at, time.Now()
		return at, nil
	}
	return time.Time{}, nil
}

// spans are the lengths of time that List lists in one request, the newest first; the last one repeats.
var spans = []time.Duration{3 * window, 6 * time.Hour, 24 * time.Hour}

// List returns up to n executions after a cursor, the newest first, from segments not older than
// reach. Next is nil after the last one. The state of executions without an outcome is checked in the
// bucket, unless they are recent.
func (r *Reader) List(
	ctx context.Context, q Query, after Cursor, n int, reach time.Time,
) (page []Entry, next *Cursor, err error) {
	newest := time.Now().Add(lateness)
	if !q.Until.IsZero() && q.Until.Before(newest) {
		newest = q.Until.Add(lateness)
	}
	if at, err := timeOf(after.Window); err == nil {
		newest = at
	} else {
		after = Cursor{}
	}
	l := &listing{Reader: r, query: q, after: after, n: n}
	end := newest.Truncate(window).Add(window)
	for i := 0; end.After(reach) && !end.Before(q.Since); i++ {
		start := end.Add(-spans[min(i, len(spans)-1)]).Truncate(window)
		err := l.span(ctx, start, end)
		for retries := 0; errors.Is(err, objects.ErrNotFound) && retries < maxRetries; retries++ { // a segment was folded meanwhile
			err = l.span(ctx, start, end)
		}
		if err != nil {
			return nil, nil, err
		}
		if l.full() {
			return l.page, &l.after, nil
		}
		end = start
	}
	return l.page, nil, nil
}

// listing is one call of List.
type listing struct {
	*Reader
	query                    Query
	after                    Cursor
	n                        int
	page                     []Entry
	scanned, checks, windows int
}

func (l *listing) full() bool {
	return len(l.page) >= l.n || l.scanned >= maxScanned || l.checks >= maxChecks || l.windows >= maxWindows
}

// span adds the executions that arrived in a span of time and are after the cursor, the newest window first.
func (l *listing) span(ctx context.Context, start, end time.Time) error {
	segments := map[string][]string{} // by window, with those before and after the span
	last := windowKey(end.Add(window))
	for entry, err := range l.store.WalkAfter(ctx, l.bucket, folder, windowKey(start.Add(-window))) {
		if err != nil {
			return err
		}
		w := windowOf(entry.Key)
		if w > last {
			break
		}
		segments[w] = append(segments[w], entry.Key)
	}
	for at := end.Add(-window); !at.Before(start) && !l.full(); at = at.Add(-window) {
		l.windows++
		switch key := windowKey(at); {
		case l.after.Window != "" && key > l.after.Window: // it is before the cursor, in a span that is read again
		case len(segments[key]) == 0:
			l.after = Cursor{Window: windowKey(at.Add(-window))}
		default:
			if err := l.window(ctx, at, segments); err != nil {
				return err
			}
		}
	}
	return nil
}

// window adds the executions that arrived in a window, which the query selects and which are after the
// cursor. Their later steps and outcomes may be in the next window.
func (l *listing) window(ctx context.Context, at time.Time, segments map[string][]string) error {
	var near [3]*mergedWindow
	for i, offset := range []time.Duration{-window, 0, window} {
		key, err := windowKey(at.Add(offset)), error(nil)
		if near[i], err = l.load(ctx, key, segments[key]); err != nil {
			return err
		}
	}
	before, here, next := near[0], near[1], near[2]
	last := &Entry{Arrived: l.after.Arrived, ID: l.after.ID}
	continues := l.after.Window == windowKey(at) && !last.Arrived.IsZero()
	for _, known := range here.sorted {
		if continues && newestFirst(known, last) <= 0 {
			continue
		}
		if l.full() {
			return nil
		}
		l.scanned++
		l.after = Cursor{Window: windowKey(at), Arrived: known.Began(), ID: known.ID}
		e := *known
		if later := next.entries[e.identity()]; later != nil {
			e.Merge(*later)
		}
		isUpload := !known.Arrived.IsZero() && known.Arrived.Equal(e.Arrived)
		isCall := e.Arrived.IsZero() && len(known.Steps) > 0 && before.entries[e.identity()] == nil
		if !isUpload && !isCall || !l.query.Contains(&e) {
			continue
		}
		isLive, err := l.isLive(ctx, &e, at)
		if err != nil {
			return err
		}
		if isLive && l.query.ContainsState(e.State()) {
			l.page = append(l.page, e)
		}
	}
	l.after = Cursor{Window: windowKey(at.Add(-window))}
	return nil
}

// newestFirst orders executions by their arrival.
func newestFirst(a, b *Entry) int {
	return cmp.Or(b.Began().Compare(a.Began()), cmp.Compare(a.ID, b.ID))
}

// Began returns the time of the upload, or of the first step if there is no upload.
func (e *Entry) Began() time.Time {
	if e.Arrived.IsZero() && len(e.Steps) > 0 {
		return e.Steps[0].At
	}
	return e.Arrived
}

// isLive reports whether an execution still exists, as far as it was checked. It reads the outcome of
// one that should have ended long ago from the bucket.
func (l *listing) isLive(ctx context.Context, e *Entry, at time.Time) (bool, error) {
	isRecent := time.Since(at) < 3*window
	if e.Key == "" || isRecent || e.State() == execution.Completed {
		return true, nil
	}
	l.checks++
	info, err := l.store.Stat(ctx, e.Bucket, e.Key)
	if err == nil && info.ETag != e.ETag {
		return false, nil // replaced: the new version is another entry
	}
	var tags map[string]string
	if err == nil {
		tags, err = l.store.Tags(ctx, e.Bucket, e.Key)
	}
	switch {
	case errors.Is(err, objects.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	if status := execution.Outcome(info, tags); status != e.Ended().Status {
		e.Outcome = Outcome{Status: status, ETag: e.ETag, At: e.Updated()}
	}
	return true, nil
}

// load returns a window with these segments.
func (r *Reader) load(ctx context.Context, folder string, segments []string) (*mergedWindow, error) {
	r.mu.Lock()
	w := r.cache[folder]
	r.mu.Unlock()
	if w == nil {
		w = &mergedWindow{}
	}
	missing := slices.DeleteFunc(slices.Clone(segments), func(key string) bool { return w.segments[key] })
	if len(missing) == 0 {
		return w, nil
	}
	contents, err := loadAll(ctx, r.store, r.bucket, missing)
	if err != nil {
		return nil, err
	}
	for i, entries := range contents {
		if entries == nil {
			return nil, fmt.Errorf("%s: %w", missing[i], objects.ErrNotFound)
		}
	}
	w = w.with(missing, contents)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keep(folder, w)
	return w, nil
}

// keep puts a window into the cache. The caller holds the mutex.
func (r *Reader) keep(folder string, w *mergedWindow) {
	if old := r.cache[folder]; old != nil {
		r.cached -= len(old.entries)
	}
	if r.cached += len(w.entries); r.cached > maxCached {
		r.cached = len(w.entries)
		clear(r.cache)
	}
	r.cache[folder] = w
}
