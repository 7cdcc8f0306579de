// Package event is the CloudEvents transport of a processor: each event runs a job,
// and the answer is the event that reports its completion.
package event

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"imageflow.dev/functions"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/signature"
)

// Handler answers events with the work of one processor.
type Handler struct {
	Processor functions.Processor
	// Run runs a job.
	Run func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error)
	// Signer verifies each event before any work, and signs the answers. Nil accepts
	// every event and signs none.
	Signer *signature.Signer
}

// ServeHTTP accepts an event in binary or structured mode. The query of the URL has
// the parameters of the step. It answers
//
//   - 200 with the event that reports the completion of the step,
//   - 202 without an event if the object has been replaced meanwhile: its newer
//     version has an event of its own,
//   - 202 without an event for the outcome of an execution, which a Trigger without a type may select,
//   - an error with a google.rpc.Status as JSON otherwise, which is 415 for a batch of events and 413 for an event
//     that is too large.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := httpevent.Check(r.Header); err != nil {
		events.RefuseUnread(w, err)
		return
	}
	ctx := r.Context()
	next, err := h.answer(ctx, r)
	var large *httpevent.TooLargeError
	switch {
	case errors.As(err, &large):
		events.RefuseUnread(w, err)
	case errors.Is(err, errOutcome):
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, job.ErrSuperseded):
		slog.InfoContext(ctx, "execution superseded", "step", h.Processor.Name, "reason", err)
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, signature.ErrUnsigned), errors.Is(err, signature.ErrInvalid):
		slog.WarnContext(ctx, "event refused", "step", h.Processor.Name, "reason", err)
		events.Refuse(w, status.New(codes.Unauthenticated, err.Error()))
	case err != nil:
		events.Refuse(w, job.Status(ctx, err))
	default:
		if err := httpevent.WriteResponse(ctx, w, next); err != nil {
			slog.WarnContext(ctx, "answer not sent", "step", h.Processor.Name, "error", err)
		}
	}
}

// errOutcome means that an event reports the outcome of an execution, which no step follows.
var errOutcome = errors.New("the outcome of an execution")

func (h *Handler) answer(ctx context.Context, r *http.Request) (*cloudevent.Event, error) {
	if err := h.Signer.VerifyHeader(r.Header); err != nil {
		return nil, err
	}
	e, err := read(r)
	if err != nil {
		return nil, err
	}
	if err := h.Signer.Verify(*e); err != nil {
		return nil, err
	}
	if events.IsOutcome(e.Type()) {
		return nil, errOutcome
	}
	recordLag(ctx, h.Processor.Name, e)
	if err := events.ChainLength.Check(e); err != nil {
		return nil, functions.Errorf(functions.Invalid, string(events.ChainLength), "%v", err)
	}
	if events.ChainLength.Get(e) >= events.MaxChainLength {
		return nil, functions.Errorf(functions.Invalid, string(events.ChainLength),
			"the chain is longer than %d steps: is it a loop?", events.MaxChainLength)
	}
	req, err := newRequest(h.Processor, e, r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	policy := job.Enqueue
	if _, ok := events.Backfill.Get(e); ok {
		policy = job.Backfill
	}
	resp, err := h.Run(ctx, req, policy)
	if err != nil {
		return nil, err
	}
	answer, err := events.NewStepCompleted(ctx, e, h.Processor.Name, r.URL.RawQuery, resp)
	if err != nil {
		return nil, err
	}
	h.Signer.Sign(answer)
	return answer, nil
}
