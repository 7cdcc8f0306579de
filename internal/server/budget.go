package server

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// part is how much of a body is read at once.
	part = 32 << 10
	// chunk is what a body gets at once when it has waited. Bodies that hold less
	// than a chunk pass by those that wait.
	chunk = 256 << 10
	// smallReserve is what such bodies may hold beyond the size of the budget.
	smallReserve = 16 << 20
)

// budget bounds the bytes of requests that are in memory at once.
//
// Bytes are charged when they have come, never because they are declared. Where
// the budget has no place for more, a body waits before its next read. Bodies that
// are half read hold bytes and wait for more, so they could block each other for
// ever. They do not because of the elder: the body that has to wait
// first, and when it is answered the oldest of those that wait, reads on beyond
// the size. Nothing holds the elder up but its own sender, whom the pace cuts off
// if slow, and its handler, which never waits for another body. So the elder ends,
// another one follows, and every body has its turn.
//
// In memory are then at most the size, the elder (which is as large as handlers
// let a body be), smallReserve, and a part of each request.
type budget struct {
	size int64
	// wait bounds how long a body waits in all; then it is refused as busy.
	wait time.Duration

	mutex   sync.Mutex
	held    int64 // by all accounts but the elder
	elder   *account
	waiting []*account // the oldest first
	opened  int64      // how many accounts
}

// account is what one body or message holds. All but waited is
// under the budget's mutex.
type account struct {
	budget *budget
	conn   *connection
	age    int64 // its number
	held   int64
	used   int64 // of what it holds; the rest is of a chunk
	waited time.Duration
	ready  chan struct{} // closed when it may go on; of one that waits
}

// open returns an account that holds nothing.
func (b *budget) open(conn *connection) *account {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.opened++
	return &account{budget: b, conn: conn, age: b.opened}
}

// fits reports whether an account may take more: as the elder, as a small body, or
// when the budget has a place, no older body waits for it, and the connection has
// less than half of all.
func (b *budget) fits(a *account) bool {
	switch {
	case a == b.elder:
		return true
	case a.held < chunk:
		return b.held < b.size+smallReserve
	case len(b.waiting) > 0 && b.waiting[0].age < a.age && b.waiting[0].conn.held < b.share():
		return false
	}
	return b.held < b.size && a.conn.held < b.share()
}

// share is what one connection may take.
func (b *budget) share() int64 { return (b.size + 1) / 2 }

// promote makes an account the elder, whose bytes do not count.
func (b *budget) promote(a *account) {
	b.elder = a
	b.held -= a.held
	a.conn.held -= a.held
}

// enter reports whether the account may take more now. Else it waits from now on.
func (a *account) enter() bool {
	b := a.budget
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if a.used < a.held || b.fits(a) {
		return true
	}
	if b.elder == nil {
		b.promote(a)
		return true
	}
	a.ready = make(chan struct{})
	at, _ := slices.BinarySearchFunc(b.waiting, a, func(x, y *account) int { return cmp.Compare(x.age, y.age) })
	b.waiting = slices.Insert(b.waiting, at, a)
	return false
}

// await waits until an account that did not enter has a place. It calls look from
// time to time.
func (a *account) await(ctx context.Context, look func()) error {
	start := time.Now()
	tick := time.NewTicker(a.budget.wait / 60)
	defer tick.Stop()
	for {
		select {
		case <-a.ready:
			a.waited += time.Since(start)
			return nil
		case <-ctx.Done():
			a.budget.forget(a)
			return ctx.Err()
		case <-tick.C:
			if a.waited+time.Since(start) > a.budget.wait {
				a.budget.forget(a)
				return errBusy
			}
			look()
		}
	}
}

func (b *budget) forget(a *account) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.waiting = slices.DeleteFunc(b.waiting, func(w *account) bool { return w == a })
}

// place is how many bytes the next read may bring.
func (a *account) place() int64 {
	a.budget.mutex.Lock()
	defer a.budget.mutex.Unlock()
	if a.used < a.held {
		return a.held - a.used
	}
	return part
}

// charge notes that n more bytes are in memory, also where there is no place.
func (a *account) charge(n int) {
	a.budget.mutex.Lock()
	defer a.budget.mutex.Unlock()
	a.used += int64(n)
	a.add(max(a.used-a.held, 0))
}

func (a *account) add(n int64) {
	a.held += n
	if a != a.budget.elder {
		a.budget.held += n
		a.conn.held += n
	}
}

// release gives back all that the account holds, and wakes those that fit now.
func (a *account) release() {
	b := a.budget
	b.mutex.Lock()
	defer b.mutex.Unlock()
	a.add(-a.held)
	a.used = 0
	if b.elder == a {
		b.elder = nil
	}
	b.waiting = slices.DeleteFunc(b.waiting, b.wake)
	if b.elder == nil && len(b.waiting) > 0 {
		b.promote(b.waiting[0])
		b.waiting = slices.DeleteFunc(b.waiting, b.wake)
	}
}

// wake gives an account a chunk if it fits. So the oldest go on, and not all a little.
func (b *budget) wake(a *account) bool {
	if !b.fits(a) {
		return false
	}
	a.add(chunk)
	close(a.ready)
	return true
}

// holds reports whether the account holds anything.
func (a *account) holds() bool {
	a.budget.mutex.Lock()
	defer a.budget.mutex.Unlock()
	return a.held > 0
}
