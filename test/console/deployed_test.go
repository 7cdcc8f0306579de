package console_test

import (
	"flag"
	"net/url"
	"testing"
)

// The console of a deployment, where the tests of images use it in place of local mode.
var (
	deployed      = flag.String("console", "", "URL of a deployed console, for the tests of images; all other tests are skipped")
	deployedToken = flag.String("token", "", "token of the deployed console")
)

// start opens the first page of the deployed console, or else of one of its own.
func start(t *testing.T) *tab {
	t.Helper()
	if *deployed == "" {
		return open(t, local(t, nil).Gateway, "/")
	}
	needsBrowser(t)
	b := open(t, *deployed, "/login?"+url.Values{"next": {"/"}}.Encode())
	b.enter(*deployedToken)
	b.await(`location.pathname === "/" && document.querySelector("upload-form")`)
	return b
}
