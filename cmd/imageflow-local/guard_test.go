package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var guardCases = []struct {
	listen, host, origin, site string
	refused                    bool
}{
	{"127.0.0.1", "127.0.0.1:8080", "", "", false},
	{"127.0.0.1", "localhost:8080", "", "", false},
	{"127.0.0.1", "LOCALHOST", "", "", false},
	{"127.0.0.1", "[::1]:8080", "", "none", false},
	{"127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1:8080", "same-origin", false},
	{"127.0.0.1", "127.0.0.1:8080", "https://app.example", "cross-site", false},
	{"box.local", "box.local:8080", "", "", false},
	{"0.0.0.0", "192.168.1.7:8080", "", "", false},
	{"", "192.168.1.7:8080", "", "", false},

	{"127.0.0.1", "evil.example:8080", "", "", true},
	{"127.0.0.1", "evil.example:8080", "http://evil.example:8080", "same-origin", true},
	{"0.0.0.0", "evil.example:8080", "", "", true},
	{"127.0.0.1", "192.168.1.7:8080", "", "", true},
	{"127.0.0.1", "localhost.evil.example", "", "", true},
	{"127.0.0.1", "", "", "", true},
	{"127.0.0.1", "127.0.0.1:8080", "http://evil.example", "cross-site", true},
	{"127.0.0.1", "127.0.0.1:8080", "http://evil.example", "", true},
	{"127.0.0.1", "127.0.0.1:8080", "null", "", true},
	{"127.0.0.1", "127.0.0.1:8080", "http://127.0.0.1:3000", "same-site", true},
	{"127.0.0.1", "127.0.0.1:8080", "https://app.example.evil", "", true},
	{"127.0.0.1", "127.0.0.1:8080", "", "cross-site", true},
	{"127.0.0.1", "127.0.0.1:8080", "", "same-site", true},
}

func TestGuard(t *testing.T) {
	for _, c := range guardCases {
		h := guard{c.listen, []string{"https://app.example"}}.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		r := httptest.NewRequest(http.MethodPost, "/v1/resize", nil)
		r.Host = c.host
		for name, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, r)
		if refused := answer.Code == http.StatusForbidden; refused != c.refused {
			t.Errorf("%+v: %d", c, answer.Code)
		}
		if c.host == "" && !strings.Contains(answer.Body.String(), "no header Host") {
			t.Errorf("without Host: %s", answer.Body)
		}
	}
}

// TestGuard_links: a link of any page opens the console, but no page frames, posts to or fetches from local mode.
func TestGuard_links(t *testing.T) {
	h := guard{host: "127.0.0.1"}.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for _, c := range []struct {
		method, mode, dest string
		code               int
	}{
		{"GET", "navigate", "document", http.StatusOK}, {"HEAD", "navigate", "document", http.StatusOK},
		{"POST", "navigate", "document", http.StatusForbidden}, {"GET", "navigate", "iframe", http.StatusForbidden},
		{"GET", "navigate", "embed", http.StatusForbidden}, {"GET", "no-cors", "image", http.StatusForbidden},
		{"GET", "cors", "empty", http.StatusForbidden}, {"GET", "no-cors", "document", http.StatusForbidden},
		{"GET", "websocket", "websocket", http.StatusForbidden}, {"GET", "", "", http.StatusForbidden},
	} {
		r := httptest.NewRequest(c.method, "/executions", nil)
		r.Host = "127.0.0.1:8080"
		for name, value := range map[string]string{"Site": "cross-site", "Mode": c.mode, "Dest": c.dest} {
			r.Header.Set("Sec-Fetch-"+name, value)
		}
		answer := httptest.NewRecorder()
		if h.ServeHTTP(answer, r); answer.Code != c.code {
			t.Errorf("%+v: %d", c, answer.Code)
		}
	}
}

// TestGuard_images: any page may show an image by its signed URL, but do nothing else.
func TestGuard_images(t *testing.T) {
	h := guard{host: "127.0.0.1"}.wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for call, want := range map[string]int{
		"GET /v1/images/cat.jpg?sig=x": http.StatusOK, "HEAD /v1/images/cat.jpg": http.StatusOK,
		"POST /v1/images/cat.jpg": http.StatusForbidden, "GET /v1/executions": http.StatusForbidden,
	} {
		method, path, _ := strings.Cut(call, " ")
		r := httptest.NewRequest(method, path, nil)
		r.Host = "127.0.0.1:8080"
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		answer := httptest.NewRecorder()
		if h.ServeHTTP(answer, r); answer.Code != want {
			t.Errorf("%s: %d, want %d", call, answer.Code, want)
		}
	}
}
