package bridge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"golang.org/x/sync/semaphore"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/signature"
)

// maxBackground is how many events may wait for a slow broker at once after
// their notifications were answered.
var maxBackground int64 = 256

// maxPost is how long a broker may take. Some answer when the whole chain has
// run, with all that is tried again there.
const maxPost = 10 * time.Minute

// errBusy means that too many events wait for the broker.
var errBusy = errors.New("too many events wait for the broker")

// refusal is why an event will never be accepted.
type refusal struct {
	code   int // of the broker's answer; 0 if the event could not be sent
	reason string
}

// Error returns the reason.
func (r *refusal) Error() string { return r.reason }

// sender posts events to the broker.
type sender struct {
	broker     string
	client     *http.Client
	signer     *signature.Signer
	refused    func(context.Context, cloudevents.Event, *refusal) // of an event in the background
	within     time.Duration
	slots      *semaphore.Weighted
	background sync.WaitGroup
	ctx        context.Context // of what is in the background
	cut        context.CancelFunc
}

func newSender(c Config) (*sender, error) {
	if _, err := url.Parse(c.Broker); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	var wire http.RoundTripper = transport
	if c.Wire != nil {
		wire = c.Wire(wire)
	}
	s := &sender{
		broker: c.Broker, client: &http.Client{Transport: wire}, signer: c.Signer, within: c.AcceptWithin,
		slots: semaphore.NewWeighted(maxBackground),
	}
	s.ctx, s.cut = context.WithCancel(context.Background())
	return s, nil
}

// send posts an event and waits until the broker accepted it, or only for a
// short time: some brokers answer when the whole chain has run, and one slow
// chain must not hold up the others. Then it goes on in the background. It may:
// the source object is the durable record of what was asked, and the sweeper
// finds it should the event be lost.
func (s *sender) send(ctx context.Context, e cloudevents.Event) (later bool, err error) {
	posting, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxPost)
	answer := make(chan error, 1)
	go func() { answer <- s.post(posting, e) }()
	select {
	case err := <-answer:
		cancel()
		return false, err
	case <-ctx.Done():
		cancel()
		return false, ctx.Err()
	case <-time.After(s.within):
	}
	if !s.slots.TryAcquire(1) {
		cancel()
		return false, errBusy
	}
	s.background.Go(func() {
		defer s.slots.Release(1)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		var never *refusal
		switch err := <-answer; {
		case errors.As(err, &never):
			s.refused(context.WithoutCancel(ctx), e, never)
		case err != nil:
			slog.WarnContext(ctx, "an event was not accepted, the sweeper will find its object", "event", e.ID(), "error", err)
		}
	})
	return true, nil
}

// maxAnswerBytes is how much of the broker's answer is read.
const maxAnswerBytes = 1 << 10

// post signs and posts an event and waits for the broker's answer. The error is a refusal
// if the broker will never accept the event.
func (s *sender) post(ctx context.Context, e cloudevents.Event) error {
	e = e.Clone()
	s.signer.Sign(&e)
	r, err := httpevent.NewRequest(ctx, s.broker, e)
	if err != nil {
		return &refusal{0, fmt.Sprintf("the event cannot be sent: %v", err)}
	}
	resp, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	switch {
	case resp.StatusCode/100 == 2:
		return nil
	case events.IsPermanent(resp.StatusCode):
		return &refusal{resp.StatusCode, fmt.Sprintf("the broker answered %d: %s", resp.StatusCode, answer)}
	}
	return fmt.Errorf("the broker answered %d", resp.StatusCode)
}

// drain waits for what is in the background, and cuts it off when the context
// ends.
func (s *sender) drain(ctx context.Context) error {
	defer s.cut()
	done := make(chan struct{})
	go func() {
		s.background.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("events on their way to the broker were cut off")
	}
}
