package server

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// smallAnswers is how many bytes of answers of at most a chunk are in memory at once.
const smallAnswers = 32 << 20

// answers bounds the bytes of answers that are in memory until their callers have
// read them. Small answers have places of their own, so none waits behind a large one.
type answers struct {
	small, large *places
}

func newAnswers(size int64) *answers {
	return &answers{small: newPlaces(smallAnswers), large: newPlaces(size)}
}

// places are for so many bytes of answers that are written, and for as many that
// wait to be: an answer exists before it is written, so more must not wait.
type places struct {
	size    int64
	written *semaphore.Weighted
	waiting atomic.Int64
	// wait bounds how long an answer waits; then it is refused as busy.
	wait time.Duration
	// contended is how long a caller may be silent while others wait for its place.
	contended time.Duration
}

func newPlaces(size int64) *places {
	return &places{
		size: size, written: semaphore.NewWeighted(size), wait: maxWait, contended: defaults.contended,
	}
}

// place is what an answer has taken.
type place struct {
	of *places
	n  int64
}

// giveBack gives a place back; nil is none.
func (p *place) giveBack() {
	if p != nil {
		p.of.written.Release(p.n)
	}
}

// take takes a place for an answer of n bytes; one beyond the size takes all. It
// waits in turn, and calls look from time to time. Where too many bytes wait it
// refuses the answer as busy.
func (a *answers) take(ctx context.Context, n int, look func(*places)) (*place, error) {
	all := a.large
	if n <= chunk {
		all = a.small
	}
	p := &place{of: all, n: min(int64(n), all.size)}
	if all.written.TryAcquire(p.n) {
		return p, nil
	}
	defer all.waiting.Add(-p.n)
	if all.waiting.Add(p.n) > all.size {
		return nil, errUnread
	}
	if err := p.await(ctx, look); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *place) await(ctx context.Context, look func(*places)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.of.wait, errUnread)
	defer cancel()
	taken := make(chan error, 1)
	go func() { taken <- p.of.written.Acquire(ctx, p.n) }()
	tick := time.NewTicker(max(p.of.contended/20, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case err := <-taken:
			if err != nil {
				err = context.Cause(ctx)
			}
			return err
		case <-tick.C:
			look(p.of)
		}
	}
}

// patience is how long a caller may be silent now, while others wait: the more they
// wait for, the shorter.
func (p *places) patience() time.Duration {
	if 2*p.waiting.Load() > p.size {
		return p.contended / 10
	}
	return p.contended
}

// take takes a place for n bytes of the answer. While it waits, it cuts off the
// callers that do not read theirs.
func (a *response) take(n int) (*place, error) {
	p, err := a.crowd.answers.take(a.request.Context(), n, func(all *places) {
		a.crowd.free(all.patience(), func(t *transfer) bool {
			p, ok := t.holds.(*place)
			return ok && p.of == all
		})
	})
	return p, a.fail(err)
}

// takeFor returns the place for a part of the answer: the one that was taken ahead,
// if it is as large.
func (a *response) takeFor(n int) (*place, error) {
	if ahead := a.place.Swap(nil); ahead != nil {
		if int64(n) <= ahead.n || ahead.n == ahead.of.size {
			return ahead, nil
		}
		ahead.giveBack()
	}
	return a.take(n)
}

// takeAhead takes a place for a large answer before it is encoded, which takes as
// much again.
func (a *response) takeAhead(n int) error {
	if n <= chunk {
		return nil
	}
	a.place.Swap(nil).giveBack()
	p, err := a.take(n)
	a.place.Swap(p).giveBack()
	return err
}

// responseKey is the context key of a request's *response.
type responseKey struct{}

// AwaitPlace is the interceptor that a gRPC server behind Listen has: an answer waits
// for its place before it is encoded.
func AwaitPlace(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	answer, err := handle(ctx, req)
	return answer, awaitPlace(ctx, answer, err, 1)
}

// AwaitPlaceOfJSON is the same of a client whose answers are passed on as JSON.
func AwaitPlaceOfJSON(
	ctx context.Context, method string, req, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	return awaitPlace(ctx, answer, invoke(ctx, method, req, answer, conn, opts...), 4./3) // bytes are base64
}

func awaitPlace(ctx context.Context, answer any, err error, growth float64) error {
	a, within := ctx.Value(responseKey{}).(*response)
	m, ok := answer.(proto.Message)
	if err != nil || !within || !ok {
		return err
	}
	return a.takeAhead(int(float64(proto.Size(m))*growth) + 4<<10) // all else is small
}
