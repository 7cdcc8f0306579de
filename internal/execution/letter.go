package execution

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"imageflow.dev/internal/objects"
)

// Letter is a dead letter: an event that no one could handle, or a message that
// is no event at all.
type Letter struct {
	// Execution, Bucket, Key and ETag say which picture it is about; all are
	// empty where the message does not tell.
	Execution string `json:"execution,omitempty"`
	Bucket    string `json:"bucket,omitempty"`
	Key       string `json:"key,omitempty"`
	ETag      string `json:"etag,omitempty"`

	// EventID and EventType are of the event, empty when it is none.
	EventID   string `json:"event_id,omitempty"`
	EventType string `json:"event_type,omitempty"`

	// Reason is what the last one who was sent the event answered, in words.
	Reason string `json:"reason"`
	// Code is the HTTP status of that answer; 0 is unknown.
	Code int `json:"code,omitempty"`
	// Attempts is how often the event was sent to it; 0 is unknown.
	Attempts int `json:"attempts,omitempty"`
	// Step is the address of the one that failed.
	Step string `json:"step,omitempty"`

	// First and Last are when the event became a dead letter for the first
	// and the last time, and Failures how often it did.
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
	Failures int       `json:"failures"`

	// Event is the event in the JSON form of CloudEvents, to be sent again.
	Event json.RawMessage `json:"event,omitempty"`
	// Message is what came instead of an event, or the start of an event that is
	// too large to be kept. It is never sent again.
	Message string `json:"message,omitempty"`
	// Whole describes the whole message; nil where Message has all of it.
	Whole *Digest `json:"whole_message,omitempty"`

	// Object is the letter's own key in the bucket of dead letters.
	Object string `json:"-"`
	// Sent says that the event is being sent again: see Letters.Take.
	Sent bool `json:"-"`
}

// Letters is the bucket of dead letters. A letter lies under
// "<bucket>/<execution>/<event id>.json", and under "unreadable/" when it is
// about no picture.
type Letters struct {
	store  *objects.Store
	bucket string
}

// NewLetters returns the letters of a bucket, which must be there.
func NewLetters(store *objects.Store, bucket string) Letters { return Letters{store, bucket} }

// ErrUnreadable means that an object is no dead letter, or one that is too large.
// It never becomes readable, so the next dead letter of its key replaces it.
var ErrUnreadable = errors.New("unreadable dead letter")

// Store keeps a letter that has failed now. One that is there already keeps the
// time at which it failed first and counts on; two that store the same letter at
// the same time may count as one. Store sets the letter's times and its key, and
// cuts what is too long. A letter whose key the store refuses gets a key that is
// made of digests.
func (l Letters) Store(ctx context.Context, letter *Letter) error {
	key := letterKey(letter)
	letter.bound()
	err := l.storeAt(ctx, key, letter)
	if err != nil && !errors.Is(err, objects.ErrUnavailable) {
		err = l.storeAt(ctx, plainKey(key), letter)
	}
	return err
}

func (l Letters) storeAt(ctx context.Context, key string, letter *Letter) error {
	letter.Object, letter.Sent = key, false
	letter.Last = time.Now().UTC()
	letter.First, letter.Failures = letter.Last, 1
	for _, key := range []string{key, sentKey(key)} {
		before, err := l.Load(ctx, key)
		if err == nil {
			letter.First, letter.Failures = before.First, before.Failures+1
			break
		}
		if !replaceable(err) {
			return err
		}
	}
	return l.write(ctx, key, letter)
}

// replaceable reports whether a key whose letter cannot be loaded is free.
func replaceable(err error) bool {
	return errors.Is(err, objects.ErrNotFound) || errors.Is(err, ErrUnreadable)
}

// write stores a letter as an object of ours, so that it would start no chain
// should someone watch its bucket.
func (l Letters) write(ctx context.Context, key string, letter *Letter) error {
	text, err := letter.encode()
	if err != nil {
		return err
	}
	_, err = l.store.Put(ctx, l.bucket, key, "application/json", text, Mark("dead-letter", l.bucket, key))
	return err
}

// Load reads the letter of a key.
func (l Letters) Load(ctx context.Context, key string) (Letter, error) {
	text, _, err := l.store.Get(ctx, l.bucket, key, "", maxLetterBytes)
	if errors.Is(err, objects.ErrTooLarge) {
		err = fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	if err != nil {
		return Letter{}, err
	}
	letter := Letter{Object: key, Sent: isSent(key)}
	if err := json.Unmarshal(text, &letter); err != nil {
		return Letter{}, fmt.Errorf("%w: %s: %w", ErrUnreadable, key, err)
	}
	return letter, nil
}

// Remove removes a letter, be it there or not.
func (l Letters) Remove(ctx context.Context, letter Letter) error {
	return l.store.Remove(ctx, l.bucket, letter.Object)
}

// Take sets a letter aside whose event is about to be sent again. Should it fail
// again at once, that makes a letter of its own, which removing the old one does
// not touch. One that is aside already, left by someone who died, stays so.
func (l Letters) Take(ctx context.Context, letter Letter) (Letter, error) {
	if letter.Sent {
		return letter, nil
	}
	taken := letter
	taken.Object, taken.Sent = sentKey(letter.Object), true
	if err := l.write(ctx, taken.Object, &taken); err != nil {
		return letter, err
	}
	return taken, l.Remove(ctx, letter)
}

// Return puts a letter back whose event could not be sent. Should the event have
// failed again all the same, the newer letter stays.
func (l Letters) Return(ctx context.Context, taken Letter) error {
	letter := taken
	letter.Object, letter.Sent = unsentKey(taken.Object), false
	switch _, err := l.Load(ctx, letter.Object); {
	case err != nil && replaceable(err):
		if err := l.write(ctx, letter.Object, &letter); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	return l.Remove(ctx, taken)
}
