// Package job takes one picture through one processor, start to finish.
package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/telemetry"
)

// ErrSuperseded is in the chain of the error of a job whose source was replaced
// before its output was written.
var ErrSuperseded = errors.New("superseded by a newer version of the object")

// Config limits what a job takes.
type Config struct {
	// Bucket is meant where a request names none.
	Bucket string
	// ReadFrom and WriteTo bound where the objects of requests may lie.
	ReadFrom, WriteTo objects.AllowList
	// Timeout bounds a job that has its turn; 0 leaves that to its caller.
	Timeout time.Duration
	// MaxObjectBytes limits an encoded picture.
	MaxObjectBytes int64
	// Limits bound a decoded one.
	Limits imaging.Limits
}

// Runner runs the jobs of one processor, safe for concurrent use.
type Runner struct {
	processor functions.Processor
	store     *objects.Store
	admission *Admission
	config    Config
	flights   singleflight.Group
	turns     turns
}

// NewRunner returns a runner. Runners that share an admission share its limits.
func NewRunner(p functions.Processor, store *objects.Store, admission *Admission, c Config) *Runner {
	telemetry.WatchLoad(p.Name, admission.Load)
	return &Runner{processor: p, store: store, admission: admission, config: c}
}

// Run does one job. One whose outputs are there already is answered from them,
// and equal ones at the same time are done once. Its errors are functions.Errors,
// or the context's. On an error nothing has been written, unless it is the
// store's: then one of picture and side-car may have been. Callers only read the
// response.
func (r *Runner) Run(ctx context.Context, req functions.Request, policy OverloadPolicy) (functions.Response, error) {
	if req.GetInputImage().GetEtag() == "" {
		return r.work(ctx, req, policy)
	}
	return r.merge(ctx, req, policy)
}

// task is one job at work. It belongs to one goroutine.
type task struct {
	*Runner
	plan
	req      functions.Request
	watch    *telemetry.Job
	encoded  []byte // the picture as it was fetched
	referred []byte // the content of plan.reference
	picture  *imaging.Image
	grant    *grant
	marks    map[string]string
	found    written
	recalled bool
}

func (r *Runner) work(ctx context.Context, req functions.Request, policy OverloadPolicy) (resp functions.Response, err error) {
	t := &task{Runner: r, req: req, watch: telemetry.StartJob(ctx, r.processor.Name)}
	ctx = t.watch.Context()
	defer func() {
		if cause := recover(); cause != nil {
			err = panicked(ctx, r.processor.Name, cause)
		}
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		t.watch.End(t.outcome(err), err)
	}()

	if t.plan, err = check(r.processor, req, r.config.Bucket); err != nil {
		return resp, err
	}
	t.watch.Of(t.execution)
	ctx = t.watch.Context()
	if err := t.authorize(t.config.ReadFrom, t.config.WriteTo); err != nil {
		return resp, err
	}
	leave, err := t.enter(ctx, policy)
	if err != nil {
		return resp, err
	}
	defer func() { leave(err) }()
	return t.bounded(ctx)
}

// bounded runs a job within its timeout.
func (t *task) bounded(ctx context.Context) (resp functions.Response, err error) {
	limit := t.config.Timeout
	if limit <= 0 {
		return t.run(ctx)
	}
	within, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	resp, err = t.run(within)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		err = &functions.Error{Kind: functions.Unavailable, Message: fmt.Sprintf("the job took longer than %v, its JOB_TIMEOUT", limit), Cause: err}
	}
	return resp, err
}

// run does a job that has been let in: fetch, then recall or else apply and store.
func (t *task) run(ctx context.Context) (resp functions.Response, err error) {
	defer func() { t.grant.release() }() // of apply
	seen := t.peek(ctx)
	if err := t.fetch(ctx); err != nil {
		return resp, err
	}
	if err := t.open(); err != nil {
		return resp, err
	}
	return t.produce(ctx, seen)
}

// produce recalls, or else makes and stores the output of a job that has its image.
func (t *task) produce(ctx context.Context, seen <-chan glance) (resp functions.Response, err error) {
	if t.marks, err = t.newMarks(ctx); err != nil {
		return resp, err
	}
	release, waited, err := t.turn(ctx)
	if err != nil {
		return resp, err
	}
	defer release()
	if waited {
		seen = unseen()
	}
	if err := t.look(ctx, seen); err != nil {
		return resp, err
	}
	if resp, t.recalled = t.recall(ctx); t.recalled {
		t.clock(resp.GetResult())
		return resp, nil
	}
	out, resp, err := t.apply(ctx)
	if err != nil {
		return resp, err
	}
	if err := t.put(ctx, out, resp); err != nil {
		return resp, err
	}
	t.clock(resp.GetResult())
	return resp, nil
}

// outcome names how the job ended, for the log.
func (t *task) outcome(err error) string {
	switch {
	case errors.Is(err, ErrSuperseded):
		return "superseded"
	case ended(err):
		return "cancelled"
	case err != nil:
		return functions.AsError(err).Kind.String()
	case t.recalled:
		return "recalled"
	}
	return "done"
}
