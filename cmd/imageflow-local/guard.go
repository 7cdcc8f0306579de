package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// guard keeps web pages from driving local mode: it refuses requests whose Host
// is another name than ours, which a page can have led here (DNS rebinding), and
// those that a page of another origin sends.
type guard struct {
	host    string   // that we listen on
	origins []string // of pages that may call
}

func (g guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !g.isOurs(r.Host):
			http.Error(w, "local mode answers at localhost, a loopback address or its --host only", http.StatusForbidden)
		case g.isCrossSite(r):
			http.Error(w, "local mode answers no page of another origin", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// allow reports whether a request may go on.
func (g guard) allow(r *http.Request) bool { return g.isOurs(r.Host) && !g.isCrossSite(r) }

// isOurs reports whether a Host, with or without a port, is one of ours. Where we
// listen on all addresses, every address is: a name could be anybody's.
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

// isCrossSite reports whether a browser says that a page of another origin sends
// the request.
func (g guard) isCrossSite(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin != "" {
		from, err := url.Parse(origin)
		return !slices.Contains(g.origins, origin) && (err != nil || from.Scheme != "http" || from.Host != r.Host)
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site != "" && site != "same-origin" && site != "none"
}
