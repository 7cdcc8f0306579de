package server

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
)

// pushbackHeader is the delay in milliseconds after which a client with a retryPolicy repeats a call (gRFC A6).
const pushbackHeader = "Grpc-Retry-Pushback-Ms"

// endTrailersOnly turns the trailers of a call without a message into its header, which then ends the call (Trailers-Only).
// A client with a retryPolicy repeats only such calls (gRFC A6), and grpc.Server.ServeHTTP never makes one: it sends a
// header first. A suggested delay becomes the client's. ResourceExhausted without a delay is a message that is too large:
// the client is told not to repeat it.
func endTrailersOnly(h http.Header) {
	h.Del("Trailer")
	for name, values := range h {
		if plain, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			delete(h, name)
			h[http.CanonicalHeaderKey(plain)] = values
		}
	}
	switch delay := retryDelay(h); {
	case delay > 0:
		h.Set(pushbackHeader, strconv.FormatInt(max(1, delay.Milliseconds()), 10))
	case h.Get("Grpc-Status") == strconv.Itoa(int(codes.ResourceExhausted)):
		h.Set(pushbackHeader, "-1")
	}
}

// retryDelay returns the RetryInfo among the details of a call's status, or 0.
func retryDelay(h http.Header) time.Duration {
	details, err := base64.RawStdEncoding.DecodeString(h.Get("Grpc-Status-Details-Bin"))
	s := &spb.Status{}
	if err != nil || proto.Unmarshal(details, s) != nil {
		return 0
	}
	for _, detail := range s.GetDetails() {
		retry := &errdetails.RetryInfo{}
		if detail.UnmarshalTo(retry) == nil {
			return retry.GetRetryDelay().AsDuration()
		}
	}
	return 0
}
