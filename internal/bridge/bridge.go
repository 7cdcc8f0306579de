// Package bridge connects an object store to a broker. It turns the store's
// notifications into events, and it records the outcome of each chain of events in the
// store: as a tag of the uploaded object, and as a dead letter if the chain failed.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/server"
	"imageflow.dev/internal/signature"
)

// Config of a bridge.
type Config struct {
	// Broker is the URL that events are posted to.
	Broker string
	// Token is the bearer token that every notification must carry. Empty accepts all.
	Token string
	// Signer signs the events that the bridge sends, and verifies those that it
	// receives. Nil signs none and accepts every event.
	Signer *signature.Signer
	// Store holds the uploaded objects and the dead letters.
	Store *objects.Store
	// DeadLetters is the bucket of the dead letters.
	DeadLetters string
	// AcceptWithin is the time that a notification waits for the broker to accept its
	// event. After it, the notification is answered and the bridge continues to wait in
	// the background.
	AcceptWithin time.Duration
	// MaxBackground limits the events that wait in the background; 0 means 256.
	MaxBackground int64
	// Strict starts a chain for every upload, even if it is not an image.
	Strict bool
	// OutcomeBuckets are the buckets whose objects may be tagged. None means all.
	OutcomeBuckets []string
	// OutcomeEvents sends an event when an execution has completed or failed.
	OutcomeEvents bool
	// WrapTransport wraps the HTTP transport to the broker. It may be nil.
	WrapTransport func(http.RoundTripper) http.RoundTripper
	// Sweep configures Bridge.Sweep.
	Sweep Sweep
}

// Bridge handles the store's notifications and the events that end a chain.
type Bridge struct {
	config      Config
	sender      *sender
	outcomes    *sender       // nil if outcomes are not sent
	index       *index.Writer // nil if the bridge does not sweep
	deadLetters execution.DeadLetterStore
	mux         *http.ServeMux
}

// New returns a bridge with three routes: `/notifications` for the store's webhook,
// `/completed` for the last event of a chain, and `/dead-letters` for the events that
// the broker gave up. Drain ends it.
func New(c Config) (*Bridge, error) {
	sender, err := newSender(c)
	if err != nil {
		return nil, fmt.Errorf("broker %q: %w", c.Broker, err)
	}
	initCounters()
	b := &Bridge{
		config: c, sender: sender, deadLetters: execution.NewDeadLetterStore(c.Store, c.DeadLetters), mux: http.NewServeMux(),
	}
	if c.Sweep.Interval > 0 {
		b.index = index.NewWriter(c.Store, c.DeadLetters)
	}
	sender.onFailure = b.uploadNotSent
	if c.OutcomeEvents {
		c.MaxBackground = maxOutcomes
		if b.outcomes, err = newSender(c); err != nil {
			return nil, fmt.Errorf("broker %q: %w", c.Broker, err)
		}
		b.outcomes.onFailure = b.keepOutcome
	}
	b.mux.HandleFunc("POST /notifications", b.handleNotification)
	b.mux.HandleFunc("POST /completed", b.handleCompleted)
	b.mux.HandleFunc("POST /dead-letters", b.handleDeadLetter)
	return b, nil
}

// ServeHTTP serves the routes of New.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }

// Drain waits until the broker has accepted all events that the bridge is sending, and
// closes its connections, and writes the last entries of the index. When the context ends,
// Drain cancels those events and returns an error. A sweep finds their objects later. Use neither ServeHTTP nor Sweep after it.
func (b *Bridge) Drain(ctx context.Context) error {
	return errors.Join(b.sender.drain(ctx), b.outcomes.drain(ctx), b.index.Close(ctx))
}

// maxNotificationBytes is far above the size of MinIO's notifications.
const maxNotificationBytes = 1 << 20

// handleNotification posts an event for each new image. After any answer but 2xx the
// store repeats the notification forever, and sends no other one before it. So only an
// unavailable broker or store leads to such an answer.
func (b *Bridge) handleNotification(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if token := server.Token(b.config.Token); token != "" && !token.Authorizes(r.Header.Get("Authorization")) {
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
	outcome, err := b.processNotification(ctx, body)
	if err != nil {
		slog.WarnContext(ctx, "notification rejected: the store will repeat it", "error", err)
		http.Error(w, "the broker or the store is unavailable", http.StatusServiceUnavailable)
	}
	count(ctx, notifications, outcome)
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("imageflow.outcome", outcome))
}

