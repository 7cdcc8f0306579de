// Package event is the CloudEvents door of a processor: an event in, the next
// event out.
package event

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/signature"
)

// Door answers events with the work of one processor.
type Door struct {
	// Processor is the one served.
	Processor functions.Processor
	// Run runs a job.
	Run func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error)
	// Signer verifies events before anything is done for them, and signs the
	// answers; nil accepts every event and signs none.
	Signer *signature.Signer
}

// ServeHTTP takes an event in binary or structured mode. The query of the URL
// has the step's parameters. It answers 200 with the next event, 202 with none
// when the object has meanwhile been replaced (its newer version has an event
// of its own), or an error with a google.rpc.Status as JSON.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	next, err := d.answer(ctx, r)
	switch {
	case errors.Is(err, job.ErrSuperseded):
		slog.InfoContext(ctx, "execution superseded", "step", d.Processor.Name, "reason", err)
		w.WriteHeader(http.StatusAccepted)
	case errors.Is(err, signature.ErrUnsigned), errors.Is(err, signature.ErrInvalid):
		slog.WarnContext(ctx, "event refused", "step", d.Processor.Name, "reason", err)
		refuse(w, status.New(codes.Unauthenticated, err.Error()))
	case err != nil:
		refuse(w, job.Status(ctx, err))
	default:
		if err := httpevent.WriteResponse(ctx, w, next); err != nil {
			slog.WarnContext(ctx, "the answer could not be sent", "step", d.Processor.Name, "error", err)
		}
	}
}

func (d *Door) answer(ctx context.Context, r *http.Request) (*cloudevent.Event, error) {
	if err := d.Signer.VerifyHeader(r.Header); err != nil {
		return nil, err
	}
	e, err := read(r)
	if err != nil {
		return nil, err
	}
	if err := d.Signer.Verify(*e); err != nil {
		return nil, err
	}
	measureLag(ctx, d.Processor.Name, e)
	if hops(e) >= maxHops {
		return nil, functions.Errorf(functions.Invalid, hopsExtension, "the chain is longer than %d steps: is it a loop?", maxHops)
	}
	req, err := request(d.Processor, e, r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	resp, err := d.Run(ctx, req, job.Enqueue)
	if err != nil {
		return nil, err
	}
	answer, err := next(ctx, e, d.Processor.Name, r.URL.RawQuery, resp)
	if err != nil {
		return nil, err
	}
	return answer, d.Signer.Sign(answer)
}

// httpStatus translates the codes as Knative's brokers understand them: they
// try again on 404, 408, 409, 429 and 5xx, and an object that does not exist
// will not exist later either.
var httpStatus = map[codes.Code]int{
	codes.InvalidArgument:   http.StatusBadRequest,
	codes.Unauthenticated:   http.StatusUnauthorized,
	codes.NotFound:          http.StatusUnprocessableEntity,
	codes.ResourceExhausted: http.StatusTooManyRequests,
	codes.Unavailable:       http.StatusServiceUnavailable,
	codes.DeadlineExceeded:  http.StatusGatewayTimeout,
	codes.Canceled:          http.StatusServiceUnavailable,
}

func refuse(w http.ResponseWriter, s *status.Status) {
	code, ok := httpStatus[s.Code()]
	if !ok {
		code = http.StatusInternalServerError
	}
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	body, err := protojson.Marshal(s.Proto())
	if err != nil {
		body, _ = json.Marshal(map[string]any{"code": s.Code(), "message": s.Message()})
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}
