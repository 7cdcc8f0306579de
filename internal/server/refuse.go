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

// refusal is the answer to a request whose body is not read to its end.
type refusal struct {
	http   int
	status *status.Status
}

// Error returns the message.
func (e *refusal) Error() string { return e.status.Message() }

var (
	errUnauthorized = &refusal{http.StatusUnauthorized,
		status.New(codes.Unauthenticated, "the Authorization header has no valid token")}
	errCompressed = &refusal{http.StatusUnsupportedMediaType,
		status.New(codes.Unimplemented, "compressed messages are not accepted; send messages without compression")}
	errBusy        = busy("too many bytes of requests are in memory; try again shortly")
	errUnread      = busy("too many bytes of answers wait for their callers; try again shortly")
	errOverloaded  = busy("too many requests are in flight; try again shortly")
	errManyWatches = busy("as many watches are in flight as MAX_WATCHES allows; end one, or try again later")
	errIdle        = &refusal{http.StatusServiceUnavailable,
		status.New(codes.Unavailable, "the idle request was ended to serve others; send it again")}
)

// errSlow refuses a body that arrives slower than rate, in bytes a second.
func errSlow(rate int64) *refusal {
	return &refusal{http.StatusRequestTimeout, status.Newf(codes.DeadlineExceeded,
		"the request arrives too slowly: MIN_BODY_RATE requires %d bytes a second", rate)}
}

// busy returns a refusal that suggests a retry after one second.
func busy(message string) *refusal {
	s := status.New(codes.ResourceExhausted, message)
	if with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)}); err == nil {
		s = with
	}
	return &refusal{http.StatusTooManyRequests, s}
}

// identity is the only accepted encoding, in gRPC and in other requests. The length
// of a compressed body does not bound the memory of its content.
const identity = "identity"

// Require passes a request to next if authorize allows it. It answers others with 401
// or Unauthenticated, before a byte of the body is read.
func Require(authorize func(*http.Request) bool, next http.Handler) http.Handler {
	return defaultPace.require(authorize, next)
}

func (p *pace) require(authorize func(*http.Request) bool, next http.Handler) http.Handler {
	if authorize == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !authorize(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			p.refuse(w, r, errUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// refuseEncoded passes a request to next if its body is not compressed. It refuses
// other requests before a byte of the body is read.
func (p *pace) refuseEncoded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		encoding, accept := "Content-Encoding", "Accept-Encoding"
		if isRPC(r) {
			encoding, accept = "Grpc-Encoding", "Grpc-Accept-Encoding"
		}
		if isEncoded(r.Header.Values(encoding)) {
			w.Header().Set(accept, identity)
			p.refuse(w, r, &refusal{http.StatusUnsupportedMediaType, status.New(codes.Unimplemented,
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

// refuse answers a gRPC call with a status and no message (Trailers-Only), and other
// requests with a google.rpc.Status as JSON. It waits at most the grace period for a
// caller that neither sends the rest nor reads the answer.
func (p *pace) refuse(w http.ResponseWriter, r *http.Request, why *refusal) {
	control, limit := http.NewResponseController(w), time.Now().Add(p.grace)
	_, _ = control.SetReadDeadline(limit), control.SetWriteDeadline(limit)
	if isRPC(r) {
		w.Header().Set("Content-Type", "application/grpc")
		why.setTrailers(w.Header())
		endTrailersOnly(w.Header())
		w.WriteHeader(http.StatusOK)
		return
	}
	if why.http == http.StatusTooManyRequests || why.http == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(why.status.Proto())
	if err != nil {
		text = fmt.Appendf(nil, `{"code":%d}`, why.status.Code())
	}
	w.Header().Set("Content-Type", "application/json")
	closeUnread(w.Header(), r)
	w.WriteHeader(why.http)
	_, _ = w.Write(text)
}

// setTrailers sets the status of a gRPC call. It replaces the status that grpc has
// set, which describes every error of a body as one of the connection.
func (e *refusal) setTrailers(h http.Header) {
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
