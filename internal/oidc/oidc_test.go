package oidc_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"imageflow.dev/internal/oidc"
)

// issuer is a fake of a cluster's API server.
type issuer struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func startIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer reader" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		answer(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256"}})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (i *issuer) token(t *testing.T, key *rsa.PrivateKey, c jwt.Claims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(c).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unread fails the test if it is read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

const (
	audience = "image-processing/resize"
	trigger  = "system:serviceaccount:image-processing:chain-1-resize-oidc-eventing.knative.dev-trigger"
)

// post returns a request with an Authorization, whose body must not be read.
func post(t *testing.T, authorization string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", unread{t})
	r.Header.Set("Authorization", authorization)
	return r
}

// verifier accepts the tokens of an issuer for Triggers.
func verifier(t *testing.T, i *issuer) *oidc.Verifier {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("reader\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v, err := oidc.New(oidc.Config{
		Issuer: i.URL, Audience: audience, TokenFile: file,
		Subjects: []string{"system:serviceaccount:image-processing:*-oidc-eventing.knative.dev-trigger"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestRequire_onlyAllowedTokensPass(t *testing.T) {
	i := startIssuer(t)
	v := verifier(t, i)
	reached := 0
	handler := v.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	soon, past := jwt.NewNumericDate(time.Now().Add(time.Hour)), jwt.NewNumericDate(time.Now().Add(-time.Hour))
	good := jwt.Claims{Issuer: i.URL, Subject: trigger, Audience: jwt.Audience{audience}, Expiry: soon}
	with := func(change func(*jwt.Claims)) string {
		c := good
		change(&c)
		return "Bearer " + i.token(t, i.key, c)
	}
	for name, c := range map[string]struct {
		header string
		code   int
	}{
		"good":             {with(func(*jwt.Claims) {}), 200},
		"none":             {"", 401},
		"not a token":      {"Bearer x.y.z", 401},
		"another scheme":   {"Basic " + i.token(t, i.key, good), 401},
		"another key":      {"Bearer " + i.token(t, other, good), 401},
		"another audience": {with(func(c *jwt.Claims) { c.Audience = jwt.Audience{"other"} }), 401},
		"another issuer":   {with(func(c *jwt.Claims) { c.Issuer = "https://other" }), 401},
		"expired":          {with(func(c *jwt.Claims) { c.Expiry = past }), 401},
		"another subject":  {with(func(c *jwt.Claims) { c.Subject = "system:serviceaccount:default:default" }), 403},
		"a similar subject": {with(func(c *jwt.Claims) {
			c.Subject = "system:serviceaccount:other:x-oidc-eventing.knative.dev-trigger"
		}), 403},
	} {
		reached = 0
		r := post(t, c.header)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.code || (reached == 1) != (c.code == 200) {
			t.Errorf("%s: %d %s, reached %d times", name, w.Code, w.Body, reached)
		}
	}
}

// The broker delivers the event again after a 503.
func TestRequire_unreachableIssuer(t *testing.T) {
	v, err := oidc.New(oidc.Config{Issuer: "http://127.0.0.1:1", Audience: audience, Subjects: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.Header.Set("Authorization", "Bearer x.y.z")
	w := httptest.NewRecorder()
	v.Require(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("status %d", w.Code)
	}
}

func TestRequire_nilVerifierAcceptsAll(t *testing.T) {
	w := httptest.NewRecorder()
	(*oidc.Verifier)(nil).Require(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
}

func TestBearer_readsFileEachTime(t *testing.T) {
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter,
		r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
	}))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "token")
	client := &http.Client{Transport: oidc.Bearer(file, http.DefaultTransport)}
	if _, err := client.Get(s.URL); err == nil {
		t.Error("sent without a token")
	}
	for _, token := range []string{"one", "two"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		resp, err := client.Get(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if len(got) != 2 || got[0] != "Bearer one" || got[1] != "Bearer two" {
		t.Errorf("sent %q", got)
	}
}
