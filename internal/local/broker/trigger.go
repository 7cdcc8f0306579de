package broker

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// trigger is a running Trigger.
type trigger struct {
	*Broker
	spec       *triggerSpec
	consumer   jetstream.Consumer
	failures   failures
	subscriber string
	sink       string // empty if there is none
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
	t.consumer, err = b.store.consumer(ctx, eventStream, consumerName(spec.resource),
		jetstream.DeliverNewPolicy, // events since the creation of the Trigger
		spec.types.subjects(spec.broker.resource)...)
	return t, err
}

// handle delivers an event, and acknowledges it or schedules a retry.
func (t *trigger) handle(msg jetstream.Msg) {
	e := eventOf(msg)
	if !t.spec.matches(e.attributes()) {
		t.logAckError(msg.Ack())
		return
	}
	failed := t.deliver(e)
	if failed == nil {
		t.acknowledge(msg)
		return
	}
	if t.delivering.Err() != nil {
		t.logAckError(msg.Nak()) // cancelled by Shutdown: deliver again at the next start
		return
	}
	n := t.failures.add(msg)
	if failed.retry && n <= t.spec.delivery.retry {
		t.logAckError(msg.NakWithDelay(t.spec.delivery.backoff(n)))
		return
	}
	t.giveUp(msg, e, failed, n)
}

// acknowledge ends the deliveries of an event.
func (t *trigger) acknowledge(msg jetstream.Msg) {
	t.logAckError(msg.Ack())
	t.failures.forget(msg)
}

// deliver posts an event to the subscriber and stores its reply.
func (t *trigger) deliver(e event) *failure {
	timeout := cmp.Or(t.spec.delivery.timeout, t.config.Timeout)
	reply, failed := t.post(t.subscriber, e.with(ttlExtension, ""), timeout)
	if failed != nil || reply == nil {
		return failed
	}
	ttl := e.ttl(t.config.MaxReplies)
	if ttl <= 1 {
		return t.endLoop(*reply)
	}
	return t.storeReply(reply.withTTL(ttl - 1).message(eventSubject(t.spec.broker.resource, reply.eventType())))
}

// endLoop stores a reply as a dead letter because the chain of replies is too long. The
// event that it answers was delivered.
func (t *trigger) endLoop(reply event) *failure {
	t.logger.ErrorContext(reply.trace(t.delivering), "reply dropped: the chain of replies is too long, is it a loop?",
		"trigger", t.spec.resource.String(), "event", reply.id())
	if t.sink == "" {
		return nil
	}
	return t.storeReply(t.newDeadLetter(reply, &failure{
		code: http.StatusLoopDetected, data: fmt.Appendf(nil, "the chain of replies is longer than %d", t.config.MaxReplies),
	}, 0))
}

func (t *trigger) storeReply(reply message) *failure {
	if err := t.store.publish(t.delivering, reply); err != nil {
		data := []byte("the reply could not be stored: " + err.Error())
		return &failure{code: http.StatusInsufficientStorage, data: data, retry: true}
	}
	return nil
}

// giveUp stores an event as a dead letter after n failed deliveries, and acknowledges the event
// after the dead letter is on disk.
func (t *trigger) giveUp(msg jetstream.Msg, e event, failed *failure, n int) {
	t.logger.ErrorContext(e.trace(t.delivering), "delivery failed: no more retries",
		"trigger", t.spec.resource.String(), "event", e.id(), "attempts", n,
		"code", failed.code, "answer", failed.text(), "sink", t.sink)
	if t.sink != "" {
		if err := t.store.publish(t.delivering, t.newDeadLetter(e, failed, n)); err != nil {
			t.logger.Error("dead letter not stored: the event will be delivered again", "event", e.id(), "error", err)
			t.logAckError(msg.NakWithDelay(max(time.Second, t.spec.delivery.backoff(n))))
			return
		}
	}
	t.acknowledge(msg)
}
