// Package job runs one image through one processor: it fetches the image, applies the
// processor, and stores the output.
package job

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/telemetry"
)

// ErrSuperseded is in the error chain of a job whose source was replaced before its
// output was written.
var ErrSuperseded = errors.New("superseded by a newer version of the object")

// Config limits the jobs of a Runner.
type Config struct {
	// Bucket is the default bucket of requests that name none.
	Bucket string
	// ReadFrom and WriteTo are the allow-lists of the objects that requests may name.
	ReadFrom, WriteTo objects.AllowList
	// Timeout bounds a job from its admission to its end. 0 means no timeout.
	Timeout time.Duration
	// MaxObjectBytes limits the size of an encoded image.
	MaxObjectBytes int64
	// Presets are the presets that requests may name. Nil has none.
	Presets *presets.Set
	// Limits limit the size of a decoded image.
	Limits imaging.Limits
}

// Runner runs the jobs of one processor. It is safe for concurrent use.
type Runner struct {
	processor functions.Processor
	store     *objects.Store
	admission *Admission
	config    Config
	shared    singleflight.Group
	locks     keyedMutex
}

// NewRunner returns a Runner. Runners that share an Admission share its limits.
func NewRunner(p functions.Processor, store *objects.Store, admission *Admission, c Config) *Runner {
	telemetry.WatchLoad(p.Name, admission.Load)
	return &Runner{processor: p, store: store, admission: admission, config: c}
}

// Run runs one job. If an equal job has already written its outputs, the response is
// made from them. Equal jobs that run at the same time compute once. Errors are a
// functions.Error or the error of ctx. After an error nothing has been written, except
// after an error of the store: then the image may have been without its side-car.
// Callers must not modify the response, because other callers may share it.
func (r *Runner) Run(ctx context.Context, req functions.Request, policy OverloadPolicy) (functions.Response, error) {
	began := time.Now()
	p, err := r.plan(ctx, req)
	p.began, p.class = began, policy.class()
	for i := range p.others {
		p.others[i].class = p.class
	}
	if err != nil || !p.namesVersions() {
		return r.execute(ctx, p, err, policy)
	}
	return r.executeShared(ctx, p, policy)
}

// plan validates and plans a request, without copying it. A panic of the processor
// becomes an error.
func (r *Runner) plan(ctx context.Context, req functions.Request) (p plan, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = panicked(ctx, r.processor.Name, cause)
		}
	}()
	return newPlan(r.processor, r.config.Presets, req, r.config.Bucket)
}

// executeShared lets equal requests share one execution. The requests must name the
// versions of their objects: an execution for any version may have read an older one
// than the newest at the time of a later request.
func (r *Runner) executeShared(ctx context.Context, p plan, policy OverloadPolicy) (functions.Response, error) {
	key := fmt.Sprint(policy)
	for _, one := range p.all() {
		text, err := proto.MarshalOptions{Deterministic: true}.Marshal(one.request)
		if err != nil {
			return nil, err
		}
		key += fmt.Sprint(" ", len(text), " ", string(text))
	}
	for {
		result := r.shared.DoChan(key, func() (any, error) { return r.execute(ctx, p, nil, policy) })
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case got := <-result:
			if ended(got.Err) && ctx.Err() == nil {
				continue // the context of the request that started the execution ended, not this one
			}
			resp, _ := got.Val.(functions.Response)
			return resp, got.Err
		}
	}
}

// execute admits and runs one job, and records its span, log line and metrics. A job
// whose request is invalid is only recorded.
func (r *Runner) execute(
	ctx context.Context, p plan, invalid error, policy OverloadPolicy,
) (resp functions.Response, err error) {
	ctx, record := telemetry.StartJob(ctx, r.processor.Name, p.began)
	cacheHit := false
	defer func() {
		if cause := recover(); cause != nil {
			resp, err = nil, panicked(ctx, r.processor.Name, cause)
		}
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
		record.End(ctx, outcome(err, cacheHit), err)
	}()

	if invalid != nil {
		return nil, invalid
	}
	ctx = record.SetExecution(ctx, p.names.Execution)
	if err := p.authorize(r.config.ReadFrom, r.config.WriteTo); err != nil {
		return nil, err
	}
	leave, err := r.enter(ctx, record, policy, p.inline())
	if err != nil {
		return nil, err
	}
	defer func() { leave(err) }()
	err = r.withTimeout(ctx, func(ctx context.Context) error {
		resp, cacheHit, err = r.run(ctx, record, p)
		return err
	})
	return resp, err
}

// enter waits for the admission of the job.
func (r *Runner) enter(
	ctx context.Context, record *telemetry.Job, policy OverloadPolicy, inline bool,
) (leave func(error), err error) {
	ctx, end := record.Stage(ctx, "queue")
	defer end()
	return r.admission.enter(ctx, policy, inline)
}

// withTimeout calls a function for an admitted job within Config.Timeout.
func (r *Runner) withTimeout(ctx context.Context, run func(context.Context) error) error {
	timeout := r.config.Timeout
	if timeout <= 0 {
		return run(ctx)
	}
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := run(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		err = &functions.Error{
			Kind: functions.Unavailable, Message: fmt.Sprintf("the job took longer than JOB_TIMEOUT=%v", timeout), Cause: err,
		}
	}
	return err
}

// outcome returns the outcome of a job for logs and metrics.
func outcome(err error, cacheHit bool) string {
	switch {
	case errors.Is(err, ErrSuperseded):
		return "superseded"
	case ended(err):
		return "cancelled"
	case err != nil:
		return functions.AsError(err).Kind.String()
	case cacheHit:
		return "cached"
	}
	return "done"
}
