package gateway

import (
	"context"
	"crypto/subtle"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
)

// Token is the secret that callers must bear; empty, they need none. Those who
// ask for a health or for the description of `/v1/...` never do.
type Token string

// borne tells whether an Authorization header bears the token, in a time that
// tells nothing of it but its length.
func (t Token) borne(authorization string) bool {
	scheme, given, _ := strings.Cut(authorization, " ")
	return t == "" || strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(given), []byte(t)) == 1
}

var errNoToken = status.New(codes.Unauthenticated, "the Authorization header bears no valid token")

// Guard lets those through who bear the token, without it: it is not for the
// processors.
func (t Token) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		open := r.URL.Path == openAPIPath || strings.HasPrefix(r.URL.Path, "/v1/health/")
		if !open && !t.borne(r.Header.Get("Authorization")) {
			text, _ := protojson.Marshal(errNoToken.Proto()) // a code and a text can be written
			w.Header().Set("WWW-Authenticate", "Bearer")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write(text)
			return
		}
		if t != "" {
			r.Header.Del("Authorization")
		}
		next.ServeHTTP(w, r)
	})
}

// Intercept lets those gRPC calls through that bear the token.
func (t Token) Intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	authorization := strings.Join(metadata.ValueFromIncomingContext(ctx, "authorization"), "")
	if info.FullMethod != healthpb.Health_Check_FullMethodName && !t.borne(authorization) {
		return nil, errNoToken.Err()
	}
	return handle(ctx, req)
}
