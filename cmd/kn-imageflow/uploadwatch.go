package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// errChainsGoOn ends a wait that the user has ended.
var errChainsGoOn = fmt.Errorf("%w: the chains go on, see kn imageflow execution list", errInterrupted)

// follower follows executions until they have ended.
type follower struct {
	uploader *uploader
	gateway  imageflowv1.ExecutionServiceClient
	bucket   string
	stop     func()
	ended    chan error    // of the watch
	changed  chan struct{} // when an execution has ended

	mu                sync.Mutex // of what follows
	open              map[string]imageflowv1.ProcessingStatus
	completed, failed int
}

// startFollowing begins to watch the executions of a prefix, and returns when it sees all changes from then on.
func startFollowing(ctx context.Context, conn grpc.ClientConnInterface, bucket, prefix string) (*follower, error) {
	ctx, stop := context.WithCancel(ctx)
	w := &follower{
		gateway: imageflowv1.NewExecutionServiceClient(conn), bucket: bucket, stop: stop,
		ended: make(chan error, 1), changed: make(chan struct{}, 1), open: map[string]imageflowv1.ProcessingStatus{},
	}
	begun := make(chan struct{})
	once := sync.OnceFunc(func() { close(begun) })
	go func() {
		request := &imageflowv1.WatchExecutionsRequest{Bucket: bucket, Prefix: prefix}
		w.ended <- watchExecutions(ctx, w.gateway, request, func(change *imageflowv1.WatchExecutionsResponse) error {
			once()
			w.see(ctx, change.GetExecution())
			return nil
		})
	}()
	select {
	case <-begun:
		return w, nil
	case err := <-w.ended:
		stop()
		return nil, fmt.Errorf("watch executions: %w", described(err))
	}
}

// await adds an execution, and forget removes one that has not begun.
func (w *follower) await(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[id] = imageflowv1.ProcessingStatus_PROCESSING_STATUS_PENDING
}

func (w *follower) forget(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, id)
}

// see takes the state of an execution, or nil. It says how one ended before wait learns that it has.
func (w *follower) see(ctx context.Context, e *imageflowv1.ExecutionSummary) {
	id, status := e.GetExecutionId(), e.GetStatus()
	if !w.isOpen(id) {
		return
	}
	completed, failed := 0, 0
	switch status {
	case imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED:
		completed = 1
		w.uploader.say("COMPLETED %s  %s", id, w.outcome(ctx, id))
	case imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED:
		failed = 1
		w.uploader.say("FAILED %s  %s", id, w.outcome(ctx, id))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[id] = status
	if completed+failed == 0 {
		return
	}
	w.completed, w.failed = w.completed+completed, w.failed+failed
	delete(w.open, id)
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// isOpen reports whether an execution is followed and has not ended.
func (w *follower) isOpen(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, isOpen := w.open[id]
	return isOpen
}

// outcome returns the steps of an execution, or why it has failed. The change may have come before those of steps.
func (w *follower) outcome(ctx context.Context, id string) string {
	e, err := w.gateway.GetExecution(ctx, &imageflowv1.GetExecutionRequest{ExecutionId: id, Bucket: w.bucket})
	switch {
	case err != nil:
		return described(err).Error()
	case e.GetFailure() != nil:
		return e.GetFailure().GetReason()
	}
	var names []string
	for _, s := range e.GetSteps() {
		names = append(names, stepName(s))
	}
	return strings.Join(names, ",")
}

// wait waits until all executions have ended. It returns an error if one failed or has not ended in time.
func (w *follower) wait(ctx context.Context, limit time.Duration) (err error) {
	late := time.After(limit)
	for waiting := true; waiting && err == nil && w.left() > 0; {
		select {
		case <-w.changed:
		case err = <-w.ended:
			err = fmt.Errorf("watch executions: %w", described(err))
			if ctx.Err() != nil {
				err = errChainsGoOn
			}
		case <-late:
			waiting = false
		case <-ctx.Done():
			err = errChainsGoOn
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(w.open)) {
		w.uploader.say("%s %s  its chain has not ended", stateName(w.open[id]), id)
	}
	w.uploader.say("%d completed, %d failed, %d not ended", w.completed, w.failed, len(w.open))
	all := text.Count(w.completed+w.failed+len(w.open), "execution")
	switch {
	case err != nil:
		return err
	case len(w.open) > 0:
		return fmt.Errorf("of %s, %d not ended after %v: does a Trigger select their keys? see kn imageflow chain list",
			all, len(w.open), limit)
	case w.failed > 0:
		return fmt.Errorf("of %s, %d failed: see kn imageflow dead-letter list", all, w.failed)
	}
	return nil
}

// left returns the number of executions that have not ended.
func (w *follower) left() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open)
}
