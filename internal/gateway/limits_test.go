package gateway_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"math/rand"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/testing/grpctest"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// unreachable returns a connection without a server: calls fail with 503.
func unreachable(t *testing.T) *grpc.ClientConn {
	t.Helper()
	return grpctest.Dial(t, "127.0.0.1:1")
}

// manyParts returns a form of n parts.
func manyParts(n int, part string) string {
	return strings.Repeat("--b\r\n"+part+"\r\n", n) + "--b--\r\n"
}

// tooLong is a part of the error that answers a text over the limit, with 413.
const tooLong = "longer than 262144 bytes"

// refusal returns the status of an answer with an error.
func refusal(says string) int {
	if strings.Contains(says, tooLong) || strings.HasPrefix(says, "the body is too large") {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// The limits apply before a body is decoded. The error names the limit.
func TestGateway_hostileBodiesTakeLittleMemory(t *testing.T) {
	const formType = "multipart/form-data; boundary=b"
	h := handler(t, unreachable(t), 100<<20)
	for _, c := range []struct {
		name, contentType, body, contains string
	}{
		{"empty objects", "application/json", `{"steps":[` + strings.Repeat("{},", 1<<20) + `{}]}`, "more than 1100 elements"},
		{"empty objects after an image", "application/json", `{"input_bytes":"AAAA","steps":[` + strings.Repeat("{},", 1<<20) +
			`{}]}`, "more than 1100 elements"},
		{"members", "application/json", `{"parameters":{` + strings.Repeat(`"a":"",`, 1<<19) + `"b":""}}`, "more than 1100 elements"},
		{"nested arrays", "application/json", strings.Repeat("[", 3<<20), "deeper than 16 levels"},
		{"nested objects", "application/json", strings.Repeat(`{"a":`, 1<<19), "deeper than 16 levels"},
		{"a long string", "application/json", `{"execution_id":"` + strings.Repeat("x", 3<<20) + `"}`, tooLong},
		{"an image at another place", "application/json", `{"input_image":{"input_bytes":"` + strings.Repeat("A", 3<<20) +
			`"}}`, tooLong},
		{"white space", "application/json", strings.Repeat(" ", 3<<20) + "{}", tooLong},
		{"parts", formType, manyParts(1<<17, "Content-Disposition: form-data; name=a\r\n\r\n"), "more than 100 fields"},
		{"parts without a name", formType, manyParts(1<<18, "A: b\r\n\r\n"), "more than 100 fields"},
		{"headers of a part", formType, "--b\r\n" + strings.Repeat("a: b\r\n", 1<<19) + "\r\n\r\n--b--\r\n", ""},
		{"a long header", formType, "--b\r\nA: " + strings.Repeat("b", 3<<20) + "\r\n\r\n\r\n--b--\r\n", tooLong},
		{"a long field", formType, "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n" + strings.Repeat("b", 3<<20) +
			"\r\n--b--\r\n", tooLong},
		{"JSON in a field", formType, manyParts(1,
			"Content-Disposition: form-data; name=output_image\r\n\r\n["+strings.Repeat("{},", 80<<10)+"{}]"), "more than 1000 elements"},
	} {
		req := httptest.NewRequest(http.MethodPost, "/v1/resize", strings.NewReader(c.body))
		req.Header.Set("Content-Type", c.contentType)
		answer := httptest.NewRecorder()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h.ServeHTTP(answer, req)
		runtime.ReadMemStats(&after)
		text := answer.Body.String()
		if answer.Code != refusal(c.contains) || !strings.Contains(text, c.contains) {
			t.Errorf("%s: got %d %.300s, want %q", c.name, answer.Code, text, c.contains)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 6<<20 {
			t.Errorf("%s: a body of %d bytes took %d bytes of memory", c.name, len(c.body), took)
		}
	}
}

// Base64 is decoded while it arrives.
func TestDecodeJSON_imageTakesLittleMoreThanItsSize(t *testing.T) {
	const size = 16 << 20
	h := handler(t, unreachable(t), 100<<20)
	body := `{"target_width":1,"input_bytes":"` + base64.StdEncoding.EncodeToString(make([]byte, size)) + `"`
	req := httptest.NewRequest(http.MethodPost, "/v1/resize", strings.NewReader(body)) // the end is missing, so no call follows
	req.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.ServeHTTP(answer, req)
	runtime.ReadMemStats(&after)
	// Growing a slice allocates about five times its final length in total.
	if took := after.TotalAlloc - before.TotalAlloc; answer.Code != http.StatusBadRequest || took > 7*size {
		t.Errorf("%d %s: an image of %d bytes took %d bytes of memory", answer.Code, answer.Body, size, took)
	}
}

// JSON writers differ in alphabet, padding, escapes and line ends.
func TestDecodeJSON_allFormsOfBase64(t *testing.T) {
	var got []byte
	url := open(t, func(_ context.Context, r *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error) {
		got = r.GetInputBytes()
		return &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{Message: fmt.Sprint(r.GetTargetWidth())}}, nil
	})
	image := make([]byte, 1501) // needs padding
	rand.New(rand.NewSource(1)).Read(image)
	std := base64.StdEncoding.EncodeToString(image)
	lines := func(end string) string {
		var text strings.Builder
		for rest := std; rest != ""; {
			n := min(76, len(rest))
			text.WriteString(rest[:n] + end)
			rest = rest[n:]
		}
		return text.String()
	}
	for name, text := range map[string]string{
		"standard":          std,
		"unpadded":          strings.TrimRight(std, "="),
		"URL":               base64.URLEncoding.EncodeToString(image),
		"URL, unpadded":     base64.RawURLEncoding.EncodeToString(image),
		"PHP's slashes":     strings.ReplaceAll(std, "/", `\/`),
		"Gson's equals":     strings.ReplaceAll(std, "=", `\u003d`),
		"MIME's lines":      lines(`\r\n`),
		"every + a \\u002B": strings.ReplaceAll(std, "+", `\u002B`),
	} {
		for _, body := range []string{
			`{"input_bytes":"%s","target_width":7}`, `{"targetWidth":7, "inputBytes" : "%s"}`,
			"\n{\"output_image\":{\"object_key\":\"input_bytes\"},\"target_width\":7,\"input_bytes\":\"%s\"}\n",
		} {
			got = nil
			resp, answer := ask(t, "POST", url+"/v1/resize", fmt.Sprintf(body, text))
			if resp.StatusCode != http.StatusOK || !bytes.Equal(got, image) || !strings.Contains(answer, `"message":"7"`) {
				t.Errorf("%s in %.30s: %d %.200s", name, body, resp.StatusCode, answer)
			}
		}
	}
}

func TestDecodeJSON_refusesBadBase64(t *testing.T) {
	h := handler(t, unreachable(t), 100<<20)
	for _, text := range []string{"A", "AAAAA", "AA=A", "AAA==", "AAAA=", "AA A", "é", `\u00e9`, `\x`, `\t`, "!!!!",
		`AA\u003`, "===="} {
		req := httptest.NewRequest(http.MethodPost, "/v1/resize", strings.NewReader(`{"input_bytes":"`+text+`","target_width":7}`))
		req.Header.Set("Content-Type", "application/json")
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, req)
		if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), `input_bytes`) {
			t.Errorf("%q: %d %s", text, answer.Code, answer.Body)
		}
	}
}

