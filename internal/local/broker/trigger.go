package broker

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// trigger is a Trigger at work.
type trigger struct {
	*Broker
	spec       *triggerSpec
	consumer   jetstream.Consumer
	subscriber string
	sink       string // empty: there is none
}

func (b *Broker) newTrigger(ctx context.Context, spec *triggerSpec) (t *trigger, err error) {
	t = &trigger{Broker: b, spec: spec}
	if t.subscriber, err = spec.subscriber.resolve(b.config.Resolve); err != nil {
		return nil, err
	}
	if spec.delivery.sink != nil {
		if t.sink, err = spec.delivery.sink.resolve(b.config.Resolve); err != nil {
			return nil, err
		}
	}
	t.consumer, err = b.store.consumer(ctx, eventStream, consumerName(spec.place), subject(eventStream, spec.broker.place),
		jetstream.DeliverNewPolicy) // new since the Trigger is there
	return t, err
}

// handle takes one event to its end, or puts it back for another try.
func (t *trigger) handle(msg jetstream.Msg) {
	e := stored(msg)
	if !t.spec.matches(e.attributes()) {
		t.settled(msg.Ack())
		return
	}
	failed := t.deliver(e)
	switch n := attempt(msg); {
	case failed == nil:
		t.settled(msg.Ack())
	case t.delivering.Err() != nil:
		t.settled(msg.Nak()) // cut off by the end: at once at the next start
	case failed.retry && n <= t.spec.delivery.retry:
		t.settled(msg.NakWithDelay(t.spec.delivery.backoff(n)))
	default:
		t.bury(msg, e, failed)
	}
}

// deliver posts an event to the subscriber and stores its reply.
func (t *trigger) deliver(e event) *failure {
	timeout := cmp.Or(t.spec.delivery.timeout, t.config.Timeout)
	reply, failed := t.post(t.subscriber, e.with(hopsExtension, ""), timeout)
	if failed != nil || reply == nil {
		return failed
	}
	hops := e.hops(t.config.Hops)
	if hops <= 1 {
		return t.cutLoop(*reply)
	}
	return t.storeReply(reply.withHops(hops - 1).message(subject(eventStream, t.spec.broker.place)))
}

// cutLoop makes a dead letter of a reply that is one too many. The event that it
// answers was delivered all right.
func (t *trigger) cutLoop(reply event) *failure {
	t.logger.ErrorContext(reply.trace(t.delivering), "a chain of replies is too long and is cut: is it a loop?", "trigger", t.spec.place.String(), "event", reply.id())
	if t.sink == "" {
		return nil
	}
	return t.storeReply(t.letter(reply, &failure{
		code: http.StatusLoopDetected, data: fmt.Appendf(nil, "the chain of replies is longer than %d", t.config.Hops),
	}, 0))
}

func (t *trigger) storeReply(reply message) *failure {
	if err := t.store.publish(t.delivering, reply); err != nil {
		return &failure{code: http.StatusInsufficientStorage, data: []byte("the reply could not be stored: " + err.Error()), retry: true}
	}
	return nil
}

// bury makes a dead letter of an event that failed. It is done with the event
// when the letter is on disk.
func (t *trigger) bury(msg jetstream.Msg, e event, failed *failure) {
	t.logger.ErrorContext(e.trace(t.delivering), "an event failed", "trigger", t.spec.place.String(), "event", e.id(), "attempts", attempt(msg),
		"code", failed.code, "answer", failed.text(), "sink", t.sink)
	if t.sink != "" {
		if err := t.store.publish(t.delivering, t.letter(e, failed, attempt(msg))); err != nil {
			t.logger.Error("a dead letter could not be stored; the event is delivered again", "event", e.id(), "error", err)
			t.settled(msg.NakWithDelay(max(time.Second, t.spec.delivery.backoff(attempt(msg)))))
			return
		}
	}
	t.settled(msg.Ack())
}
