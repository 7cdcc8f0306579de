package gateway

import (
	"context"
	"io"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// pressure bounds how many requests of one kind are in work at once, once a
// processor has refused one as busy. What is beyond is refused before it is read:
// else the reading of pictures that are then refused would take the time of those
// that are not. The bound follows what the processors take: it falls by a quarter
// when they refuse, once for all that were on their way then, and rises by one
// when as many as it allows were taken.
type pressure struct {
	mu      sync.Mutex
	inWork  float64
	limit   float64
	lowered time.Time
}

// leastInWork are always let in: the bound would not find up again from less.
const leastInWork = 4

func newPressure() *pressure { return &pressure{limit: math.Inf(1)} }

// enter lets a request in, or not.
func (p *pressure) enter() (*visit, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.inWork >= p.limit {
		return nil, false
	}
	p.inWork++
	return &visit{pressure: p, began: time.Now()}, true
}

// visit is a request in work. It belongs to one goroutine.
type visit struct {
	pressure *pressure
	began    time.Time
	refused  bool // as busy, by a processor
}

// leave ends it.
func (v *visit) leave() {
	p := v.pressure
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !v.refused:
		p.limit += 1 / p.limit
	case v.began.After(p.lowered):
		p.limit = max(0.75*min(p.limit, p.inWork), leastInWork)
		p.lowered = time.Now()
	}
	p.inWork--
}

// visitKey is the context key of a request's visit.
type visitKey struct{}

// noteRefusal notes on a request's visit that a processor was busy.
func noteRefusal(ctx context.Context, err error) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok && status.Code(err) == codes.ResourceExhausted {
		v.refused = true
	}
}

// maxSkipped is as much as is read of a body in vain, so that the connection can
// be used again.
const maxSkipped = 4 << 20

// relieve has next answer the requests at the paths under pressure that are let in.
func relieve(mux *runtime.ServeMux, next http.Handler) http.Handler {
	under := map[string]*pressure{"/v1/pipeline": newPressure()}
	for name := range Services {
		under["/v1/"+name] = newPressure()
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := under[r.URL.Path]
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		v, ok := p.enter()
		if !ok {
			_, _ = io.CopyN(io.Discard, r.Body, maxSkipped)
			_, marshaler := runtime.MarshalerForRequest(mux, r)
			answerError(r.Context(), mux, marshaler, w, r, withDetail(status.New(codes.ResourceExhausted, "the processors are busy; try again shortly"),
				&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}))
			return
		}
		defer v.leave()
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
	})
}