func TestGateway_refusesLongQueries(t *testing.T) {
	h := handler(t, unreachable(t), 100<<20)
	for query, contains := range map[string]string{
		strings.Repeat("&a=", 200):         "more than 100",
		"a=" + strings.Repeat("x", 10<<10): "longer than 8192 bytes",
	} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/v1/health/resize?"+query, nil))
		if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), contains) {
			t.Errorf("%.20s: %d %s, want %q", query, answer.Code, answer.Body, contains)
		}
	}
}

func TestPipeline_refusesLongNamesBeforeFirstStep(t *testing.T) {
	s := start(t)
	body := `{"input_image":{"object_key":"` + strings.Repeat("x", 240) + `.jpg"},"steps":[{"resize":{"target_width":1}}]}`
	resp, text := ask(t, "POST", s.url+"/v1/pipeline", body)
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(text, `"field":"execution_id"`) {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}

// TestGateway_largeImages: an image over the limit of the processor itself is too large, too.
func TestGateway_largeImages(t *testing.T) {
	s := start(t)
	image := base64.StdEncoding.EncodeToString(make([]byte, 1<<20+1)) // the limit of the processors of start
	conns := s.pipeline.Processors
	h, err := gateway.New(t.Context(), time.Minute, 4<<20, append(conns.Backends(), s.pipeline.Backend())...)
	if err != nil {
		t.Fatal(err)
	}
	for path, body := range map[string]string{
		"/v1/resize":   `{"target_width":1,"input_bytes":"` + image + `"}`,
		"/v1/pipeline": `{"steps":[{"resize":{"target_width":1}}],"input_bytes":"` + image + `"}`,
	} {
		answer := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(answer, req)
		if answer.Code != http.StatusRequestEntityTooLarge || !strings.Contains(answer.Body.String(), "MAX_OBJECT_BYTES") {
			t.Errorf("%s: %d %.300s", path, answer.Code, answer.Body)
		}
	}
}
