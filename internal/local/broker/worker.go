package broker

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// ackWait is how long after this process has died an event in its hands comes
// again; while it lives, a delivery keeps its event by signs of life.
var ackWait = 5 * time.Second

// startWorkers handles the messages of a consumer, several at a time. A worker
// asks for one when it is free: one fetched ahead would lose its time while it
// waits for a slow delivery.
func (b *Broker) startWorkers(c jetstream.Consumer, handle func(jetstream.Msg)) {
	for range b.config.Workers {
		b.workers.Go(func() {
			for b.fetching.Err() == nil {
				msg, err := b.next(c)
				switch {
				case err != nil:
					b.logger.Warn("no event could be fetched", "error", err)
					b.pause(100 * time.Millisecond)
				case msg != nil:
					b.hold(msg, handle)
				}
			}
		})
	}
}

// patience is how long one request for a message waits. A new one then follows,
// should the former have been lost.
const patience = 30 * time.Second

// next returns a message, or nil when none came.
func (b *Broker) next(c jetstream.Consumer) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(b.fetching, patience)
	defer cancel()
	batch, err := c.Fetch(1, jetstream.FetchContext(ctx))
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil
		}
		return nil, err
	}
	msg := <-batch.Messages() // nil when it closes
	if msg == nil && ctx.Err() == nil {
		return nil, batch.Error()
	}
	return msg, nil
}

// hold handles a message, and tells the store meanwhile that it is in good hands.
func (b *Broker) hold(msg jetstream.Msg, handle func(jetstream.Msg)) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(ackWait / 3)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				_ = msg.InProgress()
			}
		}
	}()
	handle(msg)
}

// pause waits, but not beyond the end.
func (b *Broker) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-b.fetching.Done():
	}
}

// settled logs that the store could not be told what became of a message, which
// comes again then.
func (b *Broker) settled(err error) {
	if err != nil {
		b.logger.Warn("what became of an event could not be stored; it comes again", "error", err)
	}
}

// attempt returns the how manieth delivery of a message this is, from 1.
func attempt(msg jetstream.Msg) int {
	m, err := msg.Metadata()
	if err != nil {
		return 1
	}
	return int(m.NumDelivered)
}
