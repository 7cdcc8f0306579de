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

// gate is what all requests of a server share.
type gate struct {
	pace
	budget *budget
	// work are the requests but those for health, which have places of their own;
	// so do the calls that watch health, which do not end by themselves.
	work, health, watches crowd
	turns                 chan struct{} // of large bodies
}

const (
	healthPlaces = 64
	watchPlaces  = 32
	// healthBody bounds a request for health.
	healthBody = 4 << 10
)

func newGate(c Config) *gate {
	g := &gate{pace: defaults, budget: &budget{size: c.BodyBytes, wait: maxWait},
		turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1))}
	if c.MinBodyRate > 0 {
		g.rate = c.MinBodyRate
	}
	g.work.max, g.health.max, g.watches.max = c.maxConnections(), healthPlaces, watchPlaces
	g.work.answers = newAnswers(cmp.Or(c.AnswerBytes, c.BodyBytes))
	g.health.answers, g.watches.answers = newAnswers(0), newAnswers(0) // theirs are small
	return g
}

// exchange is one request and its answer.
type exchange struct {
	*gate
	crowd   *crowd
	request *http.Request
	writer  http.ResponseWriter
	// refusal is why the request is not read to its end.
	refusal atomic.Pointer[refusal]
}

// guard passes requests to next within the bounds of a crowd and a budget.
func (g *gate) guard(c *crowd, budget *budget, next func(*response, *http.Request, *body)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !c.enter(g.contended) {
			refuse(w, r, errCrowded)
			return
		}
		defer c.leave()
		e := &exchange{gate: g, crowd: c, request: r, writer: w}
		control := http.NewResponseController(w)
		if r.ProtoMajor == 1 { // there the request before may have left one
			_ = control.SetWriteDeadline(time.Time{})
		}
		b := &body{ReadCloser: r.Body, exchange: e, reads: e.transfer(control.SetReadDeadline)}
		b.account.Store(budget.open(connectionOf(r.Context())))
		b.ctx, b.end = context.WithCancel(r.Context())
		defer b.leave()
		a := &response{ResponseWriter: w, exchange: e, writes: e.transfer(control.SetWriteDeadline)}
		defer a.leave()
		next(a, r.WithContext(context.WithValue(r.Context(), responseKey{}, a)), b)
	})
}

// plain is a guard of requests that are not gRPC.
func (g *gate) plain(c *crowd, budget *budget, next http.Handler) http.Handler {
	return g.guard(c, budget, func(a *response, r *http.Request, b *body) {
		r.Body = b
		next.ServeHTTP(a, r)
		if a.refusal.Load() != nil && !a.begun {
			a.WriteHeader(http.StatusOK) // a handler that has written nothing
		}
	})
}

func (e *exchange) transfer(deadline func(time.Time) error) transfer {
	return transfer{pace: e.pace, crowd: e.crowd, deadline: deadline, credit: e.grace}
}

// limit is until when net/http may read or write for a request that has been handled.
func (e *exchange) limit() time.Time { return time.Now().Add(e.grace) }

// fail keeps the refusal that an error is, or stands for.
func (e *exchange) fail(err error) error {
	var why *refusal
	if errors.As(err, &why) {
		e.refusal.CompareAndSwap(nil, why)
	}
	return err
}

// response is the answer, which is written at the pace of its server, in the places
// that are for answers.
type response struct {
	http.ResponseWriter
	*exchange
	writes transfer
	place  atomic.Pointer[place] // taken ahead of the handler's answer
	begun  bool
	// replaced says that the refusal has been written in the handler's place.
	replaced bool
}

// piece is how much of an answer is written under one deadline.
const piece = 32 << 10

// WriteHeader writes the head of the handler's answer, or the refusal.
func (a *response) WriteHeader(status int) {
	why := a.refusal.Load()
	if a.begun || status < http.StatusOK || why == nil || isRPC(a.request) {
		a.begun = a.begun || status >= http.StatusOK
		a.ResponseWriter.WriteHeader(status)
		return
	}
	a.begun, a.replaced = true, true
	a.Header().Del("Content-Length")
	refuse(a.ResponseWriter, a.request, why)
}

// Write writes as the caller reads, once there is a place.
func (a *response) Write(p []byte) (int, error) {
	taken, err := a.takeFor(len(p))
	defer taken.giveBack()
	if !a.begun {
		a.WriteHeader(http.StatusOK)
	}
	if a.replaced {
		return len(p), nil
	}
	done := 0
	for done < len(p) && err == nil {
		var n int
		n, err = a.send(taken, p[done:min(len(p), done+piece)])
		done += n
	}
	return done, err
}

func (a *response) send(from *place, p []byte) (int, error) {
	n, cut, err := a.writes.await(from, false, func() (int, error) { return a.ResponseWriter.Write(p) })
	if cut && err == nil {
		err = os.ErrDeadlineExceeded
	}
	return n, err
}

// Flush is what grpc asks of a ResponseWriter. It too waits for the caller.
func (a *response) Flush() {
	if a.replaced {
		return
	}
	a.begun = true
	_, _, _ = a.writes.await(nil, false, func() (int, error) {
		return 0, http.NewResponseController(a.ResponseWriter).Flush()
	})
}

// Unwrap is for http.ResponseController.
func (a *response) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// leave bounds what net/http still writes.
func (a *response) leave() {
	a.place.Swap(nil).giveBack()
	_ = a.writes.deadline(a.limit())
}

// connectionOf returns the connection that a request came by.
func connectionOf(ctx context.Context) *connection { return ctx.Value(connectionKey{}).(*connection) }
