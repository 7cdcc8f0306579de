package broker

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type message = *nats.Msg

// Extensions of a dead letter, the first three as Knative's channels set them.
const (
	errorDestination = "knativeerrordest"
	errorCode        = "knativeerrorcode"
	errorData        = "knativeerrordata"
	attempts         = "attempts" // how often the event was sent
)

// maxErrorData is how long errorData may be. It is the start of the answer in
// base64, since an attribute cannot hold everything that an answer can.
const maxErrorData = 1024

// letter makes the message of a dead letter about an event that was sent n times.
func (t *trigger) letter(e event, failed *failure, n int) message {
	data := failed.data[:min(len(failed.data), base64.StdEncoding.DecodedLen(maxErrorData))]
	e = e.with(hopsExtension, "").with(errorDestination, t.subscriber).
		with(errorCode, strconv.Itoa(failed.code)).
		with(errorData, base64.StdEncoding.EncodeToString(data)).
		with(attempts, strconv.Itoa(n))
	return e.message(subject(deadLetterStream, t.spec.place))
}

// handleLetter posts a dead letter to its Trigger's sink, again and again until
// it is taken: there is nowhere else for it to go. One whose event the sink does
// not accept as genuine is dropped, or anyone could fill the queue with such.
func (b *Broker) handleLetter(msg jetstream.Msg) {
	t := b.triggerOf(msg.Subject())
	if t == nil || t.sink == "" {
		b.logger.Error("a dead letter waits for a Trigger with a sink", "subject", msg.Subject())
		b.settled(msg.NakWithDelay(maxBackoff))
		return
	}
	e := stored(msg)
	_, failed := b.post(t.sink, e, cmp.Or(t.spec.delivery.timeout, b.config.Timeout))
	switch {
	case failed == nil || failed.taken:
		b.settled(msg.Ack())
	case failed.code == http.StatusUnauthorized:
		b.logger.ErrorContext(e.trace(b.delivering), "a dead letter was refused and is dropped", "event", e.id(), "sink", t.sink, "answer", failed.text())
		b.settled(msg.Term())
	case b.delivering.Err() != nil:
		b.settled(msg.Nak())
	default:
		wait := t.spec.delivery.backoff(attempt(msg))
		b.logger.ErrorContext(e.trace(b.delivering), "a dead letter was not taken", "event", e.id(), "sink", t.sink, "code", failed.code, "answer", failed.text(), "again in", wait)
		b.settled(msg.NakWithDelay(max(wait, minLetterWait)))
	}
}

// triggerOf returns the Trigger of a dead letter, or nil when it is no more.
func (b *Broker) triggerOf(letter string) *trigger {
	for _, t := range b.triggers {
		if subject(deadLetterStream, t.spec.place) == letter {
			return t
		}
	}
	return nil
}
