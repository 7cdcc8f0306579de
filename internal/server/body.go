package server

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync/atomic"
)

// body reads the body of a request at the pace of the server and within the budget.
type body struct {
	io.ReadCloser
	*exchange
	ctx     context.Context // ends when the body is closed
	cancel  context.CancelFunc
	reads   transfer
	account atomic.Pointer[account]
	atEnd   atomic.Bool
	size    int         // bytes read so far
	hasTurn atomic.Bool // see largeBody
}

// Read waits for the budget, then reads.
func (b *body) Read(p []byte) (int, error) {
	b.releaseTurn()
	if err := b.acquire(); err != nil {
		return 0, err
	}
	n, err := b.receive(p[:min(int64(len(p)), b.account.Load().nextRead())], false)
	b.account.Load().charge(n)
	if b.size += n; b.size > largeBody && err == nil {
		runtime.Gosched() // otherwise, others wait for a time slice of 10 ms at each step of theirs
		b.acquireTurn()
	}
	return n, err
}

// largeBody is the size in bytes from which bodies take turns. Between two Reads
// the handler decodes what it has read. Large bodies may do that on all cores but
// one, so that small requests are answered meanwhile.
const largeBody = 1 << 20

// acquireTurn waits for a turn, or for the end of the body.
func (b *body) acquireTurn() {
	select {
	case b.turns <- struct{}{}:
		b.hasTurn.Store(true)
		if b.ctx.Err() != nil { // a concurrent Close may have come before Store
			b.releaseTurn()
		}
	case <-b.ctx.Done():
	}
}

// releaseTurn lets another large body have its turn.
func (b *body) releaseTurn() {
	if b.hasTurn.Swap(false) {
		<-b.turns
	}
}

// acquire waits for the budget. This time does not count against the sender.
func (b *body) acquire() error {
	account := b.account.Load()
	if account.tryAcquire() {
		return nil
	}
	err := account.wait(b.ctx, func() { b.inFlight.cutOffSilent(b.contended, isBodyWithBytes) })
	return b.noteRefusal(err)
}

// isBodyWithBytes reports whether a transfer reads a body that holds bytes.
func isBodyWithBytes(t *transfer) bool {
	a, ok := t.holds.(*account)
	return ok && a.isHolding()
}

// receive reads the next bytes. While the body is at rest, the sender may be silent.
func (b *body) receive(p []byte, atRest bool) (int, error) {
	n, cutOff, err := b.reads.do(b.account.Load(), atRest, func() (int, error) { return b.ReadCloser.Read(p) })
	switch {
	case errors.Is(err, io.EOF):
		b.atEnd.Store(true)
	case cutOff && atRest:
		err = errIdle
	case cutOff:
		err = errSlow(b.reads.rate)
	}
	return n, b.noteRefusal(err)
}

// Close ends Reads in progress, also those that wait for the budget.
func (b *body) Close() error {
	b.cancel()
	b.releaseTurn()
	return b.ReadCloser.Close()
}

// release returns everything that the body holds. For a while, net/http reads the
// bytes that the handler has not read.
func (b *body) release() {
	b.cancel()
	b.releaseTurn()
	b.account.Load().release()
	if !b.atEnd.Load() {
		_ = b.reads.setDeadline(b.lingerDeadline())
	}
}
