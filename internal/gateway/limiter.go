package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"imageflow.dev/internal/processors"
)

// limiter bounds the concurrent calls of one kind during overload. Otherwise it admits
// every call.
//
// Callers that wait for their answers before they call again make a queue as long as
// their number: it may be long, but it does not grow. A queue that grows fast for more
// than a second, or slowly for ten seconds, is overload. Then the limiter sheds load: it
// admits only as many concurrent calls as finish within targetLatency (Little's law). It
// evicts the newest calls above that limit, and refuses new ones before their bodies are
// read. A call that a processor refuses as busy starts shedding, too. Shedding stops
// sheddingTime after the last refusal.
type limiter struct {
	mu     sync.Mutex
	active []*ticket // the oldest first
	// arrived and done count calls until windowEnd.
	windowEnd     time.Time
	arrived, done int
	growing       int     // consecutive windows in which far more calls arrived than were done
	rate          float64 // EWMA of the calls done in a window
	slow          struct {
		windowEnd time.Time
		active    int // at the end of the last slow window
		growing   int // consecutive slow windows in which the queue grew
	}
	sheddingUntil time.Time // in the past if the limiter admits every call
}

const (
	window        = 300 * time.Millisecond
	maxGrowing    = 4 // windows
	slowWindow    = 5 * time.Second
	maxSlow       = 2 // slow windows
	targetLatency = 120 * time.Millisecond
	sheddingTime  = 5 * time.Second
	// minLimit is the smallest limit; fewer calls would not keep the processors busy.
	minLimit = 4
)

// ticket represents a call that the limiter has admitted.
type ticket struct {
	evict context.CancelCauseFunc
	busy  bool // a processor has refused the call as busy
}

// errEvicted is the answer to a call that is refused or evicted.
var errEvicted = withDetail(status.New(codes.ResourceExhausted, "more calls arrive than can be processed; try again shortly"),
	&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})

// acquire admits a call, or returns a nil ticket. The returned context ends when the call
// is evicted.
func (l *limiter) acquire(ctx context.Context, now time.Time) (context.Context, *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.nextWindow(now)
	if now.Before(l.sheddingUntil) && len(l.active) >= l.limit() {
		l.sheddingUntil = now.Add(sheddingTime)
		return ctx, nil
	}
	l.arrived++
	ctx, evict := context.WithCancelCause(ctx)
	t := &ticket{evict: evict}
	l.active = append(l.active, t)
	return context.WithValue(ctx, ticketKey{}, t), t
}

// release counts a call as done. Further calls of release have no effect.
func (l *limiter) release(t *ticket, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.active, t)
	if i < 0 {
		return
	}
	l.active = slices.Delete(l.active, i, i+1)
	l.done++
	l.nextWindow(now)
	if t.busy {
		l.shed(now)
	}
}

// nextWindow starts a new window if the current one is over.
func (l *limiter) nextWindow(now time.Time) {
	if now.Before(l.windowEnd) {
		return
	}
	if l.arrived > l.done+max(2, l.done/4) && len(l.active) > l.limit() {
		l.growing++
	} else {
		l.growing = 0
	}
	l.rate += (float64(l.done) - l.rate) / 3
	l.arrived, l.done, l.windowEnd = 0, 0, now.Add(window)
	if l.growing >= maxGrowing {
		l.shed(now)
	}
	l.nextSlowWindow(now)
}

// nextSlowWindow starts a new slow window if the current one is over.
func (l *limiter) nextSlowWindow(now time.Time) {
	s := &l.slow
	if now.Before(s.windowEnd) {
		return
	}
	if len(l.active) > s.active+s.active/8+1 && len(l.active) > l.limit() {
		s.growing++
	} else {
		s.growing = 0
	}
	s.active, s.windowEnd = len(l.active), now.Add(slowWindow)
	if s.growing >= maxSlow {
		l.shed(now)
	}
}

// shed starts or prolongs shedding. When it starts, it evicts the newest calls above the
// limit.
func (l *limiter) shed(now time.Time) {
	if !now.Before(l.sheddingUntil) {
		for _, t := range l.active[min(l.limit(), len(l.active)):] {
			t.evict(errEvicted)
		}
		l.active = l.active[:min(l.limit(), len(l.active))]
	}
	l.sheddingUntil = now.Add(sheddingTime)
}

// limit returns the maximum number of active calls during shedding.
func (l *limiter) limit() int {
	return max(minLimit, int(l.rate*float64(targetLatency)/float64(window)))
}

// ticketKey is the context key of the ticket of a call.
type ticketKey struct{}

// limitError returns the error for the caller: errEvicted if the call was evicted, else
// err. If err means that a processor is busy, it sets busy on the ticket of the call.
func limitError(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errEvicted) {
		return errEvicted
	}
	if t, ok := ctx.Value(ticketKey{}).(*ticket); ok && status.Code(err) == codes.ResourceExhausted {
		t.busy = true
	}
	return err
}

// maxSkipped is the number of bytes of a refused body that are read and dropped, so that
// the connection can be reused.
const maxSkipped = 4 << 20

// limitConcurrency passes requests to next. The path of each processor, and the path of
// the pipeline, have one limiter each.
func limitConcurrency(mux *runtime.ServeMux, next http.Handler) http.Handler {
	limited := map[string]http.Handler{"/v1/pipeline": new(limiter).wrap(mux, next)}
	for _, p := range processors.All {
		limited["/v1/"+p.Name] = new(limiter).wrap(mux, next)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h, ok := limited[r.URL.Path]; ok {
			h.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// wrap passes the calls that the limiter admits to next. A call is done when its answer
// begins.
func (l *limiter) wrap(mux *runtime.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, t := l.acquire(r.Context(), time.Now())
		if t == nil {
			_, _ = io.CopyN(io.Discard, r.Body, maxSkipped)
			answerError(ctx, mux, marshaler, w, r, errEvicted)
			return
		}
		defer t.evict(nil)
		release := func() { l.release(t, time.Now()) }
		defer release()
		next.ServeHTTP(&limitedWriter{w, release}, r.WithContext(ctx))
	})
}

// limitedWriter releases the ticket of a call when its answer begins. Otherwise callers
// that do not read their answers would keep others out.
type limitedWriter struct {
	http.ResponseWriter
	release func()
}

func (w *limitedWriter) WriteHeader(code int) {
	w.release()
	w.ResponseWriter.WriteHeader(code)
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	w.release()
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *limitedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
