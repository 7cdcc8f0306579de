// Package bridge turns what a bucket tells into events, and what becomes of the
// events into what the bucket shows.
package bridge

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/signature"
)

// Config of a bridge.
type Config struct {
	// Broker is the URL that events are posted to.
	Broker string
	// Token must be the bearer token of every notification; empty takes all.
	Token string
	// Signer signs the events that the bridge sends, and verifies those that it
	// receives; nil signs none and accepts every event.
	Signer *signature.Signer
	// Store is where objects get their tags and dead letters go.
	Store *objects.Store
	// DeadLetters is the bucket of dead letters.
	DeadLetters string
	// AcceptWithin is how long a notification waits for the broker to accept
	// its event before it is answered anyway.
	AcceptWithin time.Duration
	// Strict has every upload start a chain, be it an image or not.
	Strict bool
	// Buckets are those whose objects get tags; none means all.
	Buckets []string
	// Wire wraps what events are posted through; nil leaves it as it is.
	Wire func(http.RoundTripper) http.RoundTripper
	// Sweep says which objects Run looks after.
	Sweep Sweep
}

// Bridge is the handler of notifications and of the events that end a chain.
type Bridge struct {
	config  Config
	sender  *sender
	letters execution.DeadLetterStore
	mux     *http.ServeMux
}

// New returns a bridge. Its routes: `/notifications` for the store's webhook,
// `/completed` for the last event of a chain, `/dead-letters` for events that
// no one could handle.
func New(c Config) (*Bridge, error) {
	sender, err := newSender(c)
	if err != nil {
		return nil, fmt.Errorf("broker %q: %w", c.Broker, err)
	}
	startCounting()
	b := &Bridge{config: c, sender: sender, letters: execution.NewDeadLetterStore(c.Store, c.DeadLetters), mux: http.NewServeMux()}
	sender.refused = func(ctx context.Context, e cloudevents.Event, r *refusal) {
		if err := b.keepRefused(ctx, &e, r); err != nil {
			slog.WarnContext(ctx, "a refused event could not be kept, the sweeper will find its object",
				"event", e.ID(), "error", err)
		}
	}
	b.mux.HandleFunc("POST /notifications", b.notified)
	b.mux.HandleFunc("POST /completed", b.completed)
	b.mux.HandleFunc("POST /dead-letters", b.dead)
	return b, nil
}

// ServeHTTP routes.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }

// Drain waits until every event is sent whose notification was answered before,
// or cuts them off when the context ends. The sweeper of a later bridge finds
// those.
func (b *Bridge) Drain(ctx context.Context) error { return b.sender.drain(ctx) }

// maxNotificationBytes is far above what MinIO posts.
const maxNotificationBytes = 1 << 20

// notified posts an event for each new picture. Any answer but 2xx would make
// the store's queue stop there and try for ever, so only a broker or a store
// that is away gets one.
func (b *Bridge) notified(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	given, want := r.Header.Get("Authorization"), "Bearer "+b.config.Token
	if b.config.Token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		count(ctx, notifications, "unauthorized")
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "the notification's token is wrong", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxNotificationBytes+1))
	if err != nil {
		http.Error(w, "the notification ends early", http.StatusBadRequest)
		return
	}
	outcome, err := b.take(ctx, body)
	if err != nil {
		slog.WarnContext(ctx, "a notification is pushed back", "error", err)
		http.Error(w, "the bridge cannot take notifications now", http.StatusServiceUnavailable)
	}
	count(ctx, notifications, outcome)
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("imageflow.outcome", outcome))
}

// take sends the events of a notification. It stores dead letters for records
// that are no events, and for events that the broker refuses, and goes on. It
// fails only if the same notification may fare better later. The outcome is for
// the counter.
func (b *Bridge) take(ctx context.Context, body []byte) (outcome string, err error) {
	found, wrong := readNotification(body)
	outcome = "ignored"
	if wrong != nil {
		outcome = "unreadable"
		if err := b.keepUnreadable(ctx, body, wrong); err != nil {
			return "pushed back", err
		}
	}
	for _, u := range found {
		if outcome, err = b.start(ctx, u); err != nil {
			return "pushed back", fmt.Errorf("event %s: %w", u.event.ID(), err)
		}
	}
	return outcome, nil
}

// start starts the chain of an upload, if it is an image.
func (b *Bridge) start(ctx context.Context, u upload) (outcome string, err error) {
	image, err := b.isImage(ctx, u.info)
	if err != nil {
		return "", err
	}
	if !image {
		slog.InfoContext(ctx, "upload ignored: it is not an image", "bucket", u.info.Bucket, "key", u.info.Key,
			"content type", u.info.ContentType, "size", u.info.Size)
		return "ignored_not_image", nil
	}
	later, err := b.sender.send(ctx, u.event)
	var never *refusal
	switch {
	case errors.As(err, &never):
		return "refused", b.keepRefused(ctx, &u.event, never)
	case err != nil:
		return "", err
	case later:
		return "in background", nil
	}
	return "accepted", nil
}

func (b *Bridge) keepUnreadable(ctx context.Context, body []byte, wrong error) error {
	slog.WarnContext(ctx, "a notification that is no event is kept as a dead letter", "reason", wrong)
	body = body[:min(len(body), maxNotificationBytes)]
	return b.keep(ctx, &execution.DeadLetter{Reason: wrong.Error(), Message: string(body)})
}

// keepRefused stores an event that the broker will never accept as a dead letter,
// and tags its object as failed.
func (b *Bridge) keepRefused(ctx context.Context, e *cloudevents.Event, r *refusal) error {
	letter := letterOf(e)
	letter.Reason, letter.Code, letter.Step, letter.Attempts = r.reason, r.code, b.config.Broker, 1
	return b.keepFailure(ctx, letter)
}

// keepFailure stores a dead letter and tags its object as failed. The letter is
// what counts: where the tag cannot be set, the sweeper will send the object's
// event again, and the tag is tried again with the next letter.
func (b *Bridge) keepFailure(ctx context.Context, letter *execution.DeadLetter) error {
	if err := b.keep(ctx, letter); err != nil {
		return err
	}
	slog.WarnContext(ctx, "an event is kept as a dead letter", "event", letter.EventID, "execution", letter.Execution,
		"step", letter.Step, "reason", letter.Reason, "letter", letter.Object)
	if err := b.tagFailed(ctx, events.Origin{Bucket: letter.Bucket, Key: letter.Key, ETag: letter.ETag}); err != nil {
		slog.WarnContext(ctx, "an object could not be tagged as failed",
			"bucket", letter.Bucket, "key", letter.Key, "error", err)
	}
	return nil
}

// keep stores a dead letter.
func (b *Bridge) keep(ctx context.Context, letter *execution.DeadLetter) error {
	err := b.letters.Put(ctx, letter)
	if err == nil {
		count(ctx, deadLetters, "")
	}
	return err
}

// gone tells whether an object is no more, or no more the version meant.
func gone(err error) bool {
	return errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrChanged)
}
