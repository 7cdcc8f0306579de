package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/objects"
)

// maxEventBytes is above what brokers take.
const maxEventBytes = 4 << 20

// maxMembers limits the attributes of an event in structured mode.
const maxMembers = 200

// completed tags the source of a chain that has run to its end, and removes the
// dead letters of that version: what failed before has now been done. A tag that
// can never be set becomes a dead letter, since trying again would not help.
func (b *Bridge) completed(w http.ResponseWriter, r *http.Request) {
	b.outcome(w, r, func(ctx context.Context, e *cloudevents.Event) error {
		from, ok := events.OriginOf(e)
		believed, err := ok, error(nil)
		if ok {
			believed, err = b.hasRun(ctx, e, from)
		}
		if err != nil {
			return err
		}
		if !believed {
			slog.WarnContext(ctx, "outcome ignored: no step has written an output for this object", "event", e.ID(),
				"bucket", from.Bucket, "key", from.Key)
			return nil
		}
		err = b.tag(ctx, from, execution.StatusCompleted)
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

// hasRun reports whether a chain can have run on an upload: the upload lies in a
// bucket of ours, and the output that the last event names, or another, is there.
// It fails only if the store is away.
func (b *Bridge) hasRun(ctx context.Context, last *cloudevents.Event, from events.Origin) (bool, error) {
	if !b.watches(from) {
		return false, nil
	}
	if result, err := events.ParseStepCompleted(last); err == nil {
		output := result.GetOutputImage()
		info, err := b.config.Store.Stat(ctx, output.GetBucket(), output.GetObjectKey())
		if err == nil && execution.IsOutput(info, execution.ID(from.Key)) {
			return true, nil
		}
	}
	has, err := execution.HasOutput(ctx, b.config.Store, from.Bucket, from.Key, from.ETag)
	if errors.Is(err, objects.ErrUnavailable) {
		return false, err
	}
	return has && err == nil, nil
}

// watches reports whether outcomes may change an object: it is in a bucket of ours,
// and they say which version they are about.
func (b *Bridge) watches(from events.Origin) bool {
	if from.Key == "" || from.ETag == "" {
		return false
	}
	return len(b.config.Buckets) == 0 || slices.Contains(b.config.Buckets, from.Bucket)
}

// dead stores an event that no one could handle as a dead letter and tags its
// source as failed.
func (b *Bridge) dead(w http.ResponseWriter, r *http.Request) {
	b.outcome(w, r, func(ctx context.Context, e *cloudevents.Event) error { return b.keepFailure(ctx, letterOf(e)) })
}

// outcome answers an event of a chain's end once it is recorded; a failure makes
// the broker send it again.
func (b *Bridge) outcome(w http.ResponseWriter, r *http.Request, record func(context.Context, *cloudevents.Event) error) {
	if err := b.config.Signer.VerifyHeader(r.Header); err != nil {
		b.refuse(w, r, err)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxEventBytes)
	if strings.HasPrefix(r.Header.Get("Content-Type"), cloudevents.ApplicationCloudEventsJSON) {
		r.Body = io.NopCloser(jsonlimit.NewReader(r.Body, jsonlimit.Limits{Members: maxMembers}))
	}
	httpevent.Decode(r.Header)
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err != nil {
		http.Error(w, "not a CloudEvent: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := b.config.Signer.Verify(*e); err != nil {
		b.refuse(w, r, err)
		return
	}
	if err := record(r.Context(), e); err != nil {
		slog.WarnContext(r.Context(), "an outcome could not be recorded", "path", r.URL.Path, "event", e.ID(), "error", err)
		http.Error(w, "the outcome could not be recorded", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// refuse answers an event that does not prove who made it. Brokers do not retry a
// 401.
func (b *Bridge) refuse(w http.ResponseWriter, r *http.Request, reason error) {
	slog.WarnContext(r.Context(), "event refused", "path", r.URL.Path, "reason", reason)
	http.Error(w, reason.Error(), http.StatusUnauthorized)
}

// tag writes the outcome on the object that the chain began with, if it is still
// the version that the chain was about; an empty status takes it away.
func (b *Bridge) tag(ctx context.Context, from events.Origin, status string) error {
	return execution.SetOutcome(ctx, b.config.Store, from.Bucket, from.Key, from.ETag, status)
}

// status returns the outcome that an object is tagged with.
func (b *Bridge) status(ctx context.Context, from events.Origin) (string, error) {
	info, err := b.config.Store.Stat(ctx, from.Bucket, from.Key)
	if err != nil {
		return "", err
	}
	tags, err := b.config.Store.Tags(ctx, from.Bucket, from.Key)
	return execution.Outcome(info, tags), err
}

// tagFailed tags an object as failed. One whose chain has completed stays so:
// then only a repetition of what is done has failed, or a branch, and the letter
// tells of it.
func (b *Bridge) tagFailed(ctx context.Context, from events.Origin) error {
	if !b.watches(from) {
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
func (b *Bridge) forget(ctx context.Context, from events.Origin) error {
	s := execution.Selection{Bucket: from.Bucket, Execution: execution.ID(from.Key)}
	for letter, err := range b.letters.List(ctx, s) {
		switch {
		case err != nil && letter.Object == "":
			return err
		case err != nil:
			slog.WarnContext(ctx, "a dead letter cannot be read", "letter", letter.Object, "error", err)
		case letter.Key == from.Key && letter.ETag == from.ETag:
			if err := b.letters.Remove(ctx, letter); err != nil {
				return err
			}
		}
	}
	return nil
}
