package rpc

import (
	"context"
	"errors"
	"io"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/functions"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// stream answers the requests in their order, with several in work at once. When all
// slots are taken, it stops reading, which slows the sender down. A failed item gets an
// answer too, and the stream goes on.
//
// It is the parallel form of this loop:
//
//	for req := range requests { send(item(req)) }
func (h *Handler) stream(s grpc.ServerStream) error {
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	// Each element is the future of one response; the channel keeps the order
	// and its capacity bounds the work.
	answers := make(chan chan functions.Response, max(h.StreamParallelism-1, 0))
	received := make(chan error, 1)
	go func() {
		defer close(answers)
		received <- h.receive(ctx, s, answers)
	}()
	for answer := range answers {
		select {
		case resp := <-answer:
			if err := s.SendMsg(resp); err != nil {
				return err
			}
		case <-ctx.Done():
			return job.Status(ctx, ctx.Err()).Err()
		}
	}
	return <-received
}

// receive starts the work on each request until the client has sent its last.
func (h *Handler) receive(ctx context.Context, s grpc.ServerStream, answers chan<- chan functions.Response) error {
	for {
		req := h.Processor.NewRequest()
		if err := s.RecvMsg(req); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		answer, release := make(chan functions.Response, 1), keep(s)
		select {
		case answers <- answer:
			go func() {
				defer release()
				answer <- h.item(ctx, req)
			}()
		case <-ctx.Done():
			release()
			return job.Status(ctx, ctx.Err()).Err()
		}
	}
}

// keep makes the server count the bytes of the last received message until release,
// because the next message is received while this one is in work.
func keep(s grpc.ServerStream) (release func()) {
	if k, ok := s.(interface{ Keep() (release func()) }); ok {
		return k.Keep()
	}
	return func() {}
}

// item runs one job of a stream. It returns a failure as a response.
func (h *Handler) item(ctx context.Context, req functions.Request) functions.Response {
	resp, err := h.Run(ctx, req, job.Block)
	if err == nil {
		return resp
	}
	s := job.Status(ctx, err)
	result := &imageflowv1.ProcessingResult{
		Status:      imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED,
		Message:     s.Message(),
		ProcessedAt: timestamppb.Now(),
	}
	events.ExecutionID.Set(result, req.GetExecutionId())
	events.ErrorCode.Set(result, code.Code(s.Code()).String())
	if field := functions.AsError(err).Field; field != "" {
		events.ErrorField.Set(result, field)
	}
	return h.Processor.NewResponse(result)
}
