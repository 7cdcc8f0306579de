package scenario

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"testing"
	"time"
)

// The patterns of paths whose answers are not JSON.
const (
	watchPattern  = "/v1/executions:watch"
	imagesPattern = "/v1/images/{key}"
)

// watchAgrees: a watch has the media type of the description, and its errors are those of others.
func watchAgrees(t *testing.T, s *system, d describedAPI) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url("gateway", watchPattern+"?prefix=none/"), http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	begin := make([]byte, 1)
	if _, err := io.ReadFull(resp.Body, begin); err != nil {
		t.Error(err)
	}
	d.checkMedia(t, watchPattern, resp, string(begin))
	resp, answer := fetch(t, "GET", s.url("gateway", watchPattern+"?last_event_id=x"))
	d.checkMedia(t, watchPattern, resp, answer)
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an unknown position: %s %s", resp.Status, answer)
	}
}

// imagesAgree: each answer to the URL of an image has a description, and its media type.
func imagesAgree(t *testing.T, s *system, d describedAPI) {
	t.Helper()
	g := &imageGateway{base: s.url("gateway", "")}
	const width = "target_width=32"
	first, _ := fetch(t, "GET", g.signed("a.jpg", width))
	for _, c := range []struct {
		url    string
		header []string
		code   int
	}{
		{g.signed("a.jpg", width, "encoding.quality=70"), nil, 200},
		{g.signed("a.jpg", width), []string{"Range", "bytes=0-9"}, 206},
		{g.signed("a.jpg", width), []string{"If-None-Match", first.Header.Get("ETag")}, 304},
		{g.signed("a.jpg", "preset="+strings.Repeat("a", 33)), nil, 400},
		{g.signed("a.jpg", "variant=v"), nil, 400},
		{g.signed(strings.Repeat("a", 1025), width), nil, 400},
		{g.signed("a.jpg", width) + "x", nil, 403},
		{g.sign("a.jpg", time.Unix(-1, 0), width), nil, 403},
		{g.signed(longKey, width), nil, 404},
		{g.signed("a.jpg", width), []string{"If-Match", `"another"`}, 412},
		{g.signed("a.jpg", width), []string{"Range", "bytes=9000000-"}, 416},
	} {
		resp, answer := fetch(t, "GET", c.url, c.header...)
		if resp.StatusCode != c.code {
			t.Errorf("%s %v: %s %.200q, want %d", c.url, c.header, resp.Status, answer, c.code)
		}
		d.checkMedia(t, imagesPattern, resp, answer)
	}
}

// longKey is a key of the length that the description permits.
var longKey = strings.Repeat("a/", 511) + "aa"

// checkMedia compares the media type of an answer to GET with the description, and JSON with its schema.
func (d describedAPI) checkMedia(t *testing.T, pattern string, resp *http.Response, answer string) {
	t.Helper()
	responses := d.paths[pattern].(map[string]any)["get"].(map[string]any)["responses"].(map[string]any)
	response, described := responses[fmt.Sprint(resp.StatusCode)].(map[string]any)
	if _, isShared := response["$ref"]; isShared {
		if err := d.check(operation{"GET", pattern, "", "", resp.StatusCode, ""}, answer); err != nil {
			t.Errorf("%s %d: %v\n%.500s", pattern, resp.StatusCode, err, answer)
		}
		return
	}
	content, _ := response["content"].(map[string]any)
	isOne := len(content) == 0 && answer == ""
	for mediaType := range content {
		matches, _ := path.Match(mediaType, resp.Header.Get("Content-Type"))
		isOne = isOne || matches
	}
	if !described || !isOne {
		t.Errorf("%s answers %d %s, not as described: %v", pattern, resp.StatusCode, resp.Header.Get("Content-Type"), content)
	}
}
