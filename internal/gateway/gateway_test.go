package gateway_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// backend is a resize service whose behaviour a test sets.
type backend struct {
	imageflowv1.UnimplementedResizeServiceServer
	resize func(context.Context, *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error)
}

func (b *backend) ResizeImage(ctx context.Context, r *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error) {
	return b.resize(ctx, r)
}

const maxBody = 10_000

// open starts a real gRPC server, and a gateway for it.
func open(t *testing.T, resize func(context.Context, *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(2000))
	imageflowv1.RegisterResizeServiceServer(server, &backend{resize: resize})
	go func() { _ = server.Serve(l) }()
	t.Cleanup(server.Stop)
	return before(t, l.Addr().String())
}

// before starts a gateway for a processor at an address.
func before(t *testing.T, address string) string {
	t.Helper()
	conns, err := gateway.Dial(func(processors.Info) string { return address }, maxBody)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conns.Close() })
	s := httptest.NewServer(handler(t, conns[processors.Resize.Name], maxBody))
	t.Cleanup(s.Close)
	return s.URL
}

func handler(t *testing.T, conn *grpc.ClientConn, maxBody int64) http.Handler {
	t.Helper()
	h, err := gateway.New(t.Context(), 2*time.Second, maxBody, gateway.Backend{Register: processors.Resize.RegisterJSON, Conn: conn})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// ask sends a request and returns the answer, and its JSON in one line.
func ask(t *testing.T, method, url, body string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var raw json.RawMessage
	var text bytes.Buffer
	if err := json.NewDecoder(resp.Body).Decode(&raw); err != nil {
		t.Fatalf("%s %s: %d, body is not JSON: %v", method, url, resp.StatusCode, err)
	}
	_ = json.Compact(&text, raw)
	return resp, text.String()
}

func TestGateway_readsBothSpellingsWritesSnakeCase(t *testing.T) {
	url := open(t, func(ctx context.Context, r *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error) {
		md, _ := metadata.FromIncomingContext(ctx)
		return &imageflowv1.ResizeResponse{Result: &imageflowv1.ProcessingResult{
			OutputImage: &imageflowv1.ImageData{ObjectKey: r.GetInputImage().GetObjectKey(), Width: r.GetTargetWidth()},
			Message:     fmt.Sprint(md.Get("traceparent"), md.Get("cookie")),
		}}, nil
	})
	for _, body := range []string{
		`{"input_image":{"object_key":"k"},"target_width":7}`, `{"inputImage":{"objectKey":"k"},"targetWidth":7}`,
	} {
		resp, got := ask(t, "POST", url+"/v1/resize", body, "Traceparent", "00-aa-bb-01", "Cookie", "secret")
		if resp.StatusCode != 200 || !strings.Contains(got, `"object_key":"k"`) || !strings.Contains(got, `"width":7`) {
			t.Errorf("%s: %d %s", body, resp.StatusCode, got)
		}
		if strings.Contains(got, "null") || !strings.Contains(got, `"height":0`) {
			t.Errorf("want zeros, and no null for what is not set: %s", got)
		}
		if !strings.Contains(got, `"message":"[00-aa-bb-01] []"`) {
			t.Errorf("the processor received other headers: %s", got)
		}
	}
}

func TestGateway_translatesErrorsOfProcessors(t *testing.T) {
	with := func(s *status.Status, d any) error {
		switch d := d.(type) {
		case *errdetails.BadRequest:
			s, _ = s.WithDetails(d)
		case *errdetails.RetryInfo:
			s, _ = s.WithDetails(d)
		}
		return s.Err()
	}
	retry := &errdetails.RetryInfo{RetryDelay: durationpb.New(3 * time.Second)}
	field := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{{Field: "target_width",
		Description: "is odd"}}}
	tests := []struct {
		err        error
		code       int
		retryAfter string
		contains   string
	}{
		{with(status.New(codes.InvalidArgument, "target_width: is odd"), field), 400, "",
			`"field_violations":[{"field":"target_width","description":"is odd"`},
		{status.Error(codes.NotFound, "none"), 404, "", `"code":5`},
		{with(status.New(codes.ResourceExhausted, "full"), retry), 429, "3", `"message":"full"`},
		{with(status.New(codes.Unavailable, "no store"), retry), 503, "3", `"message":"no store"`},
		{status.Error(codes.Unavailable, "dial tcp 10.0.0.1:80: refused"), 503, "1", `"message":"the processor does not answer"`},
		{status.Error(codes.Internal, "internal error"), 500, "", `"code":13`},
	}
	for _, test := range tests {
		url := open(t, func(context.Context, *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error) {
			return nil, test.err
		})
		resp, got := ask(t, "POST", url+"/v1/resize", `{}`)
		if resp.StatusCode != test.code || resp.Header.Get("Retry-After") != test.retryAfter || !strings.Contains(got, test.contains) {
			t.Errorf("%v: got %d, Retry-After %q, %s", test.err, resp.StatusCode, resp.Header.Get("Retry-After"), got)
		}
	}
}

func TestGateway_refusesBadRequests(t *testing.T) {
	url := open(t, func(ctx context.Context, _ *imageflowv1.ResizeRequest) (*imageflowv1.ResizeResponse, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	inline := func(n int) string { return `{"input_bytes":"` + strings.Repeat("A", n) + `"}` }
	tests := []struct {
		name, method, path, body string
		code                     int
		contains                 string
	}{
		{"unknown field", "POST", "/v1/resize", `{"target_wdith":1}`, 400, "target_wdith"},
		{"wrong value", "POST", "/v1/resize", `{"target_width":"wide"}`, 400, "target_width: not a valid int32"},
		{"no JSON", "POST", "/v1/resize", "\xff\xd8\xff\xe0", 400, `"code":3`},
		{"a body too large", "POST", "/v1/resize", inline(2 * maxBody), 413, fmt.Sprintf("the limit is %d bytes", maxBody)},
		{"too large for the processor", "POST", "/v1/resize", inline(4000), 413, "more than the processor accepts"},
		{"a query beside a body", "POST", "/v1/resize?target_width=8", `{}`, 400, "query"},
		{"wrong method", "GET", "/v1/resize", "", 405, "GET"},
		{"no such path", "POST", "/v1/nothing", `{}`, 404, `"code":5`},
		{"too slow", "POST", "/v1/resize", `{}`, 504, "no answer in time"},
	}
	for _, test := range tests {
		resp, got := ask(t, test.method, url+test.path, test.body)
		if resp.StatusCode != test.code || !strings.Contains(got, test.contains) {
			t.Errorf("%s: got %d %s", test.name, resp.StatusCode, got)
		}
	}
}

func TestGateway_unreachableProcessor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	resp, got := ask(t, "POST", before(t, l.Addr().String())+"/v1/resize", `{}`)
	if resp.StatusCode != 503 || strings.Contains(got, "127.0.0.1") {
		t.Errorf("got %d %s", resp.StatusCode, got)
	}
}
