package gateway

import (
	"context"
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

// limiter bounds how many calls of one kind are in work while they come faster
// than they are done.
//
// A queue of callers who wait for their answers is as long as there are callers:
// it may be long, but it does not grow, and nobody is refused. A queue that
// grows for more than a second has no such bound. Then only as many calls are in
// work as are done within target (Little's law); the newest beyond that and new
// ones are refused at once, before their bodies are read. A processor that
// refuses a call as busy has the same effect. It ends when nothing was refused
// for calm.
type limiter struct {
	mu    sync.Mutex
	calls []*ticket // in work, the oldest first
	// windowEnd ends the window in which came calls came and done were done.
	windowEnd  time.Time
	came, done int
	growing    int     // windows in a row in which many more came than were done
	rate       float64 // EWMA of the calls done in a window
	shedding   time.Time
}

const (
	window     = 300 * time.Millisecond
	maxGrowing = 4
	target     = 200 * time.Millisecond
	calm       = 5 * time.Second
	// minInWork are always let in: fewer would not keep the processors busy.
	minInWork = 4
)

// ticket is a call in work.
type ticket struct {
	evict context.CancelCauseFunc
	busy  bool // a processor has refused the call
}

// errEvicted ends a call whose turn would come too late.
var errEvicted = withDetail(status.New(codes.ResourceExhausted, "more calls come than are done; try again shortly"),
	&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})

// enter lets a call in, or returns nil. The context ends when the call is evicted.
func (l *limiter) enter(ctx context.Context, now time.Time) (context.Context, *ticket) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.roll(now)
	if now.Before(l.shedding) && len(l.calls) >= l.limit() {
		l.shedding = now.Add(calm)
		return ctx, nil
	}
	l.came++
	ctx, evict := context.WithCancelCause(ctx)
	t := &ticket{evict: evict}
	l.calls = append(l.calls, t)
	return context.WithValue(ctx, ticketKey{}, t), t
}

// leave counts a call as done. Only the first time matters.
func (l *limiter) leave(t *ticket, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.calls, t)
	if i < 0 {
		return
	}
	l.calls = slices.Delete(l.calls, i, i+1)
	l.done++
	l.roll(now)
	if t.busy {
		l.shed(now)
	}
}

// roll ends the window when it is over.
func (l *limiter) roll(now time.Time) {
	if now.Before(l.windowEnd) {
		return
	}
	if l.came > l.done+max(2, l.done/4) && len(l.calls) > l.limit() {
		l.growing++
	} else {
		l.growing = 0
	}
	l.rate += (float64(l.done) - l.rate) / 3
	l.came, l.done, l.windowEnd = 0, 0, now.Add(window)
	if l.growing >= maxGrowing {
		l.shed(now)
	}
}

// shed begins or goes on to refuse calls, and evicts the newest in work beyond
// the limit.
func (l *limiter) shed(now time.Time) {
	if !now.Before(l.shedding) {
		for _, t := range l.calls[min(l.limit(), len(l.calls)):] {
			t.evict(errEvicted)
		}
		l.calls = l.calls[:min(l.limit(), len(l.calls))]
	}
	l.shedding = now.Add(calm)
}

// limit is how many calls are in work at most while calls are shed.
func (l *limiter) limit() int {
	return max(minInWork, int(l.rate*float64(target)/float64(window)))
}

// ticketKey is the context key of a call's ticket.
type ticketKey struct{}

// noteRefusal notes on a call's ticket that a processor was busy, and returns
// what the caller is told: of a call that was evicted, only that.
func noteRefusal(ctx context.Context, err error) error {
	if context.Cause(ctx) == errEvicted {
		return errEvicted
	}
	if t, ok := ctx.Value(ticketKey{}).(*ticket); ok && status.Code(err) == codes.ResourceExhausted {
		t.busy = true
	}
	return err
}

// maxSkipped is as much as is read of a body in vain, so that the connection can
// be used again.
const maxSkipped = 4 << 20

// limitConcurrency passes requests on to next. It refuses some of those at the
// paths of the processors while they come faster than they are done.
func limitConcurrency(mux *runtime.ServeMux, next http.Handler) http.Handler {
	limiters := map[string]*limiter{"/v1/pipeline": {}}
	for _, p := range processors.All {
		limiters["/v1/"+p.Name] = &limiter{}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l, ok := limiters[r.URL.Path]
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		ctx, t := l.enter(r.Context(), time.Now())
		if t == nil {
			_, _ = io.CopyN(io.Discard, r.Body, maxSkipped)
			_, marshaler := runtime.MarshalerForRequest(mux, r)
			answerError(ctx, mux, marshaler, w, r, errEvicted)
			return
		}
		defer t.evict(nil)
		leave := func() { l.leave(t, time.Now()) }
		defer leave()
		next.ServeHTTP(&limitedWriter{w, leave}, r.WithContext(ctx))
	})
}

// limitedWriter ends a call in work when its answer begins: a caller that does not
// read its answer keeps nobody else out.
type limitedWriter struct {
	http.ResponseWriter
	begin func()
}

func (w *limitedWriter) WriteHeader(status int) {
	w.begin()
	w.ResponseWriter.WriteHeader(status)
}

func (w *limitedWriter) Write(p []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *limitedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
