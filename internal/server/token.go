package server

import (
	"crypto/subtle"
	"strings"
)

// Token is a bearer token that callers must send.
type Token string

// Authorizes reports, in constant time, whether an Authorization header carries the token.
func (t Token) Authorizes(authorization string) bool {
	scheme, given, _ := strings.Cut(authorization, " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(given), []byte(t)) == 1
}
