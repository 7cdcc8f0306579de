package scenario

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// askAs sends a request with a Host and a header, as a web page can.
func askAs(t *testing.T, method, url, host string, header map[string]string) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if host != "" {
		req.Host = host
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// refusesStoreByAnotherName checks that the store refuses its own keys under a name that is not
// its own.
func (s *system) refusesStoreByAnotherName(t *testing.T) {
	t.Helper()
	s3, err := minio.New("evil.example:80", &minio.Options{
		Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1",
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.addresses["s3"])
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, put := s3.PutObject(t.Context(), bucket, "page.txt", strings.NewReader("x"), 1, minio.PutObjectOptions{})
	_, list := s3.ListBuckets(t.Context())
	made := s3.MakeBucket(t.Context(), "of-a-page", minio.MakeBucketOptions{})
	for what, err := range map[string]error{"put": put, "list": list, "make": made} {
		if minio.ToErrorResponse(err).Code != "AccessDenied" {
			t.Errorf("%s with the keys, by another name: %v", what, err)
		}
	}
}

// TestWebPagesCannotDriveLocalMode: every port refuses pages of other sites, also if the name of
// the site resolves to this machine.
func TestWebPagesCannotDriveLocalMode(t *testing.T) {
	s := local(t, setup{env: []string{"CORS_ALLOW_ORIGINS=https://app.example"}})
	ask := func(method, part, path, host string, header map[string]string) *http.Response {
		return askAs(t, method, s.url(part, path), host, header)
	}
	paths := map[string]string{
		"gateway": "/v1/resize", "resize": "/v1/resize", "detect": "/v1/detect", "filter": "/", "bridge": "/",
		"broker": "/image-processing/default", "notify": "/", "metrics": "/metrics",
	}
	for part, path := range paths {
		for what, refused := range map[string]*http.Response{
			"another Host": ask("POST", part, path, "evil.example:80", nil),
			"another origin": ask("POST", part, path, "", map[string]string{
				"Origin": "http://evil.example", "Content-Type": "text/plain",
			}),
			"no origin":    ask("POST", part, path, "", map[string]string{"Origin": "null"}),
			"another site": ask("GET", part, path, "", map[string]string{"Sec-Fetch-Site": "cross-site"}),
		} {
			if refused.StatusCode != http.StatusForbidden || refused.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s, %s: %s", part, what, refused.Status)
			}
		}
	}
	if resp := ask("GET", "metrics", "/metrics", "localhost", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("localhost: %s", resp.Status)
	}
	simple := map[string]string{"Content-Type": "text/plain"}
	if resp := ask("POST", "gateway", "/v1/resize", "", simple); resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("JSON as plain text: %s", resp.Status)
	}
	preflight := map[string]string{
		"Origin": "https://app.example", "Access-Control-Request-Method": "POST",
		"Sec-Fetch-Site": "cross-site",
	}
	if resp := ask("OPTIONS", "gateway", "/v1/resize", "", preflight); resp.StatusCode != http.StatusNoContent ||
		resp.Header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("a page that may call: %s %v", resp.Status, resp.Header)
	}
	s.refusesStoreByAnotherName(t)
}
