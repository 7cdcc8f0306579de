package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// watch is a watch of executions, and further ones whose events are only counted.
type watch struct {
	url       string
	err       chan error
	completed atomic.Int64
	received  atomic.Int64 // by the further watches

	mu                  sync.Mutex
	states              map[string]int // by execution: its steps, and more if it is completed
	changes, disordered int
}

// completedState is added to the state of an execution that is completed. It has fewer steps.
const completedState = 1000

func newWatch(ctx context.Context, c config, prefix string) (*watch, error) {
	w := &watch{url: c.gateway + "/v1/executions:watch?prefix=" + prefix, err: make(chan error, 1), states: map[string]int{}}
	body, err := w.open(ctx)
	if err != nil {
		return nil, err
	}
	go func() {
		defer body.Close()
		lines := bufio.NewScanner(body)
		for lines.Scan() {
			if data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: ")); ok {
				w.take(data)
			}
		}
		w.err <- fmt.Errorf("the watch has ended after %q: %w", lines.Text(), cmp.Or(lines.Err(), io.EOF))
	}()
	return w, nil
}

func (w *watch) open(ctx context.Context) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("a watch is answered %s", answer.Status)
	}
	return answer.Body, nil
}

// more opens a watch whose events are counted.
func (w *watch) more(ctx context.Context) error {
	body, err := w.open(ctx)
	if err != nil {
		return err
	}
	go func() {
		defer body.Close()
		for lines := bufio.NewReaderSize(body, 64<<10); ; {
			line, err := lines.ReadSlice('\n')
			if err != nil {
				return
			}
			if bytes.HasPrefix(line, []byte("data: ")) {
				w.received.Add(1)
			}
		}
	}()
	return nil
}

// take takes an execution, whose steps and status only grow.
func (w *watch) take(data []byte) {
	var e struct {
		ID     string `json:"execution_id"`
		Status string
		Steps  []struct{ Name string }
	}
	if err := json.Unmarshal(data, &e); err != nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes++
	state := len(e.Steps)
	if e.Status == "PROCESSING_STATUS_COMPLETED" {
		state += completedState
	}
	if state < w.states[e.ID] {
		w.disordered++
	}
	if state >= completedState && w.states[e.ID] < completedState {
		w.completed.Add(1)
	}
	w.states[e.ID] = state
}

// wait waits until the watch has seen n completed executions, while there are new ones within the limit.
func (w *watch) wait(n int64, limit time.Duration) error {
	last, since := int64(0), time.Now()
	for ; w.completed.Load() < n; time.Sleep(50 * time.Millisecond) {
		if now := w.completed.Load(); now > last {
			last, since = now, time.Now()
		}
		select {
		case err := <-w.err:
			return err
		default:
		}
		if time.Since(since) > limit {
			return fmt.Errorf("the watch has seen %d of %d completed, none of them in the last %v", last, n, limit)
		}
	}
	return nil
}

// report prints what the watches have seen, and returns an error if an execution changed out of order.
func (w *watch) report(more int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	steps := 0
	for _, state := range w.states {
		steps += state % completedState
	}
	fmt.Printf("  watch: %d executions completed with %d steps, %d changes, %d out of order\n",
		w.completed.Load(), steps, w.changes, w.disordered)
	if more > 0 {
		fmt.Printf("  %d more watches received %d changes each on average\n", more,
			w.received.Load()/int64(more))
	}
	if w.disordered > 0 {
		return fmt.Errorf("%d changes were out of order", w.disordered)
	}
	return nil
}
