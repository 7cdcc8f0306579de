package server

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

// gate holds the limits that all requests of a server share.
type gate struct {
	pace
	budget *budget
	// health and watches have limits of their own, so that probes are answered
	// whatever the load. A watch of health does not end by itself.
	work, health, watches *inFlight
	watching              *inFlight     // the requests of Config.IsWatch
	turns                 chan struct{} // a semaphore of large bodies
}

const (
	maxHealthRequests = 64
	maxHealthWatches  = 32
	maxHealthBody     = 4 << 10 // bytes
)

func newGate(c Config) *gate {
	g := &gate{pace: *c.pace, turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
	if c.MinBodyRate > 0 {
		g.rate = c.MinBodyRate
	}
	g.budget = &budget{size: c.BodyBytes, maxWait: g.maxWait}
	g.work = newInFlight(c.maxConnections(), g.pace, cmp.Or(c.AnswerBytes, c.BodyBytes))
	g.health = newInFlight(maxHealthRequests, g.pace, 0) // small answers only
	g.watching = newInFlight(c.MaxWatches, g.pace, cmp.Or(c.AnswerBytes, c.BodyBytes))
	g.watches = newInFlight(maxHealthWatches, g.pace, 0)
	return g
}

// exchange is one request and its answer.
type exchange struct {
	*gate
	inFlight *inFlight
	request  *http.Request
	writer   http.ResponseWriter
	// refusal is set when the rest of the request is not read.
	refusal atomic.Pointer[refusal]
}

// limit passes requests to next within the limits of n and the budget.
func (g *gate) limit(n *inFlight, budget *budget, next func(*response, *http.Request, *body)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !n.acquire(g.contended) {
			reason := errOverloaded
			if n == g.watching {
				reason = errManyWatches
			}
			g.refuse(w, r, reason)
			return
		}
		defer n.release()
		e := &exchange{gate: g, inFlight: n, request: r, writer: w}
		control := http.NewResponseController(w)
		if r.ProtoMajor == 1 { // the previous request of the connection may have set one
			_ = control.SetWriteDeadline(time.Time{})
		}
		b := &body{ReadCloser: r.Body, exchange: e, reads: e.transfer(control.SetReadDeadline)}
		b.account.Store(budget.open(connectionOf(r.Context())))
		b.ctx, b.cancel = context.WithCancel(r.Context())
		defer b.release()
		a := &response{ResponseWriter: w, exchange: e, body: b, writes: e.transfer(control.SetWriteDeadline)}
		defer a.release()
		next(a, r.WithContext(context.WithValue(r.Context(), responseKey{}, a)), b)
	})
}

// http limits requests that are not gRPC.
func (g *gate) http(n *inFlight, budget *budget, next http.Handler) http.Handler {
	return g.limit(n, budget, func(a *response, r *http.Request, b *body) {
		r.Body = b
		next.ServeHTTP(a, r)
		if a.refusal.Load() != nil && !a.begun {
			a.WriteHeader(http.StatusOK) // the handler has written nothing: write the refusal
		}
	})
}

func (e *exchange) transfer(setDeadline func(time.Time) error) transfer {
	return transfer{pace: e.pace, inFlight: e.inFlight, setDeadline: setDeadline, credit: e.grace}
}

// lingerDeadline bounds the reads and writes of net/http after the handler returned.
func (e *exchange) lingerDeadline() time.Time { return time.Now().Add(e.grace) }

// noteRefusal keeps the first refusal among the errors, and returns err.
func (e *exchange) noteRefusal(err error) error {
	var why *refusal
	if errors.As(err, &why) {
		e.refusal.CompareAndSwap(nil, why)
	}
	return err
}

// response writes an answer at the pace of the server and within the answer budget.
type response struct {
	http.ResponseWriter
	*exchange
	body     *body // of the request
	writes   transfer
	reserved atomic.Pointer[reservation] // acquired before the handler's first Write
	begun    bool
	// replaced is true if a refusal was written instead of the handler's answer.
	replaced bool
}

// maxWrite is the number of bytes of an answer that are written under one deadline.
const maxWrite = 32 << 10

// WriteHeader writes the header of the handler's answer, or the refusal.
func (a *response) WriteHeader(status int) {
	why := a.refusal.Load()
	if status >= http.StatusBadRequest && !a.body.atEnd.Load() {
		closeUnread(a.Header(), a.request)
	}
	if a.begun || status < http.StatusOK || why == nil || isRPC(a.request) {
		a.begun = a.begun || status >= http.StatusOK
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.begun, a.replaced = true, true
	a.Header().Del("Content-Length")
	a.refuse(a.ResponseWriter, a.request, why)
}

// Write waits for the answer budget, then writes as fast as the caller reads.
func (a *response) Write(p []byte) (int, error) {
	held, err := a.acquireForWrite(len(p))
	defer held.release()
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	if a.replaced {
		return len(p), nil
	}
	done := 0
	for done < len(p) && err == nil {
		var n int
		n, err = a.send(held, p[done:min(len(p), done+maxWrite)])
		done += n
	}
	return done, err
}

func (a *response) send(held *reservation, p []byte) (int, error) {
	n, cutOff, err := a.writes.do(held, false, func() (int, error) { return a.ResponseWriter.Write(p) })
	if cutOff && err == nil {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// Flush implements http.Flusher, which grpc requires. It waits for the caller, too. Before the first message of a call, grpc
// flushes only to separate the header from the trailers; see endTrailersOnly.
func (a *response) Flush() {
	if a.replaced || !a.begun && isRPC(a.request) {
		return
	}
	a.begun = true
	_, _, _ = a.writes.do(nil, false, func() (int, error) {
		return 0, http.NewResponseController(a.ResponseWriter).Flush()
	})
}

// Unwrap is for http.ResponseController.
func (a *response) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// release returns the unused reservation and bounds the remaining writes of net/http.
func (a *response) release() {
	a.reserved.Swap(nil).release()
	_ = a.writes.setDeadline(a.lingerDeadline())
}

// connectionOf returns the connection that a request arrived on.
func connectionOf(ctx context.Context) *connection { return ctx.Value(connectionKey{}).(*connection) }
