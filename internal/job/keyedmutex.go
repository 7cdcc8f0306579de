package job

import (
	"context"
	"sync"
)

// jobID identifies equal jobs that write the same output.
type jobID struct {
	output location
	key    idempotencyKey
}

// keyedMutex is a mutual exclusion lock per jobID. Its zero value is ready to use.
type keyedMutex struct {
	mu     sync.Mutex
	locked map[jobID]chan struct{} // closed when unlocked
}

// lock locks an id. Waited reports whether another holder had to unlock it first.
func (m *keyedMutex) lock(ctx context.Context, id jobID) (unlock func(), waited bool, err error) {
	for {
		other, own := m.tryLock(id)
		if own != nil {
			return func() { m.unlock(id, own) }, waited, nil
		}
		waited = true
		select {
		case <-other:
		case <-ctx.Done():
			return nil, waited, ctx.Err()
		}
	}
}

// tryLock locks an id and returns the channel own, or returns the channel of the other
// holder.
func (m *keyedMutex) tryLock(id jobID) (other, own chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if other, locked := m.locked[id]; locked {
		return other, nil
	}
	if m.locked == nil {
		m.locked = map[jobID]chan struct{}{}
	}
	own = make(chan struct{})
	m.locked[id] = own
	return nil, own
}

func (m *keyedMutex) unlock(id jobID, own chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.locked, id)
	close(own)
}
