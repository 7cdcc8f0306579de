package broker

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// startWorkers handles the messages of a consumer concurrently. An idle worker fetches one
// message. Messages fetched in advance would exceed AckWait while they wait for a slow
// delivery.
func (b *Broker) startWorkers(c jetstream.Consumer, handle func(jetstream.Msg)) {
	for range b.config.Workers {
		b.workers.Go(func() {
			for b.fetching.Err() == nil {
				msg, err := b.next(c)
				switch {
				case err != nil:
					b.logger.Warn("fetch failed", "error", err)
					b.pause(100 * time.Millisecond)
				case msg != nil:
					b.keepInProgress(msg, handle)
				}
			}
		})
	}
}

// fetchTimeout limits one fetch. Another one follows, in case the first was lost.
const fetchTimeout = 30 * time.Second

// next returns a message, or nil after fetchTimeout.
func (b *Broker) next(c jetstream.Consumer) (jetstream.Msg, error) {
	ctx, cancel := context.WithTimeout(b.fetching, fetchTimeout)
	defer cancel()
	batch, err := c.Fetch(1, jetstream.FetchContext(ctx))
	if err != nil {
		if ctx.Err() != nil {
			return nil, nil
		}
		return nil, err
	}
	msg := <-batch.Messages() // nil if it is closed
	if msg == nil && ctx.Err() == nil {
		return nil, batch.Error()
	}
	return msg, nil
}

// keepInProgress handles a message. Meanwhile it renews the message's AckWait.
func (b *Broker) keepInProgress(msg jetstream.Msg, handle func(jetstream.Msg)) {
	done := make(chan struct{})
	defer close(done)
	go func() {
		tick := time.NewTicker(b.config.AckWait / 3)
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

// pause waits for a time or the end of fetching.
func (b *Broker) pause(d time.Duration) {
	select {
	case <-time.After(d):
	case <-b.fetching.Done():
	}
}

// logAckError logs the error of an acknowledgement.
func (b *Broker) logAckError(err error) {
	if err != nil {
		b.logger.Warn("acknowledgement failed: the event will be delivered again", "error", err)
	}
}

// attempt returns the delivery count of msg, starting at 1.
func attempt(msg jetstream.Msg) int {
	m, err := msg.Metadata()
	if err != nil {
		return 1
	}
	return int(m.NumDelivered)
}
