package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"imageflow.dev/internal/gateway"
)

// guard protects local mode against web pages. It rejects requests with a foreign
// Host, which DNS rebinding can send here, and requests from pages of another
// origin other than links to here and images by signed URLs.
type guard struct {
	host    string   // the listening address
	origins []string // origins of the pages that may call
}

func (g guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !g.isOurs(r.Host) && r.Host == "":
			http.Error(w, "the request has no header Host", http.StatusForbidden)
		case !g.isOurs(r.Host):
			http.Error(w, "Host is not localhost, a loopback address or the --host of local mode", http.StatusForbidden)
		case g.isCrossSite(r) && !isImage(r) && !isLink(r):
			http.Error(w, "requests from pages of other origins are not allowed", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// isLink reports whether a browser opens the request's URL as a page of its own, as it does for links of other pages. These
// cannot read the answer, and a GET changes nothing.
func isLink(r *http.Request) bool {
	return isRead(r) && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" &&
		r.Header.Get("Origin") == ""
}

func isRead(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// isImage reports whether a request is for an image by a signed URL, which any page may show.
func isImage(r *http.Request) bool {
	return isRead(r) && strings.HasPrefix(r.URL.Path, gateway.ImagesPath)
}

// allow reports whether a request is allowed.
func (g guard) allow(r *http.Request) bool { return g.isOurs(r.Host) && !g.isCrossSite(r) }

// isOurs reports whether host, with or without a port, is one of ours. If local
// mode listens on all addresses, every IP address is accepted, but no other name.
func (g guard) isOurs(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") || strings.EqualFold(host, g.host) {
		return true
	}
	address, err := netip.ParseAddr(host)
	all := g.host == "" || g.host == "0.0.0.0" || g.host == "::"
	return err == nil && (address.IsLoopback() || all)
}

// isCrossSite reports whether a page of another origin sends the request, by the
// headers that browsers set.
func (g guard) isCrossSite(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin != "" {
		from, err := url.Parse(origin)
		return !slices.Contains(g.origins, origin) && (err != nil || from.Scheme != "http" || from.Host != r.Host)
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "" && site != "same-origin" && site != "none"
}