// processNotification posts the events of a notification. It stores a dead letter for
// each malformed record and each event that the broker refuses, and continues. It
// returns an error only if a repetition of the notification may succeed. The outcome is
// a label of the counter.
func (b *Bridge) processNotification(ctx context.Context, body []byte) (outcome string, err error) {
	found, outputs, malformed := parseNotification(body)
	outcome = "ignored"
	for _, output := range outputs {
		b.indexOutput(output)
	}
	if malformed != nil {
		outcome = "unreadable"
		if err := b.keepMalformed(ctx, body, malformed); err != nil {
			return "pushed back", err
		}
	}
	for _, u := range found {
		if outcome, err = b.startChain(ctx, u); err != nil {
			return "pushed back", fmt.Errorf("event %s: %w", u.event.ID(), err)
		}
	}
	return outcome, nil
}

// startChain posts the event of an upload if the upload is an image.
func (b *Bridge) startChain(ctx context.Context, u upload) (outcome string, err error) {
	image, err := b.isImage(ctx, u.info)
	if err != nil {
		return "", err
	}
	if !image {
		slog.InfoContext(ctx, "upload ignored: not an image", "bucket", u.info.Bucket, "key", u.info.Key,
			"content_type", u.info.ContentType, "size", u.info.Size)
		return "ignored_not_image", nil
	}
	b.indexArrival(u.info, time.Now())
	inBackground, err := b.sender.send(ctx, u.event)
	var refused *refusal
	switch {
	case errors.As(err, &refused):
		return "refused", b.keepRefused(ctx, &u.event, refused)
	case err != nil:
		return "", err
	case inBackground:
		return "in background", nil
	}
	return "accepted", nil
}

// keepMalformed stores a notification that is malformed as a dead letter.
func (b *Bridge) keepMalformed(ctx context.Context, body []byte, reason error) error {
	slog.WarnContext(ctx, "notification malformed: stored as a dead letter", "reason", reason)
	body = body[:min(len(body), maxNotificationBytes)]
	return b.putDeadLetter(ctx, &execution.DeadLetter{Reason: reason.Error(), Message: string(body)})
}

// keepRefused stores an event that the broker will never accept as a dead letter, and
// tags its object as failed.
func (b *Bridge) keepRefused(ctx context.Context, e *cloudevents.Event, r *refusal) error {
	d := newDeadLetter(e)
	d.Reason, d.Code, d.Step, d.Attempts = r.reason, r.code, b.config.Broker, 1
	return b.keepFailure(ctx, d)
}

// uploadNotSent handles the event of an upload that the broker has not accepted in the background.
func (b *Bridge) uploadNotSent(ctx context.Context, e cloudevents.Event, err error) {
	var refused *refusal
	if errors.As(err, &refused) {
		err = b.keepRefused(ctx, &e, refused)
	}
	if err != nil {
		slog.WarnContext(ctx, "event not accepted: the sweeper will send it again", "event", e.ID(), "error", err)
	}
}

// keepFailure stores a dead letter, tags its object as failed and sends the event of that. An error of the tag is
// only logged: the sweeper will send the object's event again, and the next dead letter
// sets the tag.
func (b *Bridge) keepFailure(ctx context.Context, d *execution.DeadLetter) error {
	if err := b.putDeadLetter(ctx, d); err != nil {
		return err
	}
	slog.WarnContext(ctx, "event stored as a dead letter", "event", d.EventID, "execution", d.Execution,
		"step", d.Step, "reason", d.Reason, "dead_letter", d.Object)
	tagged, err := b.tagFailed(ctx, *d)
	if err != nil {
		slog.WarnContext(ctx, "object not tagged as failed", "bucket", d.Bucket, "key", d.Key, "error", err)
	}
	if !tagged {
		return nil
	}
	return b.sendFailed(ctx, d)
}

// putDeadLetter stores and counts a dead letter.
func (b *Bridge) putDeadLetter(ctx context.Context, d *execution.DeadLetter) error {
	d.KeyID = b.config.Signer.KeyID()
	err := b.deadLetters.Put(ctx, d)
	if err == nil {
		count(ctx, deadLetters, "")
	}
	return err
}

// isGone reports whether an error means that a version of an object no longer exists.
func isGone(err error) bool {
	return errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrChanged)
}
