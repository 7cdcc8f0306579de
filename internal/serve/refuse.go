package serve

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
)

// identity is the only encoding of requests, in gRPC and in plain HTTP. The
// length of a compressed body says nothing about the memory that it takes.
const identity = "identity"

// admit passes a request to next if its caller is authorized and its body is not
// compressed. It refuses any other request before a byte of the body is read.
func (c Config) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.Authorize != nil && !c.Authorize(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			refuse(w, r, http.StatusUnauthorized, codes.Unauthenticated, "the Authorization header bears no valid token")
			return
		}
		encoding := "Content-Encoding"
		if isRPC(r) {
			encoding = "Grpc-Encoding"
		}
		if isEncoded(r.Header.Values(encoding)) {
			w.Header().Set(acceptEncoding(r), identity)
			refuse(w, r, http.StatusUnsupportedMediaType, codes.Unimplemented,
				"compressed requests are not accepted; send the request without "+encoding)
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

// acceptEncoding returns the header that names the encodings of requests.
func acceptEncoding(r *http.Request) string {
	if isRPC(r) {
		return "Grpc-Accept-Encoding"
	}
	return "Accept-Encoding"
}

// refuse answers a request with an error: a gRPC call with a status and no
// message (Trailers-Only), any other request with a google.rpc.Status as JSON.
func refuse(w http.ResponseWriter, r *http.Request, status int, code codes.Code, message string) {
	if isRPC(r) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Grpc-Status", strconv.Itoa(int(code)))
		w.Header().Set("Grpc-Message", message)
		w.WriteHeader(http.StatusOK)
		return
	}
	text, _ := json.Marshal(map[string]any{"code": code, "message": message}) // a number and a text have JSON
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text)
}

// refusal is the error of a gRPC request whose body is not read to its end.
type refusal struct {
	code    codes.Code
	message string
}

// Error returns the message.
func (e *refusal) Error() string { return e.message }

// overwrite replaces the status of a call, which grpc has set as trailers: to
// grpc every error of a body is one of the connection.
func (e *refusal) overwrite(trailers http.Header) {
	trailers.Set("Grpc-Status", strconv.Itoa(int(e.code)))
	trailers.Set("Grpc-Message", e.message)
	trailers.Del("Grpc-Status-Details-Bin")
}
