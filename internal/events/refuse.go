package events

import (
	"encoding/json"
	"errors"
	"net/http"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/httpevent"
)

// Refuse answers an event with an error, as google.rpc.Status in JSON.
func Refuse(w http.ResponseWriter, s *status.Status) {
	code := HTTPStatus(s.Code())
	if code == http.StatusTooManyRequests || code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	refuse(w, code, s)
}

// RefuseHeader answers an event whose headers httpevent.Check refuses: with 415 if it has another format.
func RefuseHeader(w http.ResponseWriter, err error) {
	code := http.StatusBadRequest
	var format *httpevent.FormatError
	if errors.As(err, &format) {
		code = http.StatusUnsupportedMediaType
		w.Header().Set("Accept", cloudevent.ApplicationCloudEventsJSON)
	}
	refuse(w, code, status.New(codes.InvalidArgument, err.Error()))
}

func refuse(w http.ResponseWriter, code int, s *status.Status) {
	body, err := protojson.Marshal(s.Proto())
	if err != nil {
		body, _ = json.Marshal(map[string]any{"code": s.Code(), "message": s.Message()})
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(body)
}
