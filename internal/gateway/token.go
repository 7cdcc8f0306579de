package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"imageflow.dev/internal/server"
)

// Token is the secret that callers must send. An empty token disables
// authentication. Requests for health and the documents need no token, and events
// and the URLs of images have signatures.
type Token string

// minTokenBytes makes guessing hopeless; openssl rand -hex 16 has twice as many.
const minTokenBytes = 16

// CheckToken returns an error for a bearer token that is too short, or that no request can send.
func CheckToken(token string) error {
	switch {
	case strings.ContainsFunc(token, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return errors.New("has a space or a line break, which no request can send")
	case len(token) < minTokenBytes:
		return fmt.Errorf("has %d bytes but needs at least %d", len(token), minTokenBytes)
	}
	return nil
}

// openPaths need no token. A path that ends in a slash includes all paths below.
var openPaths = []string{
	"/health/", "/v1/health/", ImagesPath,
	healthpb.Health_Check_FullMethodName, healthpb.Health_Watch_FullMethodName,
}

// Authorize reports whether a request of any protocol carries the token or needs
// none. It removes the Authorization header, so that processors never see a token.
func (t Token) Authorize(r *http.Request) bool {
	if t == "" {
		return true
	}
	authorized := server.Token(t).Authorizes(r.Header.Get("Authorization"))
	r.Header.Del("Authorization")
	return authorized || isOpen(r.URL.Path)
}

func isOpen(path string) bool {
	return IsDocument(path) || path == eventsPath || slices.ContainsFunc(openPaths, func(open string) bool {
		return path == open || strings.HasSuffix(open, "/") && strings.HasPrefix(path, open)
	})
}

// RequireToken passes authorized requests to next and answers others with 401. It is
// for handlers outside a server.Server, which takes Authorize in its Config.
func (t Token) RequireToken(next http.Handler) http.Handler {
	return server.Require(t.Authorize, next)
}
