package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/grpc"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// hostile is a name that a terminal would obey: it clears the screen, begins a line of its own and sets a title.
const hostile = "a\x1b[2J\nCOMPLETED b\u009b0m\r\u202ec"

// unescaped are the characters of it, but for line ends, which no output may have.
const unescaped = "\x1b\u009b\r\u202e"

// hostileExecutions serves an execution and a dead letter whose names are hostile, and keeps the prefix in the last request.
type hostileExecutions struct {
	imageflowv1.UnimplementedExecutionServiceServer
	prefix string
}

func (h *hostileExecutions) ListExecutions(
	_ context.Context, r *imageflowv1.ListExecutionsRequest,
) (*imageflowv1.ListExecutionsResponse, error) {
	h.prefix = r.GetPrefix()
	found := []*imageflowv1.ExecutionSummary{{ExecutionId: hostile, ObjectKey: hostile}}
	return &imageflowv1.ListExecutionsResponse{Executions: found}, nil
}

func (h *hostileExecutions) WatchExecutions(
	r *imageflowv1.WatchExecutionsRequest, _ grpc.ServerStreamingServer[imageflowv1.WatchExecutionsResponse],
) error {
	h.prefix = r.GetPrefix()
	return nil
}

func (*hostileExecutions) GetExecution(
	context.Context, *imageflowv1.GetExecutionRequest,
) (*imageflowv1.GetExecutionResponse, error) {
	return &imageflowv1.GetExecutionResponse{ExecutionId: hostile,
		Failure: &imageflowv1.ExecutionFailure{Reason: hostile, Step: hostile, DeadLetter: "it's " + hostile, Attempts: 1}}, nil
}

func (h *hostileExecutions) ListDeadLetters(
	_ context.Context, r *imageflowv1.ListDeadLettersRequest,
) (*imageflowv1.ListDeadLettersResponse, error) {
	h.prefix = r.GetPrefix()
	return &imageflowv1.ListDeadLettersResponse{DeadLetters: []*imageflowv1.DeadLetter{
		{ExecutionId: hostile, Reason: hostile, Id: hostile, Step: hostile}}}, nil
}

func (h *hostileExecutions) ReplayDeadLetters(
	_ context.Context, r *imageflowv1.ReplayDeadLettersRequest,
) (*imageflowv1.ReplayDeadLettersResponse, error) {
	h.prefix = r.GetPrefix()
	letters := []*imageflowv1.DeadLetter{{ExecutionId: hostile}}
	return &imageflowv1.ReplayDeadLettersResponse{DeadLetters: letters, NotFound: []string{hostile}}, nil
}

// serve starts a gateway and returns its URL.
func serve(t *testing.T, h imageflowv1.ExecutionServiceServer) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	imageflowv1.RegisterExecutionServiceServer(s, h)
	go func() { _ = s.Serve(l) }()
	t.Cleanup(s.Stop)
	return "http://" + l.Addr().String()
}

// TestForeignNames: no name that comes from elsewhere reaches a terminal as it is, nor begins a line of its own.
func TestForeignNames(t *testing.T) {
	gateway := serve(t, &hostileExecutions{})
	for _, args := range []string{
		"execution list -o wide", "execution describe x", "dead-letter list -o wide", "dead-letter replay --all",
	} {
		_, out, wrong := call(t, nil, append(strings.Fields(args), "--gateway", gateway)...)
		isEscaped := strings.Contains(out+wrong, `a\x1b[2J`) && !strings.ContainsAny(out+wrong, unescaped)
		if !isEscaped || strings.Contains(out, "\nCOMPLETED") {
			t.Errorf("%s: %q, %q", args, out, wrong)
		}
	}
	if _, out, _ := call(t, nil, "__complete", "--gateway", gateway, "execution", "describe", ""); out != ":4\n" {
		t.Errorf("completion offers %q", out)
	}
	_, out, _ := call(t, nil, "execution", "describe", "x", "--gateway", gateway)
	if !strings.Contains(out, `replay 'it'\''s a\x1b`) || !strings.Contains(out, "\n  Fix: ") ||
		!strings.Contains(out, "1 attempt)") {
		t.Errorf("got %s", out)
	}
	_, _, wrong := call(t, nil, "dead-letter", "replay", "--all", "--gateway", gateway)
	if !strings.HasPrefix(wrong, "1 dead letter will be sent again\n") {
		t.Errorf("got %s", wrong)
	}
	_, out, _ = call(t, nil, "execution", "describe", "x", "-o", "jsonpath={.execution_id}", "--gateway", gateway)
	if out != hostile {
		t.Errorf("a program gets %q", out)
	}
}

