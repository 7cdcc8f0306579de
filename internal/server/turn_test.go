package server

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// newBody returns a body of size bytes that have all arrived.
func newBody(t *testing.T, g *gate, size int64) *body {
	t.Helper()
	e := &exchange{gate: g, inFlight: g.work}
	b := &body{
		ReadCloser: io.NopCloser(io.LimitReader(zeros{}, size)), exchange: e,
		reads: e.transfer(func(time.Time) error { return nil }),
	}
	b.account.Store(g.budget.open(&connection{}))
	b.ctx, b.cancel = context.WithCancel(t.Context())
	return b
}

// readLarge reads b until it counts as large. done is closed when the last Read has
// returned; then the body has a turn, unless it was closed.
func readLarge(b *body) (done chan struct{}) {
	done = make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.ReadFull(b, make([]byte, largeBody+1))
	}()
	return done
}

func isDone(done chan struct{}) bool {
	synctest.Wait()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func TestLargeBodies_takeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(Config{BodyBytes: 64 << 20, pace: &defaultPace})
		g.turns = make(chan struct{}, 1)
		first, second, closed := newBody(t, g, 2*largeBody), newBody(t, g, 2*largeBody), newBody(t, g, 2*largeBody)
		if !isDone(readLarge(first)) {
			t.Fatal("the only large body waits")
		}
		secondDone, closedDone := readLarge(second), readLarge(closed)
		if isDone(secondDone) || isDone(closedDone) {
			t.Error("a large body did not wait for its turn")
		}
		if n, err := io.Copy(io.Discard, newBody(t, g, largeBody)); n != largeBody || err != nil {
			t.Errorf("a small body: %d bytes, %v", n, err)
		}
		_ = closed.Close()
		if !isDone(closedDone) || closed.hasTurn.Load() {
			t.Error("a closed body waits for a turn, or has one")
		}
		if isDone(secondDone) {
			t.Error("a closed body that had no turn released one")
		}
		_ = first.Close()
		if !isDone(secondDone) || !second.hasTurn.Load() {
			t.Error("a closed body did not release its turn")
		}
		second.release()
		if len(g.turns) != 0 {
			t.Error("an ended body did not release its turn")
		}
	})
}

func TestLargeBody_nextReadReleasesTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(Config{BodyBytes: 64 << 20, pace: &defaultPace})
		g.turns = make(chan struct{}, 1)
		first, second := newBody(t, g, largeBody+1), newBody(t, g, 2*largeBody)
		<-readLarge(first)
		secondDone := readLarge(second)
		if isDone(secondDone) {
			t.Fatal("the second body did not wait")
		}
		if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("the end of the first body: %v", err)
		}
		if !isDone(secondDone) {
			t.Error("the turn was not released by the next Read")
		}
	})
}
