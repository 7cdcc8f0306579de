package bridge

import (
	"context"
	"time"
)

// Sweeper is a sweeper with a clock that is Ahead of the system's.
type Sweeper struct {
	*sweeper
	Ahead time.Duration
}

// NewSweeper returns a sweeper without entries.
func (b *Bridge) NewSweeper() *Sweeper {
	s := &Sweeper{sweeper: newSweeper(b)}
	s.now = func() time.Time { return time.Now().Add(s.Ahead) }
	return s
}

// Sweep runs one sweep.
func (s *Sweeper) Sweep(ctx context.Context) error { return s.sweep(ctx) }
