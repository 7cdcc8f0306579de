package scenario

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/testing/freeport"
)

// refusal is one kind of error as each transport reports it.
type refusal struct {
	code        codes.Code
	json, event int
}

var (
	invalid     = refusal{codes.InvalidArgument, 400, 400}
	notFound    = refusal{codes.NotFound, 404, 422}
	busy        = refusal{codes.ResourceExhausted, 429, 429}
	unavailable = refusal{codes.Unavailable, 503, 503}
)

// mistake is a bad detect request.
type mistake struct {
	name, key, json, query string
	want                   refusal
	says                   string // part of the message
}

var mistakes = []mistake{
	{"missing object", "nowhere.jpg", `"draw_boxes":false`, "draw_boxes=false", notFound, "nowhere.jpg"},
	{"not an image", "text.jpg", `"draw_boxes":false`, "draw_boxes=false", invalid, "text; supported formats are jpeg, png"},
	{"zero bytes", "empty.jpg", `"draw_boxes":false`, "draw_boxes=false", invalid, "zero bytes"},
	{"threshold 1.5", "in.jpg", `"confidence_threshold":1.5`, "confidence_threshold=1.5", invalid, "confidence_threshold"},
	{"unknown model", "in.jpg", `"model_name":"gpt"`, "model_name=gpt", notFound, "gpt"},
}

// TestErrorTable makes each mistake through each transport and checks code and message, and that
// nothing is written.
func TestErrorTable(t *testing.T) {
	s := local(t, setup{})
	file := contract(t)
	s.place(t, "in.jpg", jpegOf(t, 64, 64))
	s.place(t, "text.jpg", []byte("dear diary"))
	s.place(t, "empty.jpg", nil)
	before := len(s.keys(t, ""))
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) { m.make(t, s, file) })
	}
	if got := s.keys(t, ""); len(got) != before {
		t.Errorf("something was written: %q", got)
	}
}

// TestStoreDown: a processor whose store does not answer reports it through each transport
// and stays alive.
func TestStoreDown(t *testing.T) {
	address := freeport.Address()
	_, port, _ := strings.Cut(address, ":")
	launch(t, "serving", []string{
		"HOST=127.0.0.1", "PORT=" + port, "METRICS_PORT=0",
		"MINIO_ENDPOINT=" + freeport.Address(), "MINIO_ACCESS_KEY=a", "MINIO_SECRET_KEY=b",
		"MODEL_REPOSITORY=functions/detect/model/repository",
	}, "imageflow", "detect")
	s := &system{addresses: map[string]string{"detect": address, "gateway": address}}
	mistake{"", "in.jpg", `"draw_boxes":false`, "draw_boxes=false", unavailable, "object store"}.make(t, s, contract(t))
	if resp, err := http.Get(s.url("detect", "/health/liveness")); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("liveness: %v %v", resp, err)
	}
}

// make makes the mistake through the three protocols.
func (m mistake) make(t testing.TB, s *system, file protoreflect.FileDescriptor) {
	t.Helper()
	body := fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":%q},%s}`, bucket, m.key, m.json)
	_, err := s.caller(t, file, "detect", "AIDetectionService").unary(t, "DetectObjects", body)
	if status.Code(err) != m.want.code || !strings.Contains(status.Convert(err).Message(), m.says) {
		t.Errorf("gRPC: %v, want %v about %q", err, m.want.code, m.says)
	}
	resp, text := post(t, http.DefaultClient, s.url("gateway", "/v1/detect"), body, nil)
	if resp.StatusCode != m.want.json || !strings.Contains(messageOf(text), m.says) {
		t.Errorf("JSON: %s %s, want %d about %q", resp.Status, text, m.want.json, m.says)
	}
	resp, text = post(t, http.DefaultClient, s.url("detect", "/?"+m.query), record(m.key), s.signed(t, binaryEvent, record(m.key)))
	if resp.StatusCode != m.want.event || !strings.Contains(messageOf(text), m.says) {
		t.Errorf("CloudEvents: %s %s, want %d about %q", resp.Status, text, m.want.event, m.says)
	}
}

// messageOf reads the message of a google.rpc.Status.
func messageOf(text string) string {
	var s struct{ Message string }
	_ = json.Unmarshal([]byte(text), &s)
	return s.Message
}

