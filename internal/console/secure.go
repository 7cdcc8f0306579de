package console

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	cookieName = "imageflow_console"
	// signedInFor is how long a browser need not send the token again.
	signedInFor = 12 * time.Hour
	// maxFormBytes bounds the body of a form without files.
	maxFormBytes = 64 << 10
)

// policy allows only what this server sends: no inline scripts, no other hosts, no frames around the pages.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

// secure sets the headers of all answers, refuses requests of other sites, and lets people without the token see
// only the page that asks for it.
func (s *Console) secure(next http.Handler) http.Handler {
	sameOrigin := http.NewCrossOriginProtection()
	sameOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusForbidden, "This request came from a page of another site.")
	}))
	next = sameOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		if isHTTPS(r) { // browsers ignore it elsewhere, and complain
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
		}
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !isText(r.URL.RawQuery) {
			http.Error(w, "the address is no text in UTF-8", http.StatusBadRequest)
			return
		}
		isOpen := r.URL.Path == "/login" || r.URL.Path == iconPath || strings.HasPrefix(r.URL.Path, "/static/")
		switch {
		case isOpen || s.isSignedIn(r):
			next.ServeHTTP(w, r)
		case r.Method == http.MethodGet && strings.Contains(r.Header.Get("Accept"), "text/html"):
			http.Redirect(w, r, "/login?"+url.Values{"next": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		default:
			http.Error(w, "the token of the console is needed: open /login", http.StatusUnauthorized)
		}
	})
}

// isText reports whether the fields of a query or a form are texts in UTF-8, as those of all pages are.
func isText(query string) bool {
	decoded, err := url.QueryUnescape(query)
	return err == nil && utf8.ValidString(decoded)
}

// isHTTPS reports whether the browser sent a request by HTTPS, here or to the proxy before us.
func isHTTPS(r *http.Request) bool {
	return r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"
}

// isSignedIn reports whether the browser has a cookie of logIn that has not expired.
func (s *Console) isSignedIn(r *http.Request) bool {
	if s.config.Token == "" {
		return true
	}
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return false
	}
	until, _, _ := strings.Cut(cookie.Value, ".")
	seconds, err := strconv.ParseInt(until, 10, 64)
	return err == nil && time.Now().Unix() < seconds && hmac.Equal([]byte(cookie.Value), []byte(s.cookie(seconds)))
}

// cookie returns the value of a cookie that is valid until a time in Unix seconds. Another token makes it invalid.
func (s *Console) cookie(until int64) string {
	text := strconv.FormatInt(until, 10)
	mac := hmac.New(sha256.New, []byte(s.config.Token))
	mac.Write([]byte(cookieName + " " + text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// login shows the form for the token.
func (s *Console) login(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "login", "Sign in", signIn{Next: localPath(r.FormValue("next"))})
}

type signIn struct {
	Next    string
	IsWrong bool
}

// logIn sets the cookie if the token is right.
func (s *Console) logIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	next := localPath(r.PostFormValue("next"))
	if s.config.Token == "" || subtle.ConstantTimeCompare([]byte(r.PostFormValue("token")), []byte(s.config.Token)) != 1 {
		s.show(w, r, http.StatusUnauthorized, "login", "Sign in", signIn{Next: next, IsWrong: true})
		return
	}
	until := time.Now().Add(signedInFor)
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: s.cookie(until.Unix()), Path: "/", Expires: until, HttpOnly: true,
		SameSite: http.SameSiteStrictMode, Secure: isHTTPS(r),
	})
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// localPath returns a path of this server, and the first page for anything else.
func localPath(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") ||
		strings.Contains(text, `\`) {
		return "/"
	}
	return text
}
