package index

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// pollInterval is the time between two reads of the index while there are watchers.
	pollInterval = time.Second
	// maxPending bounds the changes that wait for a watcher.
	maxPending = 5000
	// maxView bounds the executions that a Hub remembers, twice, to some 10 MB each.
	maxView = 20_000
	// warmUp is how far back a Hub reads when it starts, so that it knows the executions in progress.
	warmUp = 10 * time.Minute
)

// The reasons why a Hub ends a watch, for the watcher.
var (
	ErrSlow    = errors.New("the watcher reads more slowly than executions change; resume after the last event id")
	ErrTooMany = errors.New("too many watchers: the limit is MAX_WATCHES")
	ErrClosed  = errors.New("the server is shutting down; resume after the last event id")
	// ErrGone means that a watch cannot be resumed after an event id.
	ErrGone = errors.New("the last event id is more than an hour old, in the future, or unknown; " +
		"list the executions, and watch without it")
)

// Change is an execution after something happened to it.
type Change struct {
	// ID is the position of the change, for Watch. Several changes may have the same.
	ID    string
	Entry Entry

	once sync.Once
	text []byte
}

// Text returns what the first call of encode returned: all watchers share it.
func (c *Change) Text(encode func(*Change) []byte) []byte {
	c.once.Do(func() { c.text = encode(c) })
	return c.text
}

// Hub tells many watchers of changes. It reads the index once for all, and only while there are any.
type Hub struct {
	reader      *Reader
	maxWatchers int

	mu       sync.Mutex
	watchers map[*Watcher]bool
	running  bool // run reads the index
	closed   bool
}

// NewHub returns a hub for the index of a reader.
func NewHub(r *Reader, maxWatchers int) *Hub {
	return &Hub{reader: r, maxWatchers: maxWatchers, watchers: map[*Watcher]bool{}}
}

// Close ends all watches with ErrClosed.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for w := range h.watchers {
		w.end(ErrClosed)
	}
}

// Watcher receives the changes of the executions that its query selects.
type Watcher struct {
	query  Query
	signal chan struct{} // has a value when pending or reason have changed

	mu      sync.Mutex
	pending []*Change
	reason  error
}

// Watch returns a watcher of the changes from now on or, with the id of a change, of those after it.
// Then the last ones before it may come again. The caller must call Leave.
func (h *Hub) Watch(ctx context.Context, q Query, after string) (*Watcher, error) {
	w := &Watcher{query: q, signal: make(chan struct{}, 1)}
	h.mu.Lock()
	switch {
	case h.closed:
		h.mu.Unlock()
		return nil, ErrClosed
	case len(h.watchers) >= h.maxWatchers:
		h.mu.Unlock()
		return nil, ErrTooMany
	}
	h.watchers[w] = true
	if !h.running {
		h.running = true
		go h.run(time.Now()) // a change after Watch has returned is not missed, even if run begins late
	}
	h.mu.Unlock()
	if after == "" {
		return w, nil
	}
	if err := h.resume(ctx, w, after); err != nil {
		h.Leave(w)
		return nil, err
	}
	return w, nil
}

