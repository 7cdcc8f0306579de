package objects

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// DefaultProgressTimeout is the default of Config.ProgressTimeout.
const DefaultProgressTimeout = 15 * time.Second

// errStalled is the cause of a context that was cancelled because of no progress.
var errStalled = errors.New("no byte was sent or received within the progress timeout")

// operation is one method call of a Store. If one of its requests makes no progress
// within the timeout, the whole operation is cancelled: it is not retried, and its
// connection is closed.
type operation struct {
	timeout time.Duration
	cancel  context.CancelCauseFunc
}

type operationKey struct{}

// begin starts an operation. It returns the context of its requests. The caller calls
// end when the operation ends.
func (s *Store) begin(ctx context.Context) (_ context.Context, end context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	o := &operation{timeout: s.progressTimeout, cancel: cancel}
	return context.WithValue(ctx, operationKey{}, o), func() { cancel(nil) }
}

// startDeadline returns a deadline that cancels the operation after the timeout, unless
// it is renewed or stopped before.
func (o *operation) startDeadline() *deadline {
	return &deadline{timeout: o.timeout, timer: time.AfterFunc(o.timeout, func() { o.cancel(errStalled) })}
}

// deadline is the time by which the next byte must be transferred.
type deadline struct {
	timeout time.Duration

	mu      sync.Mutex
	timer   *time.Timer
	stopped bool
}

func (d *deadline) renew() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.stopped {
		d.timer.Reset(d.timeout)
	}
}

func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	d.timer.Stop()
}

// progressTransport cancels operations that make no progress while a request body is
// sent, while it waits for the response header, or while a response body is read.
type progressTransport struct{ next http.RoundTripper }

func (t progressTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	o, ok := r.Context().Value(operationKey{}).(*operation)
	if !ok {
		return t.next.RoundTrip(r)
	}
	d := o.startDeadline()
	defer d.stop()
	if r.Body != nil && r.Body != http.NoBody {
		monitored := *r
		monitored.Body, monitored.GetBody = &sentBody{r.Body, d}, nil
		r = &monitored
	}
	response, err := t.next.RoundTrip(r)
	if err == nil {
		response.Body = &receivedBody{response.Body, o}
	}
	return response, err
}

// sentBody is a request body. It renews the deadline when the connection reads more.
type sentBody struct {
	io.ReadCloser
	deadline *deadline
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.deadline.renew()
	return b.ReadCloser.Read(p)
}

// receivedBody is a response body with a deadline for each read. Between reads there is
// no deadline, because the caller may be slow.
type receivedBody struct {
	io.ReadCloser
	operation *operation
}

func (b *receivedBody) Read(p []byte) (int, error) {
	d := b.operation.startDeadline()
	defer d.stop()
	return b.ReadCloser.Read(p)
}
