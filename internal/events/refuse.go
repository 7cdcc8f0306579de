package events

import (
	"encoding/json"
	"net/http"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/httpevent"
)

// Refuse answers an event with an error, as google.rpc.Status in JSON with the field names that the gateway writes.
func Refuse(w http.ResponseWriter, s *status.Status) {
	code := HTTPStatus(s.Code())
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	refuse(w, code, s)
}

// RefuseUnread answers a request with an error of httpevent: with 415 if the event has another format, 413 if it is too
// large, and otherwise 400.
func RefuseUnread(w http.ResponseWriter, err error) {
	code := httpevent.Status(err)
	if code == http.StatusUnsupportedMediaType {
		w.Header().Set("Accept", cloudevent.ApplicationCloudEventsJSON)
	}
	refuse(w, code, status.New(codes.InvalidArgument, err.Error()))
}

func refuse(w http.ResponseWriter, code int, s *status.Status) {
	body, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(s.Proto())
	if err != nil {
		body, _ = json.Marshal(map[string]any{"code": s.Code(), "message": s.Message()})
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}
