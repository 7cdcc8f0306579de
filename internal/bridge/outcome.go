package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/google/uuid"

	"imageflow.dev/internal/objects"
)

// The tags that a source object gets when its chain has ended.
const (
	StatusTag       = "imageflow-status"
	StatusCompleted = "completed"
	StatusFailed    = "failed"
)

// completed tags the source of a chain that has run to its end.
func (b *Bridge) completed(w http.ResponseWriter, r *http.Request) {
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	b.answer(w, r, b.tag(r.Context(), e, StatusCompleted))
}

// dead stores an event that no one could handle and tags its source as failed.
func (b *Bridge) dead(w http.ResponseWriter, r *http.Request) {
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	letter, err := json.MarshalIndent(e, "", "  ")
	if err == nil {
		err = b.keep(r.Context(), e.ID(), letter)
	}
	if err == nil {
		err = b.tag(r.Context(), e, StatusFailed)
	}
	b.answer(w, r, err)
}

func (b *Bridge) answer(w http.ResponseWriter, r *http.Request, err error) {
	if err != nil {
		slog.WarnContext(r.Context(), "an outcome could not be recorded", "path", r.URL.Path, "error", err)
		http.Error(w, "the outcome could not be recorded", http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// tag writes the outcome on the object that the chain began with, if it is still
// the version that the chain was about. An event that tells of no such object
// has nothing to tag.
func (b *Bridge) tag(ctx context.Context, e *cloudevents.Event, status string) error {
	origin, ok := e.Extensions()["origin"].(string)
	if !ok {
		return nil
	}
	bucket, key, etag, err := objects.ParseURI(origin)
	if err != nil {
		slog.WarnContext(ctx, "an event with a wrong origin", "event", e.ID(), "error", err)
		return nil
	}
	info, err := b.config.Store.Stat(ctx, bucket, key)
	if errors.Is(err, objects.ErrNotFound) || (err == nil && etag != "" && info.ETag != etag) {
		return nil
	}
	if err != nil {
		return err
	}
	return b.config.Store.SetTags(ctx, bucket, key, map[string]string{StatusTag: status})
}

// keep stores a dead letter.
func (b *Bridge) keep(ctx context.Context, id string, letter []byte) error {
	key := fmt.Sprintf("%s/%s.json", time.Now().UTC().Format("2006-01-02"), id)
	_, err := b.config.Store.Put(ctx, b.config.DeadLetters, key, "application/json", letter, nil)
	return err
}

func (b *Bridge) keepPoison(ctx context.Context, body []byte, reason error) error {
	slog.WarnContext(ctx, "a notification that is no event", "reason", reason)
	letter, err := json.MarshalIndent(map[string]string{"reason": reason.Error(), "notification": string(body)}, "", "  ")
	if err != nil {
		return err
	}
	return b.keep(ctx, "notification-"+uuid.NewString(), letter)
}
