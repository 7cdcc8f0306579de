package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"imageflow.dev/internal/objects"
)

// DeadLetter is an event that no subscriber accepted, or a message that is not an event.
type DeadLetter struct {
	// Execution, Bucket, Key and ETag identify the uploaded image. They are empty if
	// the message does not name one.
	Execution string `json:"execution,omitempty"`
	Bucket    string `json:"bucket,omitempty"`
	Key       string `json:"key,omitempty"`
	ETag      string `json:"etag,omitempty"`

	// EventID and EventType are empty if the message is not an event.
	EventID   string `json:"event_id,omitempty"`
	EventType string `json:"event_type,omitempty"`

	// OfOutcome means that the event reports the outcome of an execution.
	OfOutcome bool `json:"of_outcome,omitempty"`

	// Reason is the last answer of the subscriber, as text.
	Reason string `json:"reason"`
	// Code is the HTTP status of that answer; 0 is unknown.
	Code int `json:"code,omitempty"`
	// Attempts counts the deliveries to that subscriber; 0 is unknown.
	Attempts int `json:"attempts,omitempty"`
	// Step is the URL of that subscriber.
	Step string `json:"step,omitempty"`

	// First and Last are the times of the event's first and last failure. Failures
	// counts the failures.
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Failures int       `json:"failures"`

	// Event is the event in the JSON form of CloudEvents, for a replay.
	Event json.RawMessage `json:"event,omitempty"`
	// KeyID is the id of the key with which the bridge signed events when it stored the dead letter; empty if it signed none.
	KeyID string `json:"key_id,omitempty"`
	// Message is the message that is not an event, or the start of an event that is
	// too large to keep. It is never replayed.
	Message string `json:"message,omitempty"`
	// Whole describes the whole message if Message has only its start; else nil.
	Whole *Digest `json:"whole_message,omitempty"`

	// Object is the key of the dead letter in the bucket of dead letters.
	Object string `json:"-"`
	// InReplay means that the event is being sent again: see DeadLetterStore.BeginReplay.
	InReplay bool `json:"-"`
}

// OfListener reports whether the subscriber was no step, so that its failure is not a failure of the execution: a
// webhook, whose URL has the parameter hook, or any subscriber to outcomes.
func (d *DeadLetter) OfListener() bool {
	u, err := url.Parse(d.Step)
	return d.OfOutcome || err == nil && u.Query().Has("hook")
}

// DeadLetterStore is the bucket of dead letters. The key of a dead letter is
// "<bucket>/<execution>/<event id>.json", or is under "unreadable/" if the dead letter
// does not name an image.
type DeadLetterStore struct {
	store  *objects.Store
	bucket string
}

// NewDeadLetterStore returns the dead letters in a bucket, which must exist.
func NewDeadLetterStore(store *objects.Store, bucket string) DeadLetterStore {
	return DeadLetterStore{store, bucket}
}

// ErrUnreadable means that an object is not a dead letter, or is too large. Such an
// object never becomes readable, so the next dead letter with its key replaces it.
var ErrUnreadable = errors.New("unreadable dead letter")

// Put stores a dead letter that failed now, and sets its times and its key. If the
// store already has one with this key, Put keeps its first time and continues its
// count; otherwise it continues those of d. Two concurrent Puts may count as one. Put truncates fields that are too long.
// If the object store refuses the key, Put uses a key that consists of a digest.
func (s DeadLetterStore) Put(ctx context.Context, d *DeadLetter) error {
	key := deadLetterKey(d)
	d.truncate()
	first, failures := d.First, d.Failures
	err := s.putAt(ctx, key, d)
	if err != nil && !errors.Is(err, objects.ErrUnavailable) {
		d.First, d.Failures = first, failures
		err = s.putAt(ctx, digestKey(key), d)
	}
	return err
}

func (s DeadLetterStore) putAt(ctx context.Context, key string, d *DeadLetter) error {
	d.Object, d.InReplay = key, false
	d.Last = time.Now().UTC()
	if d.Failures++; d.First.IsZero() {
		d.First = d.Last
	}
	for _, key := range []string{key, replayKey(key)} {
		before, err := s.Load(ctx, key)
		if err == nil {
			d.First, d.Failures = before.First, max(before.Failures+1, d.Failures)
			break
		}
		if !replaceable(err) {
			return err
		}
	}
	return s.write(ctx, key, d)
}

// replaceable reports whether a dead letter may be stored at a key from which Load
// returned err.
func replaceable(err error) bool {
	return errors.Is(err, objects.ErrNotFound) || errors.Is(err, ErrUnreadable)
}

// write stores a dead letter as an object of ImageFlow, so that it starts no chain if
// its bucket is set up as a bucket of uploads.
func (s DeadLetterStore) write(ctx context.Context, key string, d *DeadLetter) error {
	text, err := d.encode()
	if err != nil {
		return err
	}
	_, err = s.store.Put(ctx, s.bucket, key, "application/json", text, ObjectMetadata("dead-letter", s.bucket, key))
	return err
}

// Load returns the dead letter with a key.
func (s DeadLetterStore) Load(ctx context.Context, key string) (DeadLetter, error) {
	text, _, err := s.store.Get(ctx, s.bucket, key, "", maxDeadLetterBytes)
	if errors.Is(err, objects.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if err != nil {
		return DeadLetter{}, err
	}
	d := DeadLetter{Object: key, InReplay: isReplayKey(key)}
	if err := json.Unmarshal(text, &d); err != nil {
		return DeadLetter{}, fmt.Errorf("%w: %s: %w", ErrUnreadable, key, err)
	}
	return d, nil
}

// Remove removes a dead letter. It returns nil if there is none.
func (s DeadLetterStore) Remove(ctx context.Context, d DeadLetter) error {
	return s.store.Remove(ctx, s.bucket, d.Object)
}

// BeginReplay moves a dead letter to another key before its event is sent again. If
// the event fails again, it becomes a new dead letter with the original key, which the
// removal of the moved one does not affect. A dead letter that an interrupted replay
// left there stays there.
func (s DeadLetterStore) BeginReplay(ctx context.Context, d DeadLetter) (DeadLetter, error) {
	if d.InReplay {
		return d, nil
	}
	moved := d
	moved.Object, moved.InReplay = replayKey(d.Object), true
	if err := s.write(ctx, moved.Object, &moved); err != nil {
		return d, err
	}
	return moved, s.Remove(ctx, d)
}

// CancelReplay moves a dead letter back after its event could not be sent. If the
// event failed again meanwhile, the newer dead letter stays.
func (s DeadLetterStore) CancelReplay(ctx context.Context, moved DeadLetter) error {
	d := moved
	d.Object, d.InReplay = originalKey(moved.Object), false
	switch _, err := s.Load(ctx, d.Object); {
	case err != nil && replaceable(err):
		if err := s.write(ctx, d.Object, &d); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	return s.Remove(ctx, moved)
}
