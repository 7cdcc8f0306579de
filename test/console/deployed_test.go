package console_test

import (
	"flag"
	"net/url"
	"os"
	"testing"
)

// The console of a deployment, which most tests use in place of local mode. Those that need other settings are skipped. The
// variables MINIO_ACCESS_KEY and MINIO_SECRET_KEY have the credentials of its store.
var (
	deployed      = flag.String("console", "", "URL of a deployed console")
	deployedToken = flag.String("token", "", "token of the deployed console")
	deployedStore = flag.String("store", "", "host:port of the deployed console's store")
)

// site is a system with a console.
type site struct {
	url, token               string // of the console
	s3, accessKey, secretKey string
}

// anySite returns the deployed system, or else one for this test.
func anySite(t testing.TB) *site {
	t.Helper()
	if *deployed == "" {
		return local(t, nil)
	}
	needsBrowser(t)
	return &site{
		url: *deployed, token: *deployedToken,
		s3: *deployedStore, accessKey: os.Getenv("MINIO_ACCESS_KEY"), secretKey: os.Getenv("MINIO_SECRET_KEY"),
	}
}

// open shows a page, for which it signs in if the console asks for a token.
func (s *site) open(t testing.TB, path string) *tab {
	t.Helper()
	if s.token == "" {
		return open(t, s.url, path)
	}
	b := open(t, s.url, "/login?"+url.Values{"next": {"/"}}.Encode())
	b.enter(s.token)
	b.await(`location.pathname === "/" && document.querySelector("upload-form")`)
	b.visit(path) // also for "/": the form has led there, but this waits until the page is loaded
	return b
}
