package bridge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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

// defaultBackground is the default of Config.MaxBackground.
const defaultBackground = 256

// postTimeout limits the time for one answer of the broker. Some brokers answer after
// the whole chain has run, including its retries.
const postTimeout = 10 * time.Minute

// errBusy means that too many events wait for the broker.
var errBusy = errors.New("too many events wait for the broker")

// refusal is the reason why the broker will never accept an event.
type refusal struct {
	code   int // of the broker's answer; 0 if the event could not be sent
	reason string
}

// Error returns the reason.
func (r *refusal) Error() string { return r.reason }

// sender posts events to the broker.
type sender struct {
	broker    string
	client    *http.Client
	signer    *signature.Signer
	onFailure func(context.Context, cloudevents.Event, error) // for an event in the background
	within    time.Duration
	slots     *semaphore.Weighted // of the events in the background
	posts     sync.WaitGroup
	ctx       context.Context // ends all posts
	cancel    context.CancelFunc
}

func newSender(c Config) (*sender, error) {
	if _, err := url.Parse(c.Broker); err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	var wrapped http.RoundTripper = transport
	if c.WrapTransport != nil {
		wrapped = c.WrapTransport(transport)
	}
	s := &sender{
		broker: c.Broker, client: &http.Client{Transport: wrapped}, signer: c.Signer, within: c.AcceptWithin,
		slots: semaphore.NewWeighted(cmp.Or(c.MaxBackground, defaultBackground)),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	context.AfterFunc(s.ctx, transport.CloseIdleConnections)
	return s, nil
}

// send posts an event and waits up to AcceptWithin for the broker to accept it. After
// that it continues to wait in the background and returns true: some brokers answer
// after the whole chain has run, and a slow chain must not delay others. If the event of an upload is
// lost meanwhile, the sweeper finds the object, which is the durable record of the event.
func (s *sender) send(ctx context.Context, e cloudevents.Event) (inBackground bool, err error) {
	posting, cancel := context.WithTimeout(context.WithoutCancel(ctx), postTimeout)
	answer := make(chan error, 1)
	s.posts.Go(func() {
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		answer <- s.post(posting, e)
	})
	select {
	case err := <-answer:
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
	s.posts.Go(func() {
		defer s.slots.Release(1)
		if err := <-answer; err != nil {
			s.onFailure(context.WithoutCancel(ctx), e, err)
		}
	})
	return true, nil
}

// maxAnswerBytes limits the part of the broker's answer that is read.
const maxAnswerBytes = 1 << 10

// post signs and posts an event and waits for the broker's answer. The error is a
// refusal if the broker will never accept the event.
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

// drain waits for all posts. When the context ends, it cancels them. A nil sender has none.
func (s *sender) drain(ctx context.Context) error {
	if s == nil {
		return nil
	}
	defer s.cancel()
	done := make(chan struct{})
	go func() {
		s.posts.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errors.New("the drain timeout ended before the broker accepted all events")
	}
}
