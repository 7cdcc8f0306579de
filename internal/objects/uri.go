package objects

import (
	"fmt"
	"net/url"
	"strings"
)

// URI returns the ASCII URI of an object, or of one version if etag is not empty:
// s3://bucket/key?etag=...
func URI(bucket, key, etag string) string {
	u := url.URL{Scheme: "s3", Host: bucket, Path: "/" + key}
	if etag != "" {
		u.RawQuery = url.Values{"etag": {etag}}.Encode()
	}
	return u.String()
}

// ParseURI parses a URI that URI returned. The etag is empty if the URI has none.
func ParseURI(text string) (bucket, key, etag string, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "s3" || u.Host == "" || len(u.Path) < 2 {
		return "", "", "", fmt.Errorf("%q is not the URI of an object", text)
	}
	return u.Host, strings.TrimPrefix(u.Path, "/"), u.Query().Get("etag"), nil
}
