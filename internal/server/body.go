package server

import (
	"context"
	"io"
	"sync/atomic"
)

// body is a request's body, which is read at the pace of its server and within its
// budget.
type body struct {
	io.ReadCloser
	*exchange
	ctx     context.Context // ends when the body is closed
	end     context.CancelFunc
	reads   transfer
	account atomic.Pointer[account]
	read    bool // to its end
	size    int  // read so far
	turn    atomic.Bool
}

// Read reads a part when there is a place for it.
func (b *body) Read(p []byte) (int, error) {
	b.endTurn()
	if err := b.await(); err != nil {
		return 0, err
	}
	n, err := b.receive(p[:min(int64(len(p)), b.account.Load().place())], false)
	b.account.Load().charge(n)
	if b.size += n; b.size > largeBody && err == nil {
		b.takeTurn()
	}
	return n, err
}

// largeBody is the size in bytes from which a body takes turns with others. From
// one Read to the next its handler decodes what it has read. Large bodies may do
// that on all cores but one, so that small requests are answered meanwhile.
const largeBody = 1 << 20

// takeTurn waits for a turn, or for the end of the body.
func (b *body) takeTurn() {
	select {
	case b.turns <- struct{}{}:
		b.turn.Store(true)
		if b.ctx.Err() != nil { // leave may not have seen it
			b.endTurn()
		}
	case <-b.ctx.Done():
	}
}

// endTurn lets the next large body have its turn.
func (b *body) endTurn() {
	if b.turn.Swap(false) {
		<-b.turns
	}
}

// await waits until the budget has a place. That time is not the sender's.
func (b *body) await() error {
	account := b.account.Load()
	if account.enter() {
		return nil
	}
	err := account.await(b.ctx, func() { b.crowd.free(b.contended, holdsBody) })
	return b.fail(err)
}

// holdsBody reports whether a transfer is of a body that holds bytes.
func holdsBody(t *transfer) bool {
	a, ok := t.holds.(*account)
	return ok && a.holds()
}

// receive reads what comes next. While the body rests, the sender need not send.
func (b *body) receive(p []byte, rests bool) (int, error) {
	n, cut, err := b.reads.await(b.account.Load(), rests, func() (int, error) { return b.ReadCloser.Read(p) })
	switch {
	case err == io.EOF:
		b.read = true
	case cut && rests:
		err = errIdle
	case cut:
		err = errSlow(b.reads.rate)
	}
	return n, b.fail(err)
}

// Close ends reads that wait, also those for the budget.
func (b *body) Close() error {
	b.end()
	b.endTurn()
	return b.ReadCloser.Close()
}

// leave gives all back. What the handler has not read, net/http reads for a while.
func (b *body) leave() {
	b.end()
	b.endTurn()
	b.account.Load().release()
	if !b.read {
		_ = b.reads.deadline(b.limit())
	}
}
