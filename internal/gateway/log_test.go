package gateway_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/grpclog"
)

// typeLog is the log of grpc, which passes through. It counts the messages about content types.
type typeLog struct{ count atomic.Int64 }

func (l *typeLog) Write(p []byte) (int, error) {
	if strings.Contains(string(p), "Content-Type") {
		l.count.Add(1)
	}
	return os.Stderr.Write(p)
}

var types typeLog

func init() { grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, &types)) }

// TestGateway_logsNoContentTypes: callers do not write to the log of the process.
func TestGateway_logsNoContentTypes(t *testing.T) {
	h := handler(t, unreachable(t), 1<<20)
	for _, call := range []string{
		"POST /v1/resize", "GET /v1/health/resize", "GET /v1/resize", "POST /v1/nothing", "GET /v1/formats?a=1",
	} {
		for _, contentType := range []string{"", "a b", "application/json; charset"} {
			method, path, _ := strings.Cut(call, " ")
			r := httptest.NewRequest(method, path, strings.NewReader("{}"))
			r.Header["Content-Type"] = []string{contentType}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if n := types.count.Swap(0); n != 0 {
				t.Errorf("%s of type %q, answered %d, writes %d messages", call, contentType, w.Code, n)
			}
			if r.Header["Content-Type"] == nil || w.Code == http.StatusOK {
				t.Errorf("%s of type %q is changed or answered %d", call, contentType, w.Code)
			}
		}
	}
}
