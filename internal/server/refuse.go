package server

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
)

// refusal is the answer to a request that is not read to its end.
type refusal struct {
	http   int
	status *status.Status
}

// Error returns the message.
func (e *refusal) Error() string { return e.status.Message() }

var (
	errUnauthorized = &refusal{http.StatusUnauthorized,
		status.New(codes.Unauthenticated, "the Authorization header bears no valid token")}
	errFlagged = &refusal{http.StatusUnsupportedMediaType,
		status.New(codes.Unimplemented, "compressed messages are not accepted; send messages without compression")}
	errBusy    = busy("the server holds as many bytes of requests as it may; try again shortly")
	errUnread  = busy("more bytes of answers wait for their callers than the server may hold; try again shortly")
	errCrowded = busy("the server handles as many requests as it may; try again shortly")
	errIdle    = &refusal{http.StatusServiceUnavailable,
		status.New(codes.Unavailable, "the idle request had to make place for others; send it again")}
)

// errSlow refuses a body that comes slower than rate.
func errSlow(rate int64) *refusal {
	return &refusal{http.StatusRequestTimeout, status.Newf(codes.DeadlineExceeded,
		"the request comes too slowly: MIN_BODY_RATE asks for %d bytes a second", rate)}
}

// busy refuses a request that may be sent again soon.
func busy(message string) *refusal {
	s := status.New(codes.ResourceExhausted, message)
	if with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}); err == nil {
		s = with
	}
	return &refusal{http.StatusTooManyRequests, s}
}

// identity is the only encoding of requests, in gRPC and in plain HTTP. The
// length of a compressed body says nothing about the memory that it takes.
const identity = "identity"

// admit passes a request to next if its caller is authorized and its body is not
// compressed. It refuses any other request before a byte of the body is read.
func (c Config) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.Authorize != nil && !c.Authorize(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, r, errUnauthorized)
			return
		}
		encoding, accept := "Content-Encoding", "Accept-Encoding"
		if isRPC(r) {
			encoding, accept = "Grpc-Encoding", "Grpc-Accept-Encoding"
		}
		if isEncoded(r.Header.Values(encoding)) {
			w.Header().Set(accept, identity)
			refuse(w, r, &refusal{http.StatusUnsupportedMediaType, status.New(codes.Unimplemented,
				"compressed requests are not accepted; send the request without "+encoding)})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isEncoded reports whether a header names an encoding other than identity.
func isEncoded(values []string) bool {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			if name = strings.TrimSpace(name); name != "" && !strings.EqualFold(name, identity) {
				return true
			}
		}
	}
	return false
}

// refuse answers a request with an error: a gRPC call with a status and no
// message (Trailers-Only), any other request with a google.rpc.Status as JSON.
// A caller that neither sends the rest nor reads the answer is not waited for.
func refuse(w http.ResponseWriter, r *http.Request, why *refusal) {
	control, limit := http.NewResponseController(w), time.Now().Add(defaults.grace)
	_, _ = control.SetReadDeadline(limit), control.SetWriteDeadline(limit)
	if isRPC(r) {
		w.Header().Set("Content-Type", "application/grpc")
		why.trailers(w.Header())
		w.WriteHeader(http.StatusOK)
		return
	}
	if why.http == http.StatusTooManyRequests || why.http == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	text, err := protojson.Marshal(why.status.Proto())
	if err != nil {
		text = fmt.Appendf(nil, `{"code":%d}`, why.status.Code())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(why.http)
	_, _ = w.Write(text)
}

// trailers sets the status of a gRPC call. It replaces one that grpc has set:
// there every error of a body is one of the connection.
func (e *refusal) trailers(h http.Header) {
	h.Set("Grpc-Status", strconv.Itoa(int(e.status.Code())))
	h.Set("Grpc-Message", e.status.Message())
	h.Del("Grpc-Status-Details-Bin")
	if len(e.status.Details()) == 0 {
		return
	}
	if details, err := proto.Marshal(e.status.Proto()); err == nil {
		h.Set("Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(details))
	}
}
