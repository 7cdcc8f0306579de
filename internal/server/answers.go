package server

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// smallAnswers is the budget in bytes of answers of at most one chunk.
const smallAnswers = 32 << 20

// answerBudgets bound the bytes of answers in memory until their callers have read
// them. Small answers have a budget of their own, so they never wait behind large ones.
type answerBudgets struct {
	small, large *answerBudget
}

func newAnswerBudgets(size int64, p pace) *answerBudgets {
	return &answerBudgets{small: newAnswerBudget(smallAnswers, p), large: newAnswerBudget(size, p)}
}

// answerBudget bounds the bytes of answers that are being written, and of those that
// wait to be written: an answer exists before it is written, so waiting is bounded, too.
type answerBudget struct {
	pace
	size    int64
	written *semaphore.Weighted
	waiting atomic.Int64
}

func newAnswerBudget(size int64, p pace) *answerBudget {
	return &answerBudget{pace: p, size: size, written: semaphore.NewWeighted(size)}
}

// reservation is a part of an answer budget.
type reservation struct {
	budget *answerBudget
	n      int64
}

// release returns the reservation; nil is allowed.
func (p *reservation) release() {
	if p != nil {
		p.budget.written.Release(p.n)
	}
}

// acquire reserves n bytes; an answer larger than the budget reserves all of it. It
// waits in order of arrival and calls poll regularly. If too many bytes wait, or it
// waits too long, it fails as busy.
func (b *answerBudgets) acquire(ctx context.Context, n int, poll func(*answerBudget)) (*reservation, error) {
	budget := b.large
	if n <= chunk {
		budget = b.small
	}
	p := &reservation{budget: budget, n: min(int64(n), budget.size)}
	if budget.written.TryAcquire(p.n) {
		return p, nil
	}
	defer budget.waiting.Add(-p.n)
	if budget.waiting.Add(p.n) > budget.size {
		return nil, errUnread
	}
	if err := p.wait(ctx, poll); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *reservation) wait(ctx context.Context, poll func(*answerBudget)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.budget.maxWait, errUnread)
	defer cancel()
	acquired := make(chan error, 1)
	go func() { acquired <- p.budget.written.Acquire(ctx, p.n) }()
	tick := time.NewTicker(max(p.budget.contended/20, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case err := <-acquired:
			if err != nil {
				err = context.Cause(ctx)
			}
			return err
		case <-tick.C:
			poll(p.budget)
		}
	}
}

// maxSilence returns how long a caller may be silent while others wait. It is
// shorter when more than half of the allowed bytes wait.
func (b *answerBudget) maxSilence() time.Duration {
	if 2*b.waiting.Load() > b.size {
		return b.contended / 10
	}
	return b.contended
}

// acquire reserves n bytes for the answer. While it waits, it cuts off the callers
// that do not read their answers.
func (a *response) acquire(n int) (*reservation, error) {
	p, err := a.inFlight.answers.acquire(a.request.Context(), n, func(budget *answerBudget) {
		a.inFlight.cutOffSilent(budget.maxSilence(), func(t *transfer) bool {
			p, ok := t.holds.(*reservation)
			return ok && p != nil && p.budget == budget
		})
	})
	return p, a.noteRefusal(err)
}

// acquireForWrite returns a reservation for n bytes: the one made by reserve, if it
// is large enough, or a new one.
func (a *response) acquireForWrite(n int) (*reservation, error) {
	if p := a.reserved.Swap(nil); p != nil {
		if int64(n) <= p.n || p.n == p.budget.size {
			return p, nil
		}
		p.release()
	}
	return a.acquire(n)
}

// reserve acquires the budget of a large answer before it is encoded, because the
// encoded answer takes as much memory again.
func (a *response) reserve(n int) error {
	if n <= chunk {
		return nil
	}
	a.reserved.Swap(nil).release()
	p, err := a.acquire(n)
	a.reserved.Swap(p).release()
	return err
}

// responseKey is the context key of the *response of a request.
type responseKey struct{}

// reserveAnswer is an interceptor: an answer waits for the budget before it is encoded.
func reserveAnswer(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	answer, err := handle(ctx, req)
	if err == nil {
		err = reserveMessage(ctx, answer, 1)
	}
	return answer, err
}

// ReserveJSON is an interceptor for clients whose answers are passed on as JSON. An
// answer waits for the answer budget of the Server before it is encoded.
func ReserveJSON(
	ctx context.Context, method string, req, answer any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if err := invoke(ctx, method, req, answer, conn, opts...); err != nil {
		return err
	}
	return reserveMessage(ctx, answer, 4./3) // bytes are sent as base64
}

// reserveMessage reserves the size of a message times growth. It does nothing outside
// the requests of a Server.
func reserveMessage(ctx context.Context, answer any, growth float64) error {
	a, ok := ctx.Value(responseKey{}).(*response)
	m, isMessage := answer.(proto.Message)
	if !ok || !isMessage {
		return nil
	}
	return a.reserve(int(float64(proto.Size(m))*growth) + 4<<10) // 4 KiB for everything but bytes
}
