package function

import (
	"crypto/subtle"
	"net/http"
	"strings"
)

// minTokenBytes makes guessing hopeless; openssl rand -hex 16 has twice as many.
const minTokenBytes = 16

// requireToken passes requests with the token to next, without it, and answers others with 401. Health needs no
// token, and an empty token disables authentication. Processors never see a token.
func requireToken(token string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := r.Header.Get("Authorization")
		r.Header.Del("Authorization")
		if token != "" && !strings.HasPrefix(r.URL.Path, "/v1/health/") && !isBearer(got, token) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			answerError(w, http.StatusUnauthorized, "the request needs the header Authorization: Bearer <the gateway's token>")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// isBearer reports, in constant time, whether an Authorization header carries the token.
func isBearer(header, token string) bool {
	scheme, got, _ := strings.Cut(header, " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(got), []byte(token)) == 1
}
