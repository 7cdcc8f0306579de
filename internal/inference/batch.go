package inference

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// batcher runs inputs of one item together where they meet. One that comes while
// nothing runs is run at once. One that meets a run waits for others: until there
// are enough, the run is over or the time is up.
type batcher struct {
	run  func(context.Context, Tensor, func([]Tensor) error) error
	most int
	wait time.Duration
	// off is set when the model has turned out to be no good for it.
	off atomic.Bool

	mutex   sync.Mutex
	running int
	waiting []*item
	// timer is that of those that wait, the batches-th batch.
	timer   *time.Timer
	batches int

	inputs sync.Pool // of *[]float32
}

// item is one input on its way.
type item struct {
	ctx   context.Context
	input Tensor
	// turn gives the item's part of the outputs, on which its caller then closes
	// done, or tells it to run the input by itself.
	turn chan turn
	done chan struct{}
	// left is closed by a caller that waits no longer, copied when the input is
	// not read any more.
	left, copied chan struct{}
}

type turn struct {
	outputs []Tensor
	alone   bool
}

var errNoBatch = errors.New("the model does not give an output for each input of a batch")

// batch returns how many inputs the model takes at once, of so many.
func (i Info) batch(most int) int {
	if i.MaxBatch > 0 {
		most = min(most, i.MaxBatch)
	}
	for _, shape := range append([][]int64{i.Input}, i.Outputs...) {
		if len(shape) == 0 || shape[0] >= 0 {
			return 1
		}
	}
	return most
}

// infer runs an input of one item, alone or with others.
func (b *batcher) infer(ctx context.Context, input Tensor, use func([]Tensor) error) error {
	if b.off.Load() {
		return b.run(ctx, input, use)
	}
	it := &item{
		ctx: ctx, input: input, turn: make(chan turn), done: make(chan struct{}), left: make(chan struct{}), copied: make(chan struct{}),
	}
	if b.enter(it) {
		return b.alone(ctx, input, use)
	}
	select {
	case t := <-it.turn:
		if t.alone {
			return b.alone(ctx, input, use)
		}
		defer close(it.done)
		return use(t.outputs)
	case <-ctx.Done():
		b.leave(it)
		return ctx.Err()
	}
}

// enter lets an item run by itself, or has it wait.
func (b *batcher) enter(it *item) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.running == 0 && len(b.waiting) == 0 {
		b.running++
		return true
	}
	b.waiting = append(b.waiting, it)
	switch {
	case len(b.waiting) == b.most:
		b.start()
	case len(b.waiting) == 1:
		batch := b.batches
		b.timer = time.AfterFunc(b.wait, func() {
			b.mutex.Lock()
			defer b.mutex.Unlock()
			if b.batches == batch {
				b.start()
			}
		})
	}
	return false
}

// leave takes an item out, whose input is not read when it returns.
func (b *batcher) leave(it *item) {
	b.mutex.Lock()
	i := slices.Index(b.waiting, it)
	if i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
	if len(b.waiting) == 0 && b.timer != nil {
		b.timer.Stop()
	}
	b.mutex.Unlock()
	if i < 0 {
		close(it.left)
		<-it.copied
	}
}

// start runs those that wait; the mutex is held.
func (b *batcher) start() {
	if len(b.waiting) == 0 {
		return
	}
	b.timer.Stop()
	b.batches++
	b.running++
	go b.together(b.waiting)
	b.waiting = nil
}

// end counts a run out, and starts those that have waited for it.
func (b *batcher) end() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.running--; b.running == 0 {
		b.start()
	}
}

// alone runs an input that has been counted in.
func (b *batcher) alone(ctx context.Context, input Tensor, use func([]Tensor) error) error {
	defer b.end()
	return b.run(ctx, input, use)
}

// together runs items that have been counted in as one. Where that fails, they
// run one by one, so that each has an answer of its own.
func (b *batcher) together(items []*item) {
	if len(items) > 1 {
		err := b.runAll(items)
		if err == nil {
			b.end()
			return
		}
		if !errors.Is(err, context.Canceled) && !errors.Is(err, ErrChanged) {
			b.off.Store(true)
			slog.WarnContext(items[0].ctx, "a model does not run in batches; its inputs are run one by one", "error", err)
		}
	}
	b.mutex.Lock()
	b.running += len(items) - 1
	b.mutex.Unlock()
	for _, it := range items {
		if len(items) == 1 {
			close(it.copied)
		}
		select {
		case it.turn <- turn{alone: true}:
		case <-it.left:
			b.end()
		}
	}
}

// runAll runs items as one batch, until all have left, and hands the outputs out.
func (b *batcher) runAll(items []*item) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(items[0].ctx))
	defer cancel()
	var left atomic.Int64
	for _, it := range items {
		stop := context.AfterFunc(it.ctx, func() {
			if left.Add(1) == int64(len(items)) {
				cancel()
			}
		})
		defer stop()
	}
	buffer := borrow[float32](&b.inputs)
	defer b.inputs.Put(buffer)
	*buffer = (*buffer)[:0]
	for _, it := range items {
		*buffer = append(*buffer, it.input.Data...)
		close(it.copied)
	}
	shape := slices.Clone(items[0].input.Shape)
	shape[0] = int64(len(items))
	return b.run(ctx, Tensor{Shape: shape, Data: *buffer}, func(outputs []Tensor) error { return b.handOut(outputs, items) })
}

// handOut gives each item its part of the outputs and waits until all are done
// with them.
func (b *batcher) handOut(outputs []Tensor, items []*item) error {
	n := len(items)
	for _, out := range outputs {
		if len(out.Shape) == 0 || out.Shape[0] != int64(n) {
			return errNoBatch
		}
	}
	var taken []*item
	for i, it := range items {
		select {
		case it.turn <- turn{outputs: part(outputs, i, n)}:
			taken = append(taken, it)
		case <-it.left:
		}
	}
	for _, it := range taken {
		<-it.done
	}
	return nil
}

// part returns the i-th of n parts of outputs.
func part(outputs []Tensor, i, n int) []Tensor {
	parts := make([]Tensor, len(outputs))
	for k, out := range outputs {
		size := len(out.Data) / n
		parts[k] = Tensor{Shape: append([]int64{1}, out.Shape[1:]...), Data: out.Data[i*size : (i+1)*size]}
	}
	return parts
}
