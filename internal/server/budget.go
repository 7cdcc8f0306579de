package server

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// readSize is the number of bytes of a body that one read may return.
	readSize = 32 << 10
	// chunk is the number of bytes that a body receives after it has waited. Bodies
	// that hold less than a chunk do not queue behind waiting bodies.
	chunk = 256 << 10
	// smallReserve is the number of bytes that such bodies may hold beyond the
	// size of the budget.
	smallReserve = 16 << 20
)

// budget bounds the bytes of requests in memory.
//
// Bytes are charged when they have arrived, never when they are declared. A body
// waits before its next read while the budget is used up. Half-read bodies hold
// bytes and wait for more, so they could deadlock. The exempt body prevents this:
// the first body that has to wait, and after its end the oldest waiting body, reads
// on beyond the size. Only its sender, which is cut off if slow, and its handler,
// which never waits for another body, can delay it. So the exempt body ends, the
// next one follows, and every body is read in turn.
//
// Memory thus holds at most the size, the exempt body (as large as handlers let a
// body be), smallReserve, and readSize of each request.
type budget struct {
	size int64
	// maxWait bounds the total time that a body waits before it is refused as busy.
	maxWait time.Duration

	mutex   sync.Mutex
	held    int64 // by all accounts but the exempt one
	exempt  *account
	waiting []*account // the oldest first
	opened  int64      // number of accounts so far
}

// account counts the bytes that one body or message holds. The mutex of the budget
// guards all fields but waited.
type account struct {
	budget *budget
	conn   *connection
	number int64 // in the order of opening
	held   int64
	used   int64 // the part of held that has arrived; the rest belongs to a chunk
	waited time.Duration
	ready  chan struct{} // closed when the account need not wait any longer
}

// open returns an account that holds nothing.
func (b *budget) open(conn *connection) *account {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.opened++
	return &account{budget: b, conn: conn, number: b.opened}
}

// fits reports whether an account may take more bytes. The exempt account may, and
// small ones within the reserve. Any other may if the budget has bytes left, no
// older account waits for them, and the connection holds less than its share.
func (b *budget) fits(a *account) bool {
	switch {
	case a == b.exempt:
		return true
	case a.held < chunk:
		return b.held < b.size+smallReserve
	case len(b.waiting) > 0 && b.waiting[0].number < a.number && b.waiting[0].conn.held.Load() < b.share():
		return false
	}
	return b.held < b.size && a.conn.held.Load() < b.share()
}

// share is the number of bytes that one connection may hold: half of all.
func (b *budget) share() int64 { return (b.size + 1) / 2 }

// setExempt makes an account the exempt one, whose bytes are not counted.
func (b *budget) setExempt(a *account) {
	b.exempt = a
	b.held -= a.held
	a.conn.held.Add(-a.held)
}

// tryAcquire reports whether the account may take more bytes now. If not, it is
// queued, and the caller must call wait.
func (a *account) tryAcquire() bool {
	b := a.budget
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if a.used < a.held || b.fits(a) {
		return true
	}
	if b.exempt == nil {
		b.setExempt(a)
		return true
	}
	a.ready = make(chan struct{})
	at, _ := slices.BinarySearchFunc(b.waiting, a, func(x, y *account) int { return cmp.Compare(x.number, y.number) })
	b.waiting = slices.Insert(b.waiting, at, a)
	return false
}

// wait waits until a queued account may take more bytes. It calls poll regularly.
func (a *account) wait(ctx context.Context, poll func()) error {
	start := time.Now()
	tick := time.NewTicker(a.budget.maxWait / 60)
	defer tick.Stop()
	for {
		select {
		case <-a.ready:
			a.waited += time.Since(start)
			return nil
		case <-ctx.Done():
			a.budget.dequeue(a)
			return ctx.Err()
		case <-tick.C:
			if a.waited+time.Since(start) > a.budget.maxWait {
				a.budget.dequeue(a)
				return errBusy
			}
			poll()
		}
	}
}

func (b *budget) dequeue(a *account) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.waiting = slices.DeleteFunc(b.waiting, func(w *account) bool { return w == a })
}

// nextRead returns how many bytes the next read may return.
func (a *account) nextRead() int64 {
	a.budget.mutex.Lock()
	defer a.budget.mutex.Unlock()
	if a.used < a.held {
		return a.held - a.used
	}
	return readSize
}

// charge counts n bytes that have arrived, even if they exceed the budget.
func (a *account) charge(n int) {
	a.budget.mutex.Lock()
	defer a.budget.mutex.Unlock()
	a.used += int64(n)
	a.add(max(a.used-a.held, 0))
}

func (a *account) add(n int64) {
	a.held += n
	if a != a.budget.exempt {
		a.budget.held += n
		a.conn.held.Add(n)
	}
}

// release returns all bytes of the account and wakes the accounts that fit now.
func (a *account) release() {
	b := a.budget
	b.mutex.Lock()
	defer b.mutex.Unlock()
	a.add(-a.held)
	a.used = 0
	if b.exempt == a {
		b.exempt = nil
	}
	b.waiting = slices.DeleteFunc(b.waiting, b.wake)
	if b.exempt == nil && len(b.waiting) > 0 {
		b.setExempt(b.waiting[0])
		b.waiting = slices.DeleteFunc(b.waiting, b.wake)
	}
}

// wake gives an account a chunk if it fits. A whole chunk lets the oldest accounts
// finish, instead of all advancing slowly.
func (b *budget) wake(a *account) bool {
	if !b.fits(a) {
		return false
	}
	a.add(chunk)
	close(a.ready)
	return true
}

// isHolding reports whether the account holds any bytes.
func (a *account) isHolding() bool {
	a.budget.mutex.Lock()
	defer a.budget.mutex.Unlock()
	return a.held > 0
}
