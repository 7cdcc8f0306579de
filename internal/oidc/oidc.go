// Package oidc restricts a handler to certain service accounts of a cluster. They are
// identified by the JSON Web Token that Knative's brokers send with each event.
package oidc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Config defines which tokens are accepted.
type Config struct {
	// Issuer is the URL of the issuer. Its keys are found by discovery.
	Issuer string
	// Audience must be among the audiences of a token.
	Audience string
	// Subjects are patterns of allowed subjects; * matches any text without a slash.
	Subjects []string
	// CAFile, if set, holds the root certificates for connections to the issuer.
	// TokenFile, if set, holds the bearer token for these connections.
	CAFile, TokenFile string
}

// timeout bounds a request to the issuer.
const timeout = 5 * time.Second

// Verifier verifies tokens. A nil Verifier accepts every request.
type Verifier struct {
	config Config
	client *http.Client

	mu     sync.Mutex
	tokens *oidc.IDTokenVerifier // nil until the issuer has answered
}

// New returns a verifier. It connects to the issuer when the first token arrives.
func New(c Config) (*Verifier, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if c.CAFile != "" {
		text, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate", c.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	var wire http.RoundTripper = transport
	if c.TokenFile != "" {
		wire = Bearer(c.TokenFile, transport)
	}
	return &Verifier{config: c, client: &http.Client{Transport: wire, Timeout: timeout}}, nil
}

// errUnavailable means that the keys of the issuer are not available now.
var errUnavailable = errors.New("the issuer of tokens does not answer")

// Require passes requests with an accepted token to next. It answers others without
// reading their bodies: 401 without a valid token, 403 if the subject is not allowed,
// and 503 if the issuer does not answer.
func (v *Verifier) Require(next http.Handler) http.Handler {
	if v == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		code, err := v.verify(r)
		if err == nil {
			next.ServeHTTP(w, r)
			return
		}
		slog.WarnContext(r.Context(), "request refused", "path", r.URL.Path, "reason", err)
		http.Error(w, http.StatusText(code)+": the request needs a token of an allowed service account", code)
	})
}

// verify returns an error, and the HTTP status for it, if a request is not allowed.
func (v *Verifier) verify(r *http.Request) (status int, err error) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return http.StatusUnauthorized, errors.New("no bearer token")
	}
	tokens, err := v.discover()
	if err != nil {
		return http.StatusServiceUnavailable, err
	}
	// Verify fetches keys with the client from the context of the provider.
	valid, err := tokens.Verify(r.Context(), token)
	if err != nil {
		if strings.Contains(err.Error(), "fetching keys") {
			return http.StatusServiceUnavailable, fmt.Errorf("%w: %w", errUnavailable, err)
		}
		return http.StatusUnauthorized, err
	}
	if !v.allows(valid.Subject) {
		return http.StatusForbidden, fmt.Errorf("subject %.128q is not allowed", valid.Subject)
	}
	return 0, nil
}

func (v *Verifier) allows(subject string) bool {
	return slices.ContainsFunc(v.config.Subjects, func(pattern string) bool {
		ok, err := path.Match(pattern, subject)
		return err == nil && ok
	})
}

// discover returns the verifier of the tokens. It asks the issuer until discovery has
// succeeded once.
func (v *Verifier) discover() (*oidc.IDTokenVerifier, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.tokens != nil {
		return v.tokens, nil
	}
	// The provider also uses this context to fetch keys later.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.Background(), v.client), v.config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnavailable, err)
	}
	v.tokens = provider.Verifier(&oidc.Config{ClientID: v.config.Audience})
	return v.tokens, nil
}

// Bearer returns a transport that sends the token in a file with each request. It
// reads the file each time, because tokens are replaced before they expire.
func Bearer(file string, next http.RoundTripper) http.RoundTripper {
	return bearer{file, next}
}

type bearer struct {
	file string
	next http.RoundTripper
}

// RoundTrip sends a copy of the request with the token.
func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := os.ReadFile(b.file)
	if err != nil {
		return nil, fmt.Errorf("read the token to send: %w", err)
	}
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	return b.next.RoundTrip(r)
}