// TestForeignNames_files: so do the names of files, which others may have made.
func TestForeignNames_files(t *testing.T) {
	server := httptest.NewServer(&puts{})
	defer server.Close()
	folder := folderOf(t, map[string]string{hostile + ".jpg": jpegStart, hostile + ".txt": "text"})
	_, out, wrong := call(t, uploadable(strings.TrimPrefix(server.URL, "http://")), "upload", "-r", folder)
	if strings.ContainsAny(out+wrong, unescaped) || strings.Count(out, "\n") != 2 ||
		!strings.Contains(out, `/a\x1b[2J\nCOMPLETED b\u009b0m\r\u202ec.txt: it`) {
		t.Errorf("got %q, %q", out, wrong)
	}
}

// TestPrefix: every command that selects executions by the start of their ids does it by --prefix, which a shell completes.
func TestPrefix(t *testing.T) {
	h := &hostileExecutions{}
	gateway := serve(t, h)
	for _, command := range []string{"execution list", "execution watch", "dead-letter list", "dead-letter replay"} {
		args := append(strings.Fields(command), "--gateway", gateway)
		h.prefix = ""
		if _, _, wrong := call(t, nil, append(args, "--prefix", "in/")...); h.prefix != "in/" {
			t.Errorf("%s: the gateway got the prefix %q, %s", command, h.prefix, wrong)
		}
		h.prefix = ""
		if _, _, wrong := call(t, nil, append(append([]string{"__complete"}, args...), "--prefix", "up")...); h.prefix != "up" {
			t.Errorf("%s: completion asks for %q, %s", command, h.prefix, wrong)
		}
		if command == "dead-letter replay" { // whose arguments are ids
			continue
		}
		if code, _, wrong := call(t, nil, append(args, "in/")...); code != 1 || !strings.Contains(wrong, " --help") {
			t.Errorf("%s: an argument: code %d, %s", command, code, wrong)
		}
	}
}

// TestUploadDenied: a wrong secret key is named, with the key that it is the secret of, and without it.
func TestUploadDenied(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte("<Error><Code>SignatureDoesNotMatch</Code><Message>The signature does not match.</Message></Error>"))
	}))
	defer server.Close()
	image := folderOf(t, map[string]string{"a.jpg": jpegStart}) + "/a.jpg"
	t.Setenv(secretKeyVariable, "my-secret")
	for args, want := range map[string]string{
		"":                                      `access key "the-user" and the secret key in key secret-key of secret store`,
		"--access-key me --store " + server.URL: `access denied with access key "me" and the secret key in MINIO_SECRET_KEY`,
	} {
		clients := uploadable(strings.TrimPrefix(server.URL, "http://"))
		code, out, wrong := call(t, clients, append([]string{"upload", image}, strings.Fields(args)...)...)
		if code != 1 || !strings.Contains(out, want) || !strings.Contains(out, "The signature does not match.") ||
			strings.Contains(out, "unavailable") || strings.Contains(out+wrong, "my-secret") {
			t.Errorf("%s: code %d, %s%s\nwant %s", args, code, out, wrong, want)
		}
	}
}

// TestInterrupted: what the user has ended is no fault of the store or of the gateway.
func TestInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // then the server sees that the client has gone
		stop()
		<-r.Context().Done()
	}))
	defer server.Close()
	image := folderOf(t, map[string]string{"a.jpg": jpegStart}) + "/a.jpg"
	clients := uploadable(strings.TrimPrefix(server.URL, "http://"))
	code, out, wrong := callUntil(ctx, clients, "upload", image)
	if code != 1 || out != "not uploaded "+image+": interrupted\n" ||
		wrong != "Error: interrupted: of 1 file, 0 uploaded, 0 refused (see --force) and 1 not uploaded\n" {
		t.Errorf("upload: code %d, %s%s", code, out, wrong)
	}
	code, _, wrong = callUntil(ctx, nil, "execution", "list", "--gateway", serve(t, &hostileExecutions{}))
	if code != 1 || wrong != "Error: interrupted\n" {
		t.Errorf("execution list: code %d, %s", code, wrong)
	}
}
