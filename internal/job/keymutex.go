package job

import (
	"context"
	"fmt"
	"sync"
)

// turns lets one job at a time do what others would do alike.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed when it is free again
}

// take waits until nobody else has the key. Waited reports whether somebody had.
func (t *turns) take(ctx context.Context, key string) (release func(), waited bool, err error) {
	for {
		other, mine := t.try(key)
		if mine != nil {
			return func() { t.release(key, mine) }, waited, nil
		}
		waited = true
		select {
		case <-other:
		case <-ctx.Done():
			return nil, waited, ctx.Err()
		}
	}
}

// try takes the key where it is free: then it returns a channel of its own, else
// that of whoever has it.
func (t *turns) try(key string) (other, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other, taken := t.taken[key]; taken {
		return other, nil
	}
	if t.taken == nil {
		t.taken = map[string]chan struct{}{}
	}
	mine = make(chan struct{})
	t.taken[key] = mine
	return nil, mine
}

func (t *turns) release(key string, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.taken, key)
	close(mine)
}

// turn waits until no equal job is at work, also where their requests name no
// version. After that its output may be there.
func (t *task) turn(ctx context.Context) (release func(), waited bool, err error) {
	if t.output.key == "" {
		return func() {}, false, nil
	}
	defer t.watch.Stage("queue")()
	return t.turns.take(ctx, fmt.Sprint(t.output, t.marks))
}
