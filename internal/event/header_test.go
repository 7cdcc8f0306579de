package event_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// TestHeadersThatTheBindingForbids: a batch is 415, which says what is accepted, and an attribute that is not UTF-8 is 400.
func TestHeadersThatTheBindingForbids(t *testing.T) {
	url := serveNoJobs(t)
	for _, test := range []struct {
		contentType, subject string
		code                 int
		accept, contains     string
	}{
		{"application/cloudevents-batch+json", "a", 415, "application/cloudevents+json", "a request of its own"},
		{"application/json", "%C0%A0", 400, "", "Ce-Subject"},
	} {
		req, err := http.NewRequest(http.MethodPost, url, strings.NewReader("[]"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = http.Header{"Content-Type": {test.contentType}, "Ce-Subject": {test.subject}}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != test.code || resp.Header.Get("Accept") != test.accept ||
			!strings.Contains(body.String(), test.contains) {
			t.Errorf("%s, %s: got %d %v %s", test.contentType, test.subject, resp.StatusCode, resp.Header, body.String())
		}
	}
}
