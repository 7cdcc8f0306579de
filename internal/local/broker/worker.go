package broker

import (
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
				if err := b.work(c, handle); err != nil {
					b.logger.Warn("fetch failed", "error", err)
					b.pause(100 * time.Millisecond)
				}
			}
		})
	}
}

// work handles one message after the other until fetching ends.
func (b *Broker) work(c jetstream.Consumer, handle func(jetstream.Msg)) error {
	// An iterator asks for the next message when Next is called, not before.
	messages, err := c.Messages(jetstream.PullMaxMessages(1), jetstream.WithMessagesErrOnMissingHeartbeat(false))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(b.fetching))
		switch {
		case err == nil:
			b.keepInProgress(msg, handle)
		case b.fetching.Err() != nil:
			return nil
		default:
			return err
		}
	}
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

// attempt returns how often msg was delivered, with deliveries that ended unfinished.
func attempt(msg jetstream.Msg) int {
	m, err := msg.Metadata()
	if err != nil {
		return 1
	}
	return int(m.NumDelivered)
}
