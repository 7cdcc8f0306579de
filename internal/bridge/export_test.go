package bridge

import (
	"context"
	"testing"
	"time"
)

// LimitBackground bounds what may wait in the background, for one test.
func LimitBackground(t *testing.T, n int64) {
	before := maxBackground
	maxBackground = n
	t.Cleanup(func() { maxBackground = before })
}

// Sweeper sweeps when asked to, by a clock that is ahead.
type Sweeper struct {
	*sweeper
	Ahead time.Duration
}

// NewSweeper returns a sweeper that remembers nothing yet.
func (b *Bridge) NewSweeper() *Sweeper {
	s := &Sweeper{sweeper: newSweeper(b)}
	s.now = func() time.Time { return time.Now().Add(s.Ahead) }
	return s
}

// Sweep sweeps once.
func (s *Sweeper) Sweep(ctx context.Context) error { return s.sweep(ctx) }
