package objects

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// DefaultProgressTimeout is how long a transfer may stand still by default.
const DefaultProgressTimeout = 15 * time.Second

// errStalled is the cause of the end of an operation without progress.
var errStalled = errors.New("no byte was sent or received for too long")

// operation is one call of a Store. When one of its requests makes no progress for
// the timeout it is cancelled as a whole, so that no retry makes it wait again, and
// its connection is dropped.
type operation struct {
	timeout time.Duration
	cancel  context.CancelCauseFunc
}

type operationKey struct{}

// begin starts an operation, which end releases.
func (s *Store) begin(ctx context.Context) (within context.Context, end context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	o := &operation{timeout: s.progressTimeout, cancel: cancel}
	return context.WithValue(ctx, operationKey{}, o), func() { cancel(nil) }
}

// watch cancels the operation unless the deadline, which is one timeout ahead, is
// renewed or stopped before.
func (o *operation) watch() *deadline {
	return &deadline{timeout: o.timeout, timer: time.AfterFunc(o.timeout, func() { o.cancel(errStalled) })}
}

// deadline is that of the next byte.
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

// progressTransport watches the progress of the requests of operations: while a
// body is sent, until the header of the answer comes, and while a body is read.
type progressTransport struct{ next http.RoundTripper }

func (t progressTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	o, ok := r.Context().Value(operationKey{}).(*operation)
	if !ok {
		return t.next.RoundTrip(r)
	}
	d := o.watch()
	defer d.stop()
	if r.Body != nil && r.Body != http.NoBody {
		watched := *r
		watched.Body, watched.GetBody = &sentBody{r.Body, d}, nil
		r = &watched
	}
	response, err := t.next.RoundTrip(r)
	if err == nil {
		response.Body = &receivedBody{response.Body, o}
	}
	return response, err
}

// sentBody renews the deadline whenever the connection takes more of a body.
type sentBody struct {
	io.ReadCloser
	deadline *deadline
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.deadline.renew()
	return b.ReadCloser.Read(p)
}

// receivedBody has a deadline for each read. Between reads there is none: then it
// is the caller who is slow.
type receivedBody struct {
	io.ReadCloser
	operation *operation
}

func (b *receivedBody) Read(p []byte) (int, error) {
	d := b.operation.watch()
	defer d.stop()
	return b.ReadCloser.Read(p)
}
