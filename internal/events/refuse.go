package events

import (
	"encoding/json"
	"net/http"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// Refuse answers an event with an error, as google.rpc.Status in JSON.
func Refuse(w http.ResponseWriter, s *status.Status) {
	code := HTTPStatus(s.Code())
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
