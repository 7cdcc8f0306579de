package index

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/metrics"
	"imageflow.dev/internal/objects"
)

// The keys of segments are "_index/<day>/<window>/<time>-<writer or digest>.gz". The time is when the
// segment was written, so keys are in the order of time. No bucket's name begins with "_", so no dead
// letter has such a key.
const (
	folder       = execution.IndexFolder
	window       = 10 * time.Minute
	windowFormat = "20060102/1504/"
	timeFormat   = "20060102T150405.000000Z"
	extension    = ".gz"
	foldMark     = "-fold-"
)

// The limits of a segment. A larger one is damaged.
const (
	maxSegmentBytes   = 4 << 20
	maxSegmentContent = 16 << 20 // uncompressed
	maxSegmentEntries = 10_000
)

var damaged = metrics.Counter("imageflow.index.damaged", "segments of the index that could not be read")

// windowKey returns the folder of the window that contains a time.
func windowKey(at time.Time) string { return folder + at.UTC().Truncate(window).Format(windowFormat) }

func segmentKey(at time.Time, writer string) string {
	return windowKey(at) + at.UTC().Format(timeFormat) + "-" + writer + extension
}

// windowOf returns the folder of a segment.
func windowOf(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }

// timeOf returns the start of the window of a segment.
func timeOf(windowFolder string) (time.Time, error) {
	return time.Parse(folder+windowFormat, windowFolder)
}

func isFold(key string) bool { return strings.Contains(key, foldMark) }

// foldName returns the name, instead of a writer's, of a segment that replaces others. Equal contents
// have equal names.
func foldName(content []byte) string {
	digest := sha256.Sum256(content)
	return strings.TrimPrefix(foldMark, "-") + hex.EncodeToString(digest[:8])
}

// encode returns segments with the entries: one line of JSON for each, compressed. They are one
// segment unless the limits demand more.
func encode(entries []Entry) (segments [][]byte) {
	for len(entries) > 0 {
		var text bytes.Buffer
		compressed, _ := gzip.NewWriterLevel(&text, gzip.BestSpeed) // the level is valid, and a buffer never fails
		n, size := 0, 0
		for n < min(len(entries), maxSegmentEntries) && size < maxSegmentContent/2 && text.Len() < maxSegmentBytes/2 {
			line, _ := json.Marshal(entries[n]) // texts and times within years of four digits never fail
			_, _ = compressed.Write(append(line, '\n'))
			size += len(line)
			n++
		}
		_ = compressed.Close()
		segments, entries = append(segments, text.Bytes()), entries[n:]
	}
	return segments
}

// errDamaged means that an object is not a whole segment.
var errDamaged = errors.New("damaged segment")

// decode returns the entries of a segment up to the first damage.
func decode(data []byte) ([]Entry, error) {
	entries := []Entry{}
	compressed, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return entries, fmt.Errorf("%w: %w", errDamaged, err)
	}
	lines := json.NewDecoder(io.LimitReader(compressed, maxSegmentContent))
	for {
		var e Entry
		switch err := lines.Decode(&e); {
		case errors.Is(err, io.EOF):
			return entries, nil
		case err != nil:
			return entries, fmt.Errorf("%w: %w", errDamaged, err)
		case len(entries) == maxSegmentEntries:
			return entries, fmt.Errorf("%w: more than %d entries", errDamaged, maxSegmentEntries)
		}
		if e.Bucket != "" && e.ID != "" {
			entries = append(entries, e)
		}
	}
}

// load returns the entries of a segment. It returns what it can read of a damaged one, which it
// counts and logs. The error is objects.ErrNotFound if the segment was replaced by a fold.
func load(ctx context.Context, store *objects.Store, bucket, key string) ([]Entry, error) {
	data, _, err := store.Get(ctx, bucket, key, "", maxSegmentBytes)
	entries := []Entry{}
	switch {
	case err == nil:
		entries, err = decode(data)
	case errors.Is(err, objects.ErrTooLarge):
		err = fmt.Errorf("%w: %w", errDamaged, err)
	}
	if errors.Is(err, errDamaged) {
		damaged.Add(ctx, 1)
		slog.WarnContext(ctx, "segment of the index skipped from its first damage: only lists of executions miss what it had",
			"bucket", bucket, "key", key, "error", err)
		err = nil
	}
	return entries, err
}
