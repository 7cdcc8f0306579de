package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"imageflow.dev/internal/index"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// WatchPath is the path of server-sent events about executions.
const WatchPath = "/v1/executions:watch"

// IsWatch reports whether a request lasts until its caller ends it.
func IsWatch(r *http.Request) bool {
	return r.URL.Path == WatchPath || r.URL.Path == imageflowv1.ExecutionService_WatchExecutions_FullMethodName
}

// heartbeat is the time without a change after which a watcher gets a heartbeat.
const heartbeat = 15 * time.Second

// WatchExecutions sends executions as they change.
func (x *Executions) WatchExecutions(
	req *imageflowv1.WatchExecutionsRequest, s grpc.ServerStreamingServer[imageflowv1.WatchExecutionsResponse],
) error {
	return x.watch(s.Context(), req, func(changes []*index.Change) error {
		if len(changes) == 0 {
			return s.Send(&imageflowv1.WatchExecutionsResponse{})
		}
		for _, c := range changes {
			if err := s.Send(&imageflowv1.WatchExecutionsResponse{Execution: summary(&c.Entry), EventId: c.ID}); err != nil {
				return err
			}
		}
		return nil
	})
}

// watch calls send with changes, and without any for a heartbeat, the first at once, until the caller ends
// the context or the watch is ended with a reason.
func (x *Executions) watch(
	ctx context.Context, req *imageflowv1.WatchExecutionsRequest, send func([]*index.Change) error,
) error {
	if err := protovalidate.Validate(req); err != nil {
		return violation("", err)
	}
	query, err := x.query(req)
	if err != nil {
		return err
	}
	w, err := x.Hub.Watch(ctx, query, req.GetLastEventId())
	if err != nil {
		return watchStatus(ctx, err)
	}
	defer x.Hub.Leave(w)
	for err = send(nil); err == nil; {
		var changes []*index.Change
		changes, err = w.Next(ctx, heartbeat)
		if len(changes) > 0 || err == nil {
			err = cmp.Or(send(changes), err)
		}
	}
	return watchStatus(ctx, err)
}

// watchStatus returns the status with which a watch ends.
func watchStatus(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, index.ErrSlow), errors.Is(err, index.ErrTooMany):
		return withDetail(status.New(codes.ResourceExhausted, err.Error()),
			&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)})
	case errors.Is(err, index.ErrGone):
		return status.Error(codes.OutOfRange, "last_event_id: "+err.Error())
	case errors.Is(err, index.ErrClosed):
		return unavailable(err.Error())
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return unavailable("the object store does not answer")
}

// serveWatch serves a watch as server-sent events. The query has the fields of the request. A browser
// continues after an interruption with the header Last-Event-ID.
func (x *Executions) serveWatch(w http.ResponseWriter, r *http.Request) {
	req := &imageflowv1.WatchExecutionsRequest{}
	err := readQuery(req, r.URL.Query())
	if id := r.Header.Get("Last-Event-Id"); id != "" {
		req.LastEventId = id
	}
	s := &eventStream{w: w, control: http.NewResponseController(w)}
	if err == nil {
		err = x.watch(r.Context(), req, s.send)
	}
	if r.Context().Err() == nil {
		s.end(r, err)
	}
}

// eventStream writes server-sent events.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
	text    []byte // of the next write
}

// maxWrite bounds the text that a stream has in memory, except for a larger event.
const maxWrite = 32 << 10

// send writes changes, or a heartbeat.
func (s *eventStream) send(changes []*index.Change) error {
	s.text = s.text[:0]
	if len(changes) == 0 {
		s.text = append(s.text, ": heartbeat\n\n"...)
	}
	for _, c := range changes {
		event := c.Text(serverSentEvent)
		if len(s.text) > 0 && len(s.text)+len(event) > maxWrite {
			if err := s.write(s.text); err != nil {
				return err
			}
			s.text = s.text[:0]
		}
		s.text = append(s.text, event...)
	}
	return s.write(s.text)
}

// serverSentEvent returns a change as an event.
func serverSentEvent(c *index.Change) []byte {
	data, err := answerJSON.Marshal(summary(&c.Entry))
	if err != nil { // not UTF-8, which no entry is that was decoded from JSON
		return nil
	}
	return fmt.Appendf(nil, "id: %s\nevent: execution\ndata: %s\n\n", c.ID, data)
}

func (s *eventStream) write(text []byte) error {
	if !s.begun {
		s.begun = true
		s.w.Header().Set("Content-Type", "text/event-stream")
		s.w.Header().Set("Cache-Control", "no-store")
		s.w.Header().Set("X-Accel-Buffering", "no") // nginx would collect events
		text = append([]byte("retry: 2000\n\n"), text...)
	}
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return s.control.Flush()
}

// end writes why the watch ends: as the answer if nothing was written yet, or as the last event.
func (s *eventStream) end(r *http.Request, reason error) {
	if !s.begun {
		answerError(r.Context(), runtime.NewServeMux(), &runtime.JSONPb{MarshalOptions: answerJSON}, s.w, r, reason)
		return
	}
	data, _ := answerJSON.Marshal(status.Convert(reason).Proto()) // of known types
	_ = s.write(fmt.Appendf(nil, "event: end\ndata: %s\n\n", strings.ReplaceAll(string(data), "\n", " ")))
}
