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

// The extensions of a dead letter. Knative's channels set the first three.
const (
	errorDestination = "knativeerrordest"
	errorCode        = "knativeerrorcode"
	errorData        = "knativeerrordata"
	attempts         = "attempts" // the number of failed deliveries
)

// maxErrorData limits errorData, in bytes. It is the start of the answer in base64, since
// an answer may contain characters that an attribute must not have.
const maxErrorData = 1024

// newDeadLetter returns the message of a dead letter for an event with n failed deliveries.
func (t *trigger) newDeadLetter(e event, failed *failure, n int) message {
	data := failed.data[:min(len(failed.data), base64.StdEncoding.DecodedLen(maxErrorData))]
	e = e.with(ttlExtension, "").with(errorDestination, t.subscriber).
		with(errorCode, strconv.Itoa(failed.code)).
		with(errorData, base64.StdEncoding.EncodeToString(data)).
		with(attempts, strconv.Itoa(n))
	return e.message(subject(deadLetterStream, t.spec.resource))
}

// handleDeadLetter posts a dead letter to the sink of its Trigger, and retries forever. It
// drops a dead letter that the sink answers with 401: otherwise anyone could fill the queue
// with events that have no valid signature.
func (b *Broker) handleDeadLetter(msg jetstream.Msg) {
	t := b.triggerOf(msg.Subject())
	if t == nil || t.sink == "" {
		b.logger.Error("dead letter waits: its Trigger has no sink", "subject", msg.Subject())
		b.logAckError(msg.NakWithDelay(maxBackoff))
		return
	}
	e := eventOf(msg)
	_, failed := b.post(t.sink, e, cmp.Or(t.spec.delivery.timeout, b.config.Timeout))
	switch {
	case failed == nil || failed.accepted:
		b.logAckError(msg.Ack())
	case failed.code == http.StatusUnauthorized:
		b.logger.ErrorContext(e.trace(b.delivering), "dead letter dropped: refused by the sink",
			"event", e.id(), "sink", t.sink, "answer", failed.text())
		b.logAckError(msg.Term())
	case b.delivering.Err() != nil:
		b.logAckError(msg.Nak())
	default:
		wait := t.spec.delivery.backoff(attempt(msg))
		b.logger.ErrorContext(e.trace(b.delivering), "dead letter not accepted: will retry",
			"event", e.id(), "sink", t.sink, "code", failed.code, "answer", failed.text(), "wait", wait)
		b.logAckError(msg.NakWithDelay(max(wait, minDeadLetterWait)))
	}
}

// triggerOf returns the Trigger of the dead letters with a subject, or nil if the Trigger no
// longer exists.
func (b *Broker) triggerOf(deadLetterSubject string) *trigger {
	for _, t := range b.triggers {
		if subject(deadLetterStream, t.spec.resource) == deadLetterSubject {
			return t
		}
	}
	return nil
}