func record(key string) string {
	return fmt.Sprintf(`{"s3":{"bucket":{"name":%q},"object":{"key":%q}}}`, bucket, key)
}

var binaryEvent = map[string]string{
	"Ce-Id": "1", "Ce-Specversion": "1.0", "Ce-Source": "test", "Ce-Type": "com.amazonaws.s3.ObjectCreated:Put",
}

// TestFullQueue: with a queue of length 0, each call is either done or refused as busy, through
// each transport.
func TestFullQueue(t *testing.T) {
	s := local(t, setup{env: []string{"QUEUE_LENGTH=0", "MAX_ACTIVE_JOBS=1"}})
	file := contract(t)
	s.place(t, "big.png", pngOf(t, 2500, 2500))
	body := fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":"big.png"},"target_width":1200,"quality":"RESIZE_QUALITY_BEST"`,
		bucket)
	call := s.caller(t, file, "resize", "ResizeService")
	signed := s.signed(t, binaryEvent, record("big.png"))
	transports := map[string]func(i int) (done, refused bool){
		"gRPC": func(i int) (bool, bool) {
			_, err := call.unary(t, "ResizeImage", fmt.Sprintf(`%s,"execution_id":"g%d"}`, body, i))
			for _, d := range status.Convert(err).Details() {
				if _, ok := d.(*errdetails.RetryInfo); ok {
					return false, status.Code(err) == busy.code
				}
			}
			return err == nil, false
		},
		"JSON": func(i int) (bool, bool) {
			resp, _ := post(t, http.DefaultClient, s.url("gateway", "/v1/resize"), fmt.Sprintf(`%s,"execution_id":"j%d"}`, body, i), nil)
			return resp.StatusCode == 200, resp.StatusCode == busy.json && resp.Header.Get("Retry-After") != ""
		},
		"CloudEvents": func(int) (bool, bool) {
			resp, _ := post(t, http.DefaultClient, s.url("resize", "/?target_width=1200&quality=RESIZE_QUALITY_BEST"),
				record("big.png"), signed)
			return resp.StatusCode == 200, resp.StatusCode == busy.event && resp.Header.Get("Retry-After") != ""
		},
	}
	for name, send := range transports {
		t.Run(name, func(t *testing.T) {
			// The gateway may evict the only call that a processor works on.
			done, refused := 0, 0
			for wave := 0; wave < 10 && (done == 0 || refused == 0); wave++ {
				d, r := callAtOnce(t, 8, func(i int) (bool, bool) { return send(8*wave + i) })
				done, refused = done+d, refused+r
			}
			if done == 0 || refused == 0 {
				t.Errorf("%d done, %d refused: want some of both", done, refused)
			}
		})
	}
}

// callAtOnce makes n calls at once and counts those that were done and refused.
func callAtOnce(t *testing.T, n int, send func(i int) (done, refused bool)) (doneN, refusedN int) {
	t.Helper()
	done, refused := make([]bool, n), make([]bool, n)
	atOnce(n, func(i int) { done[i], refused[i] = send(i) })
	for i := range n {
		if done[i] == refused[i] {
			t.Errorf("call %d: done %v, refused %v", i, done[i], refused[i])
		}
		if done[i] {
			doneN++
		} else {
			refusedN++
		}
	}
	return doneN, refusedN
}

// TestDrain: a stopping processor says so while calls in flight finish.
func TestDrain(t *testing.T) {
	s := local(t, setup{})
	file := contract(t)
	s.place(t, "big.png", pngOf(t, 3000, 3000))
	call := s.caller(t, file, "resize", "ResizeService")
	answer := make(chan error, 1)
	go func() {
		_, err := call.unary(t, "ResizeImage", fmt.Sprintf(
			`{"input_image":{"bucket":%q,"object_key":"big.png"},"target_width":2500,`+
				`"quality":"RESIZE_QUALITY_BEST","execution_id":"late"}`, bucket))
		answer <- err
	}()
	stopped := make(chan error, 1)
	go func() { stopped <- s.stop(t) }()
	eventually(t, "NOT_SERVING", func() bool {
		response, err := call.unary(t, "Health", `{}`)
		return err == nil && field(response, "status").Enum() == 2
	})
	if err := <-answer; err != nil {
		t.Errorf("the call in flight: %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
