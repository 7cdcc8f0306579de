package gateway_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var longSecret = strings.Repeat("secret", 1000)

// bodyErrors are invalid bodies, and a part of the error that answers each.
var bodyErrors = map[string]string{
	`{"target_wdith":1}`:                                         `"field":"target_wdith"`,
	`{"outputImage":{"createdAt":7}}`:                            `"field":"output_image.created_at"`,
	`{"renditions":[{"encoding":{"chroma":"x"}}]}`:               `"field":"renditions[0].encoding.chroma"`,
	`{"target_width":"secret"}`:                                  `"message":"target_width: not a valid int32"`,
	`{"target_width":` + longSecret + `}`:                        `"message":"target_width: unexpected JSON at byte 16"`,
	`{"target_width":"` + longSecret + `"}`:                      `"field":"target_width"`,
	`{"quality":"blury"}`:                                        `"message":"quality: \"blury\" is not one of fast,good,best"`,
	`{"quality":true}`:                                           `"message":"quality: \"true\" is not one of fast,good,best"`,
	`{"encoding":{"keep":["xx"]}}`:                               `keep: \"[\\\"xx\\\"]\" is not one of copyright,all"`,
	`{"encoding":{"keep": ["copyright"]}}`:                       `keep: \"[\\\"copyright\\\"]\" is not one of copyright,all"`,
	`{"encoding":{"keep":[!]}}`:                                  `"field":"encoding.keep"`,
	`{"objectCrop":"x"}`:                                         `"field":"object_crop"`,
	`{"outputImage":{"width":"secret"}}`:                         `"field":"output_image.width"`,
	`{"output_image":{"width":"secret"}}`:                        `"field":"output_image.width"`,
	`{"output_image":{"key":"secret"}}`:                          `"message":"output_image.key: no such field"`,
	`{"output_image":[1,2,"secret"]}`:                            `"field":"output_image"`,
	`{"output_image":"secret"}`:                                  `"field":"output_image"`,
	`{"target_width":1,"target_width":2}`:                        `"message":"target_width: given twice"`,
	`{"target_width":1,"targetWidth":2}`:                         `"message":"target_width: given twice"`,
	`{"input_bytes":"A","input_bytes":"A"}`:                      `"message":"input_bytes: not base64"`,
	`{"input_bytes":{"a":"secret"}}`:                             `"field":"input_bytes"`,
	`{"input_bytes":"secr et"}`:                                  `"message":"input_bytes: not base64"`,
	`{"output_image":{"created_at":"secret"}}`:                   `"field":"output_image.created_at"`,
	"\n{\n\"é\":1,\"target_width\":\"secret\"}":                  `"field":"`,
	`{"` + longSecret + `":1}`:                                   `no such field`,
	"{\"se\\ncret\":1}":                                          `no such field`,
	`secret`:                                                     `"message":"unexpected JSON at byte 0"`,
	`"secret"`:                                                   `"message":"unexpected JSON at byte 0"`,
	`[{"target_width":"secret"}]`:                                `"message":"unexpected JSON at byte 0"`,
	`{"input_bytes":"AAAA","target_width":!}`:                    `"message":"target_width: unexpected JSON at byte 37"`,
	`{"target_width":1} secret`:                                  `unexpected JSON at byte 19`,
	`{"target_width":1`:                                          `"message":"target_width: the JSON text is not complete"`,
	`{"input_bytes":"AAAA`:                                       `the body ends too early`,
	`{"target_width":1,"output_image":{"object_key":"a","secret`: `"field":"output_image`,
	"\xff\xd8\xff\xe0secret":                                     `"message":"unexpected JSON at byte 0"`,
}

// Errors repeat nothing of the request but a short name.
func TestDecodeJSON_errorsNameTheField(t *testing.T) {
	h := handler(t, unreachable(t), 1<<20)
	for body, contains := range bodyErrors {
		req := httptest.NewRequest(http.MethodPost, "/v1/resize", strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, req)
		text := strings.ReplaceAll(strings.ReplaceAll(answer.Body.String(), `": `, `":`), ", ", ",")
		if answer.Code != http.StatusBadRequest || !strings.Contains(text, contains) {
			t.Errorf("%.80s: got %d %.500s, want %s", body, answer.Code, text, contains)
		}
		if repeated := strings.Repeat("secret", 12); strings.Contains(text, repeated) ||
			!strings.Contains(contains, "no such field") && strings.Contains(text, "secret") {
			t.Errorf("%.80s: the error repeats the value: %.500s", body, text)
		}
	}
}

// A web page can send other media types across sites without a preflight request.
func TestGateway_refusesOtherMediaTypes(t *testing.T) {
	h := handler(t, unreachable(t), 1<<20)
	for _, contentType := range []string{
		"image/jpeg", "application/octet-stream", "text/plain", "application/x-www-form-urlencoded", "application/json;", "text/json",
		"multipart/mixed; boundary=b", "APPLICATION/JSON; charset=utf-8", "application/json; charset",
		strings.Repeat("x", 1000) + "/y", "a\x01b/c",
	} {
		req := httptest.NewRequest(http.MethodPost, "/v1/resize", strings.NewReader(`{"target_width":1,"input_bytes":"AAAA"}`))
		req.Header.Set("Content-Type", contentType)
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, req)
		text := answer.Body.String()
		if json := strings.HasPrefix(strings.ToLower(contentType), "application/json"); json &&
			contentType != "application/json; charset" {
			if answer.Code != http.StatusServiceUnavailable { // the processor is unreachable
				t.Errorf("%q: %d %s", contentType, answer.Code, text)
			}
			continue
		}
		if answer.Code != http.StatusUnsupportedMediaType || !strings.Contains(text, "application/json") ||
			!strings.Contains(text, "multipart/form-data") || len(text) > 600 {
			t.Errorf("%q: %d %s", contentType, answer.Code, text)
		}
	}
	for header, want := range map[string]int{"Accept": http.StatusServiceUnavailable,
		"Origin": http.StatusUnsupportedMediaType, "Sec-Fetch-Site": http.StatusUnsupportedMediaType} {
		req := httptest.NewRequest(http.MethodPost, "/v1/resize", strings.NewReader(`{"target_width":1,"input_bytes":"AAAA"}`))
		req.Header.Set(header, "x")
		answer := httptest.NewRecorder()
		if h.ServeHTTP(answer, req); answer.Code != want {
			t.Errorf("no content type, with %s: %d %s, want %d", header, answer.Code, answer.Body, want)
		}
	}
}
