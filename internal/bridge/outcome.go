package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
)

// maxEventBytes is above what brokers take.
const maxEventBytes = 4 << 20

// completed tags the source of a chain that has run to its end, and removes the
// dead letters of that version: what failed before has now been done. A tag that
// can never be set becomes a dead letter, since trying again would not help.
func (b *Bridge) completed(w http.ResponseWriter, r *http.Request) {
	b.outcome(w, r, func(ctx context.Context, e *cloudevents.Event) error {
		from, ok := sourceOf(e)
		if !ok {
			slog.WarnContext(ctx, "a chain has ended that began with no object", "event", e.ID())
			return nil
		}
		err := b.tag(ctx, from, execution.StatusCompleted)
		switch {
		case err == nil || gone(err):
			measureChain(ctx, e)
			return b.forget(ctx, from)
		case errors.Is(err, objects.ErrUnavailable):
			return err
		}
		letter := letterOf(e)
		letter.Reason = fmt.Sprintf("the chain has completed, but its object cannot be tagged so: %v", err)
		return b.keep(ctx, letter)
	})
}

// dead keeps an event that no one could handle and tags its source as failed.
// The letter is what counts: where the tag cannot be set, the sweeper will send
// the object's event again, and the tag is tried again with the next letter.
func (b *Bridge) dead(w http.ResponseWriter, r *http.Request) {
	b.outcome(w, r, func(ctx context.Context, e *cloudevents.Event) error {
		letter := letterOf(e)
		if err := b.keep(ctx, letter); err != nil {
			return err
		}
		slog.WarnContext(ctx, "an event is kept as a dead letter", "event", e.ID(), "execution", letter.Execution,
			"step", letter.Step, "reason", letter.Reason, "letter", letter.Object)
		if err := b.tagFailed(ctx, source{letter.Bucket, letter.Key, letter.ETag}); err != nil {
			slog.WarnContext(ctx, "an object could not be tagged as failed", "bucket", letter.Bucket, "key", letter.Key, "error", err)
		}
		return nil
	})
}

// outcome answers an event of a chain's end once it is recorded; a failure makes
// the broker send it again.
func (b *Bridge) outcome(w http.ResponseWriter, r *http.Request, record func(context.Context, *cloudevents.Event) error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxEventBytes)
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err != nil {
		http.Error(w, "not a CloudEvent: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := record(r.Context(), e); err != nil {
		slog.WarnContext(r.Context(), "an outcome could not be recorded", "path", r.URL.Path, "event", e.ID(), "error", err)
		http.Error(w, "the outcome could not be recorded", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// tag writes the outcome on the object that the chain began with, if it is still
// the version that the chain was about; an empty status takes it away.
func (b *Bridge) tag(ctx context.Context, from source, status string) error {
	return execution.SetOutcome(ctx, b.config.Store, from.bucket, from.key, from.etag, status)
}

// status returns the outcome that an object is tagged with.
func (b *Bridge) status(ctx context.Context, from source) (string, error) {
	info, err := b.config.Store.Stat(ctx, from.bucket, from.key)
	if err != nil {
		return "", err
	}
	tags, err := b.config.Store.Tags(ctx, from.bucket, from.key)
	return execution.Outcome(info, tags), err
}

// tagFailed tags an object as failed. One whose chain has completed stays so:
// then only a repetition of what is done has failed, or a branch, and the letter
// tells of it.
func (b *Bridge) tagFailed(ctx context.Context, from source) error {
	if from.key == "" {
		return nil
	}
	status, err := b.status(ctx, from)
	if err == nil && status != execution.StatusCompleted {
		err = b.tag(ctx, from, execution.StatusFailed)
	}
	if gone(err) {
		return nil
	}
	return err
}

// forget removes the dead letters about a version of a picture.
func (b *Bridge) forget(ctx context.Context, from source) error {
	s := execution.Selection{Bucket: from.bucket, Execution: execution.ID(from.key)}
	for letter, err := range b.letters.List(ctx, s) {
		switch {
		case err != nil && letter.Object == "":
			return err
		case err != nil:
			slog.WarnContext(ctx, "a dead letter cannot be read", "letter", letter.Object, "error", err)
		case letter.Key == from.key && letter.ETag == from.etag:
			if err := b.letters.Remove(ctx, letter); err != nil {
				return err
			}
		}
	}
	return nil
}
