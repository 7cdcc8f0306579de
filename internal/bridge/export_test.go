package bridge

import (
	"context"
	"errors"
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

// SweepIndex runs the part of a sweep that reads the index and lists no bucket.
func (s *Sweeper) SweepIndex(ctx context.Context) error {
	return errors.Join(s.readIndex(ctx), s.checkWork(ctx))
}

// Page sets the number of objects that a sweep lists at least.
func (s *Sweeper) Page(n int) { s.walk.page = n }

// Limit sets the number of uploads that the sweeper remembers.
func (s *Sweeper) Limit(n int) { s.maxWork = n }

// Known returns the number of uploads that the sweeper remembers.
func (s *Sweeper) Known() int { return len(s.work) }
