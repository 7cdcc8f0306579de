package gateway

import (
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// Token is the secret that callers must send. An empty token disables
// authentication.
type Token string

// openPaths need no token: health, and the description of `/v1/...`. Those that
// end in a slash stand for all paths below.
var openPaths = []string{
	openAPIPath, "/health/", "/v1/health/", healthpb.Health_Check_FullMethodName, healthpb.Health_Watch_FullMethodName,
}

// Authorize reports whether a request of any protocol carries the token or needs
// none. It removes the token from the request, so that processors never see it.
func (t Token) Authorize(r *http.Request) bool {
	if t == "" {
		return true
	}
	authorized := t.matches(r.Header.Get("Authorization"))
	r.Header.Del("Authorization")
	return authorized || slices.ContainsFunc(openPaths, func(path string) bool {
		return r.URL.Path == path || strings.HasSuffix(path, "/") && strings.HasPrefix(r.URL.Path, path)
	})
}

// matches reports, in constant time, whether an Authorization header carries the
// token.
func (t Token) matches(authorization string) bool {
	scheme, given, _ := strings.Cut(authorization, " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(given), []byte(t)) == 1
}

// Guard passes authorized requests to next. It is for servers outside this project;
// package serve calls Authorize itself.
func (t Token) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !t.Authorize(r) {
			refusal := status.New(codes.Unauthenticated, "the Authorization header bears no valid token")
			text, _ := protojson.Marshal(refusal.Proto()) // a code and a text can be written
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(text)
			return
		}
		next.ServeHTTP(w, r)
	})
}
