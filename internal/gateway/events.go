package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/httpevent"
	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/signature"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// eventsPath is the path of Events. Its callers need no token: each event is signed.
const eventsPath = "/"

// Events runs a pipeline for each event, as the subscriber of a Trigger.
type Events struct {
	Pipeline *Pipeline
	// Signer verifies each event before any work, and signs the answers.
	Signer *signature.Signer
}

// RouteEvents returns a handler that passes events to one handler, and all other requests to next.
func RouteEvents(handler, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == eventsPath { // a ServeMux would redirect paths with // or ..
			handler.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// CheckPipeline returns an error if the query of a Trigger does not name exactly one pipeline of the set, as
// pipeline=NAME.
func CheckPipeline(set *presets.Set, query string) error {
	_, err := pipelineOf(set, query)
	return err
}

func pipelineOf(set *presets.Set, query string) (name string, err error) {
	values, err := url.ParseQuery(query)
	if err != nil || len(values) != 1 || len(values["pipeline"]) != 1 {
		return "", fmt.Errorf("the query %.64q does not have the form pipeline=NAME", query)
	}
	name = values.Get("pipeline")
	if _, err := set.Pipeline(name); err != nil {
		return "", fmt.Errorf("pipeline: %w", err)
	}
	return name, nil
}

// ServeHTTP runs the pipeline that the query names on the image of an event, and answers as a processor does:
// with 200 and the event of the last step, with 202 without an event if the image was replaced meanwhile, or with
// an error as google.rpc.Status. When the event comes again, steps that are done are found by their processors.
func (h *Events) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := httpevent.Check(r.Header); err != nil {
		events.RefuseUnread(w, err)
		return
	}
	ctx := r.Context()
	next, err := h.answer(w, r)
	var invalidEvent *unread
	switch {
	case errors.Is(err, signature.ErrUnsigned), errors.Is(err, signature.ErrInvalid):
		slog.WarnContext(ctx, "event refused", "reason", err)
		events.Refuse(w, status.New(codes.Unauthenticated, err.Error()))
	case errors.As(err, &invalidEvent):
		events.RefuseUnread(w, invalidEvent.error)
	case errors.Is(err, errOutcome):
		w.WriteHeader(http.StatusAccepted)
	case isSuperseded(err):
		slog.InfoContext(ctx, "execution superseded", "reason", err)
		w.WriteHeader(http.StatusAccepted)
	case err != nil:
		s := status.Convert(err)
		events.Refuse(w, status.Convert(sanitizeStatus(s, s.Err())))
	default:
		if err := httpevent.WriteResponse(ctx, w, next); err != nil {
			slog.WarnContext(ctx, "answer not sent", "error", err)
		}
	}
}

// unread is the error of a request without a valid event.
type unread struct{ error }

// errOutcome means that an event reports the outcome of an execution, which no step follows.
var errOutcome = errors.New("the outcome of an execution")

func (h *Events) answer(w http.ResponseWriter, r *http.Request) (*cloudevent.Event, error) {
	e, err := h.Signer.Read(w, r, httpevent.ReadValid)
	switch {
	case errors.Is(err, signature.ErrUnsigned), errors.Is(err, signature.ErrInvalid):
		return nil, err
	case err != nil:
		return nil, &unread{err}
	}
	name, err := pipelineOf(h.Pipeline.Presets, r.URL.RawQuery)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if events.IsOutcome(e.Type()) {
		return nil, errOutcome
	}
	if err := checkEvent(e); err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	image, id, err := events.Input(e)
	if err != nil {
		return nil, invalid("data", err.Error())
	}
	if origin, ok := events.OriginOf(e); ok { // the last step knows only its own input
		origin.Set(e)
	}
	ctx := withPriority(r.Context(), e)
	req := &imageflowv1.RunPipelineRequest{InputImage: image, ExecutionId: id, Pipeline: name}
	variant, _ := events.VariantOf.Get(e)
	resp, err := h.Pipeline.execute(ctx, req, variant)
	if err != nil {
		return nil, err
	}
	return h.completed(ctx, e, r.URL.RawQuery, resp.GetSteps()[len(resp.GetSteps())-1])
}

// completed returns the event of the last step of a pipeline.
func (h *Events) completed(
	ctx context.Context, cause *cloudevent.Event, query string, last *imageflowv1.PipelineStepResponse,
) (*cloudevent.Event, error) {
	m := last.ProtoReflect()
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("processor"))
	response := m.Get(field).Message().Interface().(events.Response)
	answer, err := events.NewStepCompleted(ctx, cause, string(field.Name()), query, response)
	if err != nil {
		return nil, status.Error(codes.Internal, "internal error")
	}
	h.Signer.Sign(answer)
	return answer, nil
}

// dataLimits are the limits of the data of an event, which names images and does not contain them.
var dataLimits = jsonlimit.Limits{Bytes: 1 << 20, Depth: 32, Elements: 10_000}

func checkEvent(e *cloudevent.Event) error {
	if err := events.ChainLength.Check(e); err != nil {
		return fmt.Errorf("%s: %w", events.ChainLength, err)
	}
	if events.ChainLength.Get(e) >= events.MaxChainLength {
		return fmt.Errorf("%s: the chain is longer than %d steps: is it a loop?", events.ChainLength, events.MaxChainLength)
	}
	if err := jsonlimit.Check(e.Data(), dataLimits); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	return nil
}

// withPriority gives the calls of the processors the priority of the event.
func withPriority(ctx context.Context, e *cloudevent.Event) context.Context {
	priority := events.PriorityEvent
	if _, ok := events.Backfill.Get(e); ok {
		priority = events.PriorityBackfill
	}
	return metadata.AppendToOutgoingContext(ctx, events.PriorityMetadata, priority)
}

// isSuperseded reports whether a step failed because its image was replaced.
func isSuperseded(err error) bool {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetReason() == events.ReasonSuperseded {
			return true
		}
	}
	return false
}
