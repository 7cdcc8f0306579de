package broker

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/nats-io/nats.go/jetstream"
)

// hopsAttribute counts down the replies that an event may still lead to, as
// Knative's brokers do. Subscribers do not see it.
const hopsAttribute = "knativebrokerttl"

// trigger is a Trigger with its Broker's defaults filled in.
type trigger struct {
	*Broker
	manifest   manifest[triggerSpec]
	delivery   delivery
	subscriber string
	deadLetter string // empty: there is no sink
}

// startTriggers gives each Trigger its consumer and workers, and removes the
// consumers of Triggers that are no more.
func (b *Broker) startTriggers(ctx context.Context) error {
	if b.js == nil {
		return nil
	}
	known := map[string]bool{}
	for _, m := range b.config.Manifests.triggers {
		t, err := b.trigger(m)
		if err != nil {
			return err
		}
		name := m.Metadata.Namespace + "_" + m.Metadata.Name
		known[name] = true
		consumer, err := b.js.CreateOrUpdateConsumer(ctx, streamName, jetstream.ConsumerConfig{
			Durable: name, FilterSubject: subject(m.Metadata.Namespace, m.Spec.Broker),
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxAckPending: maxWaiting,
		})
		if err != nil {
			return err
		}
		for range b.config.Workers {
			b.workers.Go(func() { t.work(ctx, consumer) })
		}
	}
	stream, err := b.js.Stream(ctx, streamName)
	if err != nil {
		return err
	}
	for info := range stream.ListConsumers(ctx).Info() {
		if !known[info.Name] {
			if err := stream.DeleteConsumer(ctx, info.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// ackWait is how long after this process has died an event in its hands comes
// again; while it lives, a delivery keeps its event by a sign of life each
// lifeSign. maxWaiting bounds how many events wait for another try without
// keeping later ones from theirs.
const (
	ackWait    = 5 * time.Second
	lifeSign   = 2 * time.Second
	maxWaiting = 10000
)

func (b *Broker) trigger(m manifest[triggerSpec]) (t *trigger, err error) {
	t = &trigger{Broker: b, manifest: m}
	for _, of := range b.config.Manifests.brokers {
		if of.Metadata.Namespace == m.Metadata.Namespace && of.Metadata.Name == m.Spec.Broker && of.Spec.Delivery != nil {
			t.delivery = *of.Spec.Delivery
		}
	}
	if m.Spec.Delivery != nil {
		sink := t.delivery.DeadLetterSink
		t.delivery = *m.Spec.Delivery
		if t.delivery.DeadLetterSink == nil {
			t.delivery.DeadLetterSink = sink
		}
	}
	if t.subscriber, err = m.Spec.Subscriber.url(m.Metadata.Namespace, b.config.Resolve); err != nil {
		return nil, err
	}
	if t.delivery.DeadLetterSink != nil {
		t.deadLetter, err = t.delivery.DeadLetterSink.url(m.Metadata.Namespace, b.config.Resolve)
	}
	return t, err
}

// work delivers one event after the other until the broker closes.
func (t *trigger) work(ctx context.Context, consumer jetstream.Consumer) {
	for ctx.Err() == nil {
		msg, err := consumer.Next(jetstream.FetchContext(ctx))
		switch {
		case err == nil:
			t.handle(ctx, msg)
		case ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded):
			slog.WarnContext(ctx, "no event could be fetched", "trigger", t.manifest, "error", err)
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// handle takes one event to its end or puts it back for another try.
func (t *trigger) handle(ctx context.Context, msg jetstream.Msg) {
	var e event.Event
	if err := json.Unmarshal(msg.Data(), &e); err != nil {
		slog.ErrorContext(ctx, "a stored event cannot be read", "error", err)
		t.settle(msg.Term())
		return
	}
	if !t.manifest.Spec.passes(&e) {
		t.settle(msg.Ack())
		return
	}
	defer keepAlive(ctx, msg)()
	hops := hopsOf(&e, t.config.Hops)
	e.SetExtension(hopsAttribute, nil)
	failure := t.deliver(ctx, &e, hops)
	switch {
	case failure == nil:
		t.settle(msg.Ack())
	case ctx.Err() != nil:
		// The broker is closing: the event comes again.
	case failure.retry && attempt(msg) <= t.delivery.Retry:
		t.settle(msg.NakWithDelay(t.delivery.backoff(attempt(msg))))
	default:
		t.bury(ctx, msg, &e, failure)
	}
}

// bury sends an event to the dead letter sink; where that fails, all comes
// again later.
func (t *trigger) bury(ctx context.Context, msg jetstream.Msg, e *event.Event, failure *failure) {
	slog.WarnContext(ctx, "an event failed", "trigger", t.manifest.String(), "event", e.ID(), "subject", e.Subject(),
		"attempts", attempt(msg), "code", failure.code, "reason", failure.reason)
	if t.deadLetter == "" {
		t.settle(msg.Ack())
		return
	}
	e.SetExtension("knativeerrordest", t.subscriber)
	e.SetExtension("knativeerrorcode", failure.code)
	e.SetExtension("knativeerrordata", failure.reason)
	e.SetExtension("attempts", attempt(msg))
	if _, err := t.post(ctx, t.deadLetter, e); err != nil {
		slog.ErrorContext(ctx, "a dead letter was not taken", "sink", t.deadLetter, "event", e.ID(), "reason", err.reason)
		t.settle(msg.NakWithDelay(min(maxBackoff, t.delivery.backoff(attempt(msg)))))
		return
	}
	t.settle(msg.Ack())
}

func (t *trigger) settle(err error) {
	if err != nil {
		slog.Warn("an event's state could not be stored; it comes again", "trigger", t.manifest.String(), "error", err)
	}
}

// keepAlive tells the store that the event is being worked on, until its
// function is called.
func keepAlive(ctx context.Context, msg jetstream.Msg) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		for tick := time.Tick(lifeSign); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				_ = msg.InProgress()
			}
		}
	}()
	return cancel
}

// attempt returns which delivery of an event this is, from 1.
func attempt(msg jetstream.Msg) int {
	m, err := msg.Metadata()
	if err != nil {
		return 1
	}
	return int(m.NumDelivered)
}

func hopsOf(e *event.Event, otherwise int) int {
	if n, err := types.ToInteger(e.Extensions()[hopsAttribute]); err == nil {
		return int(n)
	}
	return otherwise
}

// The distance between tries where the manifests say none, and the longest.
const (
	defaultBackoff = 200 * time.Millisecond
	maxBackoff     = time.Minute
)

// backoff returns how long to wait after the nth try.
func (d delivery) backoff(n int) time.Duration {
	step := or(d.BackoffDelay.Duration, defaultBackoff)
	if d.BackoffPolicy == "linear" {
		return time.Duration(n) * step
	}
	return time.Duration(math.Min(float64(step)*math.Exp2(float64(n)), float64(24*time.Hour)))
}
