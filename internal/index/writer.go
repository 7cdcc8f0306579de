package index

import (
	"context"
	"crypto/rand"
	"log/slog"
	"slices"
	"sync"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/metrics"
	"imageflow.dev/internal/objects"
)

const (
	// batchTime is the time for which entries are collected into one segment.
	batchTime = time.Second
	// maxBuffered bounds the entries that wait while the store is unavailable.
	maxBuffered = 20_000
	// putTimeout bounds the write of one segment.
	putTimeout = 20 * time.Second
)

var dropped = metrics.Counter("imageflow.index.dropped", "entries not written to the index, because the store was unavailable")

// Writer appends entries to the index. Entries that wait for their segment are lost if the process
// ends; listing the bucket finds their images. A nil Writer drops all entries.
type Writer struct {
	store  *objects.Store
	bucket string
	name   string // unique among writers

	mu        sync.Mutex
	buffer    []Entry
	scheduled bool
	failing   bool
	closed    bool
	flushing  sync.Mutex // held while a segment is written, so segments are written in order
}

// NewWriter returns a writer to an index in a bucket. Close writes its last entries.
func NewWriter(store *objects.Store, bucket string) *Writer {
	return &Writer{store: store, bucket: bucket, name: rand.Text()[:10]}
}

// Append adds an entry. It does not wait for the store.
func (w *Writer) Append(e Entry) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.buffer) >= maxBuffered {
		dropped.Add(context.Background(), 1)
		return
	}
	w.buffer = append(w.buffer, e)
	w.schedule()
}

// schedule makes flush run after batchTime. The caller holds the mutex.
func (w *Writer) schedule() {
	if !w.scheduled && !w.closed {
		w.scheduled = true
		time.AfterFunc(batchTime, func() {
			ctx, cancel := context.WithTimeout(context.Background(), putTimeout)
			defer cancel()
			_ = w.flush(ctx) // logged, and repeated
		})
	}
}

// Close writes the entries that wait. Later ones are dropped.
func (w *Writer) Close(ctx context.Context) error {
	if w == nil {
		return nil
	}
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, putTimeout)
	defer cancel()
	return w.flush(ctx)
}

// flush writes what waits in segments. After a failure it keeps the entries and runs again later.
func (w *Writer) flush(ctx context.Context) error {
	w.flushing.Lock()
	defer w.flushing.Unlock()
	w.mu.Lock()
	entries := w.buffer
	w.buffer, w.scheduled = nil, false
	w.mu.Unlock()
	for _, content := range encode(entries) {
		if err := put(ctx, w.store, w.bucket, segmentKey(time.Now(), w.name), content); err != nil {
			w.keep(entries, err)
			return err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failing = false
	return nil
}

// keep puts entries back after a failure.
func (w *Writer) keep(entries []Entry, reason error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.failing {
		slog.Warn("segment of the index not written: will retry", "bucket", w.bucket, "entries", len(entries), "error", reason)
	}
	w.failing = true
	w.buffer = slices.Concat(entries, w.buffer)
	if excess := len(w.buffer) - maxBuffered; excess > 0 {
		dropped.Add(context.Background(), int64(excess))
		w.buffer = w.buffer[excess:]
	}
	w.schedule()
}

// put writes a segment as an object of ImageFlow, so that it starts no chain.
func put(ctx context.Context, store *objects.Store, bucket, key string, content []byte) error {
	_, err := store.Put(ctx, bucket, key, "application/gzip", content, execution.ObjectMetadata("index", bucket, key))
	return err
}
