// Package bridge turns what a bucket tells into events, and what becomes of the
// events into what the bucket shows.
package bridge

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"

	"imageflow.dev/internal/objects"
)

// Config of a bridge.
type Config struct {
	// Broker is the URL that events are posted to.
	Broker string
	// Token must be the bearer token of every notification; empty takes all.
	Token string
	// Store is where objects get their tags and dead letters go.
	Store *objects.Store
	// DeadLetters is the bucket of dead letters.
	DeadLetters string
	// AcceptWithin is how long a notification waits for the broker to accept
	// its event before it is answered anyway.
	AcceptWithin time.Duration
}

// Bridge is the handler of notifications and of the events that end a chain.
type Bridge struct {
	config Config
	sender cloudevents.Client
	mux    *http.ServeMux
}

// ownMetadata marks objects that a step has written.
const ownMetadata = "imageflow-execution"

// createdEvents are the notifications that mean a new picture. Others, such as
// those of new tags, which we set ourselves, must not start a chain.
var createdEvents = []string{
	"s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
}

// New returns a bridge. Its routes: `/notifications` for the store's webhook,
// `/completed` for the last event of a chain, `/dead-letters` for events that
// no one could handle.
func New(c Config) (*Bridge, error) {
	protocol, err := cloudevents.NewHTTP(cloudevents.WithTarget(c.Broker))
	if err != nil {
		return nil, fmt.Errorf("broker %q: %w", c.Broker, err)
	}
	sender, err := cloudevents.NewClient(protocol)
	if err != nil {
		return nil, err
	}
	b := &Bridge{config: c, sender: sender, mux: http.NewServeMux()}
	b.mux.HandleFunc("POST /notifications", b.notified)
	b.mux.HandleFunc("POST /completed", b.completed)
	b.mux.HandleFunc("POST /dead-letters", b.dead)
	return b, nil
}

// ServeHTTP routes.
func (b *Bridge) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }

// maxNotificationBytes is far above what MinIO posts.
const maxNotificationBytes = 1 << 20

// notified posts an event for each new picture. Any answer but 2xx would make
// the store's queue stop there and try for ever, so only a broker that is away
// gets one.
func (b *Bridge) notified(w http.ResponseWriter, r *http.Request) {
	given, want := r.Header.Get("Authorization"), "Bearer "+b.config.Token
	if b.config.Token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(want)) != 1 {
		http.Error(w, "the notification's token is wrong", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxNotificationBytes))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	events, err := eventsOf(body)
	if err != nil {
		// It will never become an event: keep it where people look, go on.
		if err := b.keepPoison(r.Context(), body, err); err != nil {
			http.Error(w, "the dead letter could not be stored", http.StatusServiceUnavailable)
			return
		}
	}
	for _, e := range events {
		if err := b.send(r.Context(), e); err != nil {
			slog.WarnContext(r.Context(), "the broker did not accept an event", "event", e.ID(), "error", err)
			http.Error(w, "the broker does not accept events", http.StatusServiceUnavailable)
			return
		}
	}
}

// send posts an event and waits until the broker accepted it, or only for
// AcceptWithin: some brokers answer when the whole chain has run. The source
// object is the durable record of what was asked, so going on is safe.
func (b *Bridge) send(ctx context.Context, e cloudevents.Event) error {
	answer := make(chan error, 1)
	go func() { answer <- b.post(context.WithoutCancel(ctx), e) }()
	select {
	case err := <-answer:
		return err
	case <-time.After(b.config.AcceptWithin):
		return nil
	}
}

func (b *Bridge) post(ctx context.Context, e cloudevents.Event) error {
	result := b.sender.Send(ctx, e)
	if cloudevents.IsACK(result) {
		return nil
	}
	var answer *cehttp.Result
	if errors.As(result, &answer) {
		return fmt.Errorf("the broker answered %d", answer.StatusCode)
	}
	return result
}

// eventsOf makes the events of a notification.
func eventsOf(body []byte) ([]cloudevents.Event, error) {
	var n struct{ Records []json.RawMessage }
	if err := json.Unmarshal(body, &n); err != nil {
		return nil, err
	}
	if len(n.Records) == 0 {
		return nil, errors.New("the notification has no records")
	}
	var events []cloudevents.Event
	for _, raw := range n.Records {
		var record objects.Record
		if err := json.Unmarshal(raw, &record); err != nil {
			return events, err
		}
		if !slices.Contains(createdEvents, record.EventName) || record.Metadata(ownMetadata) != "" {
			continue
		}
		e, err := eventOf(&record, raw)
		if err != nil {
			return events, err
		}
		events = append(events, e)
	}
	return events, nil
}
