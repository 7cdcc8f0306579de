package gateway_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// lookup starts a gateway and returns a function that looks up an execution by its path.
func lookup(t *testing.T, x *gateway.Executions) func(path string) (int, *imageflowv1.GetExecutionResponse, string) {
	t.Helper()
	h, err := gateway.New(t.Context(), time.Minute, maxBody, x.Backend())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return func(path string) (int, *imageflowv1.GetExecutionResponse, string) {
		t.Helper()
		if !strings.HasPrefix(path, "?") {
			path = "/" + path
		}
		resp, err := http.Get(server.URL + "/v1/executions" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		r := &imageflowv1.GetExecutionResponse{}
		if resp.StatusCode == http.StatusOK && !strings.HasPrefix(path, "?") {
			if err := protojson.Unmarshal(body, r); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
		}
		return resp.StatusCode, r, string(body)
	}
}

// failedExecution is an execution whose first step is done and whose second has failed.
type failedExecution struct {
	id             string
	source, output objects.Info
}

func putFailedExecution(t *testing.T, store *objects.Store, deadLetters execution.DeadLetterStore) failedExecution {
	t.Helper()
	put := func(key, contentType string, metadata map[string]string) objects.Info {
		t.Helper()
		info, err := store.Put(t.Context(), "pictures", key, contentType, []byte(key), metadata)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	x := failedExecution{id: "in/a cat ü"}
	x.source = put(x.id+".jpg", "image/jpeg", nil)
	metadata := map[string]string{
		"imageflow-execution": x.id, "imageflow-step": "resize", "imageflow-source-etag": x.source.ETag, "imageflow-seconds": "0.125",
		"imageflow-variant": "small",
	}
	x.output = put(x.id+"_resize-small.png", "image/png", metadata)
	put(x.id+"_resize-small.json", "application/json", metadata)
	for _, format := range []string{"avif", "webp"} { // for signed URLs: no steps
		view := maps.Clone(metadata)
		req := &imageflowv1.ResizeRequest{OutputImage: &imageflowv1.ImageData{ContentType: "image/" + format}}
		var err error
		if view["imageflow-variant"], err = execution.ViewVariant(req); err != nil {
			t.Fatal(err)
		}
		put(x.id+"_resize-"+view["imageflow-variant"]+"."+format, "image/"+format, view)
	}
	if err := deadLetters.Put(t.Context(), &execution.DeadLetter{
		Execution: x.id, Bucket: "pictures", ETag: x.source.ETag, EventID: "1", Code: 400, Attempts: 1, Reason: "no model",
		Step: "http://detect/",
	}); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x failedExecution) check(t *testing.T, r *imageflowv1.GetExecutionResponse) {
	t.Helper()
	if r.GetExecutionId() != x.id || r.GetStatus() != imageflowv1.ProcessingStatus_PROCESSING_STATUS_FAILED ||
		len(r.GetSteps()) != 1 {
		t.Fatalf("got %v", r)
	}
	if s := r.GetSource(); s.GetObjectKey() != x.id+".jpg" || s.GetBucket() != "pictures" || s.GetEtag() != x.source.ETag ||
		s.GetContentType() != "image/jpeg" {
		t.Errorf("the source is %v", s)
	}
	s := r.GetSteps()[0]
	if s.GetName() != "resize" || s.GetVariant() != "small" || s.GetOutputImage().GetEtag() != x.output.ETag ||
		s.GetSideCar() != x.id+"_resize-small.json" ||
		s.GetProcessingTimeSeconds() != 0.125 ||
		time.Since(s.GetFinishedAt().AsTime()) > time.Minute ||
		s.GetStatus() != imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED {
		t.Errorf("the step is %v", s)
	}
	f := r.GetFailure()
	if f.GetReason() != "no model" || f.GetCode() != 400 || f.GetAttempts() != 1 || f.GetStep() != "http://detect/" ||
		f.GetDeadLetter() != "pictures/"+x.id+"/1.json" {
		t.Errorf("the failure is %v", f)
	}
}

var failedLookups = []struct {
	path string
	code int
	says string
}{
	{"in/a%20cat", http.StatusNotFound, `has no execution`},
	{"in/a%20cat%20%C3%BC?bucket=others", http.StatusNotFound, `others`},
	{"in/a?bucket=no-such-bucket", http.StatusNotFound, `no-such-bucket`},
	{"in/a?bucket=NO", http.StatusBadRequest, "bucket: "},
	{"in%2F..%2Fa", http.StatusBadRequest, "execution_id: "},
	{"in/%ff", http.StatusBadRequest, "the path is not UTF-8"},
}

func TestGetExecution_failedExecution(t *testing.T) {
	_, store := stores.Start(t, stores.Local, "pictures", "others", "dead")
	deadLetters := execution.NewDeadLetterStore(store, "dead")
	ask := lookup(t, &gateway.Executions{Store: store, DeadLetters: deadLetters, Bucket: "pictures"})
	x := putFailedExecution(t, store, deadLetters)
	for _, path := range []string{"in/a%20cat%20%C3%BC", url.PathEscape(x.id), "in/a%20cat%20%C3%BC?bucket=pictures"} {
		code, r, body := ask(path)
		if code != http.StatusOK || !strings.Contains(body, `"execution_id"`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
		x.check(t, r)
	}
	limited := lookup(t, &gateway.Executions{Store: store, DeadLetters: deadLetters, Bucket: "pictures",
		ReadFrom: objects.AllowList{"pictures/in/"}})
	if code, r, _ := limited("in/a%20cat%20%C3%BC"); code != http.StatusOK {
		t.Errorf("within READ_FROM: %d", code)
	} else {
		x.check(t, r)
	}
	for _, path := range []string{"in/a?bucket=dead", "in/a?bucket=others", "elsewhere/a"} {
		if code, _, body := limited(path); code != http.StatusBadRequest || !strings.Contains(body, "READ_FROM") {
			t.Errorf("%s outside READ_FROM: %d %s", path, code, body)
		}
	}
	for _, c := range failedLookups {
		code, _, body := ask(c.path)
		var answer struct{ Message string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil || code != c.code || !strings.Contains(answer.Message, c.says) {
			t.Errorf("%s: %d %s, want %d and %q", c.path, code, body, c.code, c.says)
		}
	}
}

func TestGetExecution_missingOrUnreachableStore(t *testing.T) {
	ask := lookup(t, &gateway.Executions{Missing: "MINIO_ENDPOINT is not set"})
	if code, _, body := ask("cat"); code != http.StatusNotImplemented || !strings.Contains(body, "MINIO_ENDPOINT is not set") {
		t.Errorf("without a store: %d %s", code, body)
	}
	unreachable, err := objects.New(objects.Config{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "b", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	ask = lookup(t, &gateway.Executions{
		Store: unreachable, DeadLetters: execution.NewDeadLetterStore(unreachable, "dead"), Bucket: "pictures",
	})
	if code, _, body := ask("cat"); code != http.StatusServiceUnavailable ||
		!strings.Contains(body, "the object store does not answer") {
		t.Errorf("with an unreachable store: %d %s", code, body)
	}
}
