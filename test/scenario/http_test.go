package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// post posts and returns the answer with its body read.
func post(t testing.TB, client *http.Client, url, body string, header map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// TestWorkflowBodiesChain posts the bodies of Argo's HTTP steps one after the other. Each step
// finds the output of the previous step by the names of the contract.
func TestWorkflowBodiesChain(t *testing.T) {
	s := local(t, setup{})
	s.place(t, "run-7.png", pngOf(t, 1000, 1000))
	steps := []struct{ path, body, output string }{
		{"/v1/resize", `{"input_image":{"bucket":"imageflow-files","object_key":"run-7.png"},"target_width":800,"target_height":600,
			"maintain_aspect_ratio":true,"quality":"RESIZE_QUALITY_GOOD","execution_id":"run-7"}`, "run-7_resize.png"},
		{"/v1/detect", `{"input_image":{"bucket":"imageflow-files","object_key":"run-7_resize.png"},"model_name":"yolo",
			"confidence_threshold":0.5,"nms_threshold":0.4,"draw_boxes":true,"execution_id":"run-7"}`, "run-7_ai-detection.png"},
		{"/v1/filter", `{"input_image":{"bucket":"imageflow-files","object_key":"run-7_ai-detection.png"},
			"filter_type":"FILTER_TYPE_BLUR","intensity":1.0,"execution_id":"run-7"}`, "run-7_filter.png"},
	}
	for _, step := range steps {
		resp, body := post(t, http.DefaultClient, s.url("gateway", step.path), step.body, nil)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %s", step.path, resp.Status, body)
		}
		var answer struct {
			Result struct {
				Status      string
				OutputImage struct {
					Key string `json:"object_key"`
				} `json:"output_image"`
			}
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			t.Fatal(err)
		}
		if answer.Result.OutputImage.Key != step.output || answer.Result.Status != "PROCESSING_STATUS_COMPLETED" {
			t.Fatalf("%s: %s", step.path, body)
		}
		if got := s.size(t, step.output); got.X != 600 || got.Y != 600 {
			t.Errorf("%s is %v", step.output, got)
		}
	}
}

// TestBytesInBytesOut: callers without a bucket send and receive bytes.
func TestBytesInBytesOut(t *testing.T) {
	s := local(t, setup{})
	body, err := json.Marshal(map[string]any{
		"input_bytes": jpegOf(t, 640, 480), "target_width": 64, "output_image": map[string]string{"content_type": "image/png"},
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, text := post(t, http.DefaultClient, s.url("gateway", "/v1/resize"), string(body), nil)
	var answer struct {
		Result struct {
			Data []byte `json:"output_data"`
		}
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %.300s %v", resp.Status, text, err)
	}
	if !bytes.HasPrefix(answer.Result.Data, []byte("\x89PNG")) {
		t.Errorf("not a PNG: % x", answer.Result.Data[:8])
	}
	if keys := s.keys(t, ""); len(keys) != 0 {
		t.Errorf("written: %q", keys)
	}
}

// answeredHeader has the starts of the attributes of the event that answers the upload of
// träum/e.jpg.
var answeredHeader = map[string]string{
	"Ce-Type": "dev.imageflow.resize.completed.v1", "Ce-Causationid": "1", "Ce-Correlationid": "1",
	"Ce-Subject": "tr%C3%A4um/e", "Ce-Origin": "s3://imageflow-files/tr%25C3%25A4um/e.jpg",
}

// TestEventIsAnsweredByTheNext: a step answers an event with the next one, in both modes and over
// both protocols.
func TestEventIsAnsweredByTheNext(t *testing.T) {
	s := local(t, setup{})
	s.place(t, "träum/e.jpg", jpegOf(t, 300, 200))
	const data = `{"s3":{"bucket":{"name":"imageflow-files"},"object":{"key":"tr%C3%A4um%2Fe.jpg"}}}`
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	binary := s.signed(t, binaryEvent, data)
	binary["Ce-Traceparent"] = trace
	modes := map[string]struct {
		body   string
		header map[string]string
	}{
		"binary": {data, binary},
		"structured": {
			fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"test","type":"com.amazonaws.s3.ObjectCreated:Put","traceparent":%q,
				"imageflowsig":%q,"datacontenttype":"application/json","data":  %s}`, trace, binary["Ce-Imageflowsig"], data),
			map[string]string{"Content-Type": "application/cloudevents+json"},
		},
	}
	for mode, m := range modes {
		for protocol, client := range map[string]*http.Client{"HTTP/1.1": http.DefaultClient, "HTTP/2.0": h2c} {
			t.Run(mode+" "+protocol, func(t *testing.T) {
				resp, body := post(t, client, s.url("resize", "/?target_width=30&quality=RESIZE_QUALITY_FAST"), m.body, m.header)
				if resp.StatusCode != http.StatusOK || resp.Proto != protocol {
					t.Fatalf("%s %s: %s", resp.Proto, resp.Status, body)
				}
				for name, value := range answeredHeader {
					if got := resp.Header.Get(name); !strings.HasPrefix(got, value) {
						t.Errorf("%s is %q, want %q", name, got, value)
					}
				}
				if !strings.Contains(resp.Header.Get("Ce-Traceparent"), trace[3:35]) {
					t.Errorf("the trace is lost: %q", resp.Header.Get("Ce-Traceparent"))
				}
				if !strings.Contains(body, "träum/e_resize.jpg") {
					t.Errorf("data: %s", body)
				}
			})
		}
	}
}