// Leave ends a watch. The last watcher ends the reading.
func (h *Hub) Leave(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

// Next returns the changes since the last call. It waits for some at most for a time, and then
// returns none. The error is the reason why the watch has ended.
func (w *Watcher) Next(ctx context.Context, wait time.Duration) ([]*Change, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		w.mu.Lock()
		changes, reason := w.pending, w.reason
		w.pending = nil
		w.mu.Unlock()
		if len(changes) > 0 || reason != nil {
			return changes, reason
		}
		select {
		case <-w.signal:
		case <-timer.C:
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// offer adds changes, or ends the watch if more than limit wait.
func (w *Watcher) offer(changes []*Change, limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range changes {
		if w.reason == nil && w.query.Contains(&c.Entry) && w.query.ContainsState(c.Entry.State()) {
			w.pending = append(w.pending, c)
		}
	}
	if len(w.pending) > limit {
		w.pending, w.reason = nil, ErrSlow
	}
	w.wake()
}

// end ends the watch after the changes that wait.
func (w *Watcher) end(reason error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reason = cmp.Or(w.reason, reason)
	w.wake()
}

func (w *Watcher) wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// run reads the index, and the changes from a time on, until no watcher is left.
func (h *Hub) run(start time.Time) {
	v, tail := newView(), NewTail(h.reader.store, h.reader.bucket, start.Add(-warmUp))
	failing := false
	for tick := time.NewTicker(pollInterval); ; <-tick.C {
		changes, err := v.read(context.Background(), tail, start)
		if err != nil && !failing {
			slog.Warn("index not read for watchers: will retry", "error", err)
		}
		failing = err != nil
		all, goOn := h.current()
		if !goOn {
			tick.Stop()
			return
		}
		for _, w := range all {
			if w.offer(changes, maxPending); errors.Is(err, errTooManyChanges) {
				w.end(ErrSlow)
			}
		}
	}
}

// current returns the watchers. It returns false if run must end.
func (h *Hub) current() ([]*Watcher, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = len(h.watchers) > 0 && !h.closed
	return slices.Collect(maps.Keys(h.watchers)), h.running
}

const (
	// maxResume is how far back a watch can be resumed. resumeOverlap is how late a segment may be that
	// a resumed watch still sees.
	maxResume     = time.Hour
	resumeOverlap = 15 * time.Second
	// maxChanges bounds the changes that are read at once.
	maxChanges = 50_000
)

// resume offers a watcher the changes after an event id.
func (h *Hub) resume(ctx context.Context, w *Watcher, after string) error {
	at, err := time.Parse(timeFormat, after)
	if age := time.Since(at); err != nil || age > maxResume || age < -lateness {
		return ErrGone
	}
	tail := NewTail(h.reader.store, h.reader.bucket, at.Add(-warmUp))
	changes, err := newView().read(ctx, tail, at.Add(-resumeOverlap))
	if errors.Is(err, errTooManyChanges) {
		return ErrGone
	}
	w.offer(changes, maxChanges)
	return err
}

// view has the executions that changed most recently, in two generations.
type view struct{ newer, older map[identity]*Entry }

func newView() *view { return &view{map[identity]*Entry{}, map[identity]*Entry{}} }

// errTooManyChanges means that read returns only the first changes.
var errTooManyChanges = errors.New("too many changes at once")

// read returns the changes in new segments, in the order of time. Of segments that were written before a
// time it only learns.
func (v *view) read(ctx context.Context, tail *Tail, since time.Time) (changes []*Change, err error) {
	first, isOver := since.UTC().Format(timeFormat), false
	err = tail.Read(ctx, func(key string, entries []Entry) {
		id := key[len(windowOf(key)):]
		id = id[:min(len(timeFormat), len(id))]
		for _, e := range entries {
			switch {
			case id < first:
				v.merge(e)
			case len(changes) < maxChanges:
				changes = append(changes, &Change{ID: id, Entry: e})
			default:
				isOver = true
			}
		}
	})
	if isOver {
		err = errTooManyChanges
	}
	slices.SortStableFunc(changes, func(a, b *Change) int { return a.Entry.Updated().Compare(b.Entry.Updated()) })
	for _, c := range changes {
		c.Entry = v.merge(c.Entry)
	}
	return changes, err
}

// merge adds a part, and returns what is now known of its execution.
func (v *view) merge(part Entry) Entry {
	id := part.identity()
	known := v.newer[id]
	if known == nil {
		if known = v.older[id]; known == nil {
			known = &Entry{Bucket: part.Bucket, ID: part.ID}
		}
		if len(v.newer) >= maxView {
			v.newer, v.older = map[identity]*Entry{}, v.newer
		}
		v.newer[id] = known
	}
	known.Merge(part)
	return *known
}
