package console_test

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/console"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// jsonAPI answers as the gateway's JSON API, by method and path with query.
type jsonAPI map[string]func(*http.Request) (int, string)

func (a jsonAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := a[r.Method+" "+r.URL.RequestURI()]
	if answer == nil {
		return nil, errors.New("connection refused")
	}
	w := httptest.NewRecorder()
	code, text := answer(r)
	w.WriteHeader(code)
	_, err := w.WriteString(text)
	return w.Result(), err
}

// says adds an answer.
func (a jsonAPI) says(request string, code int, text string) {
	a[request] = func(*http.Request) (int, string) { return code, text }
}

func jsonOf(t *testing.T, m proto.Message) string {
	t.Helper()
	text, err := protojson.MarshalOptions{UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// newModelPages returns a console at a gateway's JSON API, with a store.
func newModelPages(t *testing.T, api jsonAPI) *deadLetterSystem {
	t.Helper()
	_, store := stores.Start(t, stores.Local, imageBucket)
	pages, err := console.New(console.Config{
		Gateway: api, Store: store, Bucket: imageBucket, ReadFrom: objects.AllowList{imageBucket}, MaxUploadBytes: 1000,
		CallTimeout: time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pages.Close)
	return &deadLetterSystem{T: t, store: store, handler: pages}
}

func labels(n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("class %d", i))
	}
	return all
}

// TestModels lists all models with their state; many classes are shown on request.
func TestModels(t *testing.T) {
	api := jsonAPI{}
	s := newModelPages(t, api)
	api.says("GET /v1/models", http.StatusOK, jsonOf(t, &imageflowv1.ListModelsResponse{Models: []*imageflowv1.Model{
		{
			Name: "coco", Ready: true, Default: true, Layout: "v8", InputWidth: 640, InputHeight: 384, Labels: labels(21),
			Precision: "FP16", Backend: "onnxruntime", Provider: "cuda",
		},
		{Name: "few", Ready: true, Labels: labels(20)},
		{Name: "odd", Reason: "the shape 1×7 fits no layout"},
	}}))
	page := s.get("/models", http.StatusOK)
	s.has(page, "ready", "coco", "default", "v8", "640×384", "cuda", "FP16", "21 classes</summary>", "class 20", "ready", "few",
		"class 19", "refused", "odd", "the shape 1×7 fits no layout")
	if strings.Contains(page, "20 classes</summary>") {
		t.Error("few classes are hidden")
	}
	for text, want := range map[string]string{
		`{"code":14,"message":"the processor does not answer"}`: "The gateway does not answer: the processor does not answer",
		"<html>": "the gateway answers 503",
	} {
		api.says("GET /v1/models", http.StatusServiceUnavailable, text)
		r, w := httptest.NewRequest(http.MethodGet, "/models", nil), httptest.NewRecorder()
		if s.handler.ServeHTTP(w, r); w.Code == http.StatusOK || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", text, w.Code, w.Body)
		}
	}
	delete(api, "GET /v1/models")
	s.has(s.get("/models", http.StatusServiceUnavailable), "connection refused")
	api.says("GET /v1/models", http.StatusOK, `{"models":[`)
	s.has(s.get("/models", http.StatusBadGateway), "not as the contract has it")
	api.says("GET /v1/models", http.StatusOK, strings.Repeat(" ", 17<<20))
	s.has(s.get("/models", http.StatusBadRequest), "larger than")
}

// known is a model that is ready.
func known() *imageflowv1.GetModelResponse {
	return &imageflowv1.GetModelResponse{
		Model: &imageflowv1.Model{Name: "m/1", Ready: true, Layout: "v8"}, LayoutReason: "the only one",
		Inputs: []*imageflowv1.ModelTensor{{Name: "images", Type: "FP32", Shape: []int64{-1, 3, 640, 640}}}, Digest: "cb30bf",
		Preprocessing: &imageflowv1.ModelPreprocessing{ChannelOrder: "rgb", PixelRange: 255}, Notes: []string{"scores are logits"},
	}
}

// TestModel_trial shows the image of the trial from this server, and a refusal in words.
func TestModel_trial(t *testing.T) {
	api := jsonAPI{}
	s := newModelPages(t, api)
	api.says("GET /v1/models/m%2F1", http.StatusOK, jsonOf(t, known()))
	page := s.get("/model?name=m/1", http.StatusOK)
	s.has(page, "m/1", "ready", "v8", "the only one", "rgb", "white is 255", "images", "FP32 ?×3×640×640", "cb30bf",
		"scores are logits")
	api.says("GET /v1/models/m%2F1?trial=true", http.StatusTooManyRequests, `{"code":8,"message":"another trial is running"}`)
	refused := s.submit(page, "Run the trial", http.StatusServiceUnavailable)
	s.has(refused, "The trial did not run: another trial is running", "Run the trial")
	ran := known()
	ran.Trial = &imageflowv1.ModelTrial{
		Image: []byte("\x89PNG\r\n\x1a\n"), ContentType: "image/png",
		Detections: []*imageflowv1.Detection{
			{ClassName: "cat", Confidence: 0.75, Bbox: &imageflowv1.BoundingBox{X1: 1, Y1: 2, X2: 3, Y2: 4}},
		},
	}
	api.says("GET /v1/models/m%2F1?trial=true", http.StatusOK, jsonOf(t, ran))
	page = s.submit(page, "Run the trial", http.StatusOK)
	s.has(page, "The trial", "1 detection.", "cat", "0.750", "1, 2 – 3, 4")
	if got := s.get(imageOf(t, page), http.StatusOK); got != string(ran.GetTrial().GetImage()) {
		t.Errorf("the image is %q", got)
	}
	for range 4 { // later runs take its place
		s.submit(page, "Run the trial", http.StatusOK)
	}
	s.has(s.get(imageOf(t, page), http.StatusNotFound), "no longer kept")
	s.has(s.get("/model?name=", http.StatusBadRequest), "names no model")
	api.says("GET /v1/models/x", http.StatusNotFound, `{"code":5,"message":"there is no model x","details":[]}`)
	s.has(s.get("/model?name=x", http.StatusNotFound), "there is no model x")
}

// imageOf returns the URL of the result's image.
func imageOf(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`src="(/model/result[^"]*)"`).FindStringSubmatch(page)
	if found == nil {
		t.Fatalf("no image:\n%s", page)
	}
	return html.UnescapeString(found[1])
}

// try sends the form of a model with a file, if it has a name, or a key.
func (s *deadLetterSystem) try(name, image, key string, want int) string {
	s.Helper()
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile("image", name)
	if err == nil {
		_, err = part.Write([]byte(image))
	}
	if err := errors.Join(err, form.WriteField("key", key), form.Close()); err != nil {
		s.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/model/try?name=m", &b)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return s.do(r, want)
}

// TestModel_try detects objects in a file or an object, and stores nothing.
func TestModel_try(t *testing.T) {
	api := jsonAPI{}
	s := newModelPages(t, api)
	api.says("GET /v1/models/m", http.StatusOK, jsonOf(t, known()))
	var sent []string
	api["POST /v1/detect"] = func(r *http.Request) (int, string) {
		file, _, err := r.FormFile("image")
		if err != nil {
			return http.StatusBadRequest, `{"code":3,"message":"no image"}`
		}
		image, _ := io.ReadAll(file)
		sent = append(sent, r.FormValue("model_name")+" "+string(image))
		return http.StatusOK, jsonOf(t, &imageflowv1.DetectionResponse{
			Result: &imageflowv1.ProcessingResult{OutputData: image}, Metadata: &imageflowv1.DetectionMetadata{InferenceTimeMs: 12},
			Detections: []*imageflowv1.Detection{{ClassName: hostile[0], Confidence: 0.5}},
		})
	}
	if _, err := s.store.Put(t.Context(), imageBucket, "in/1.png", "image/png", []byte("of the bucket"), nil); err != nil {
		t.Fatal(err)
	}
	page := s.try("my cat.jpg", "GIF89a of mine", "", http.StatusOK)
	inert(t, page)
	s.has(page, "my cat.jpg", "data-detections=", "1 detection in 12 ms", "0.500")
	s.has(s.get(imageOf(t, page), http.StatusOK), "GIF89a of mine")
	s.has(s.get(imageOf(t, page)+"&part=answer", http.StatusOK), `"detections"`, `"class_id"`)
	s.has(s.try("", "", "in/1.png", http.StatusOK), "in/1.png", "data-detections=")
	if got := strings.Join(sent, "|"); got != "m GIF89a of mine|m of the bucket" {
		t.Errorf("sent %q", got)
	}
	s.has(s.try("", "", "", http.StatusBadRequest), "choose a file")
	s.has(s.try("", "", "in/2.png", http.StatusBadRequest), "there is no object", "in/2.png")
	s.has(s.try("a.jpg", strings.Repeat("x", 100<<10), "", http.StatusRequestEntityTooLarge), "larger than")
	api.says("POST /v1/detect", http.StatusBadRequest, `{"code":3,"message":"input_bytes: not an image"}`)
	s.has(s.try("a.jpg", "x", "", http.StatusBadRequest), "The model did not run: input_bytes: not an image")
}

// TestModel_hostile texts are inert and visible in every view.
func TestModel_hostile(t *testing.T) {
	api, list := jsonAPI{}, &imageflowv1.ListModelsResponse{}
	for _, text := range hostile {
		list.Models = append(list.Models, &imageflowv1.Model{
			Name: text, Reason: text, Layout: text, Labels: []string{text}, Provider: text, Precision: text, Version: text,
		})
	}
	about := &imageflowv1.GetModelResponse{
		Model: proto.CloneOf(list.GetModels()[0]), LayoutReason: hostile[1], Notes: hostile, Digest: hostile[3],
	}
	about.Model.Ready, about.Model.Labels = true, hostile
	about.Outputs = []*imageflowv1.ModelTensor{{Name: hostile[2], Type: hostile[0]}}
	s := newModelPages(t, api)
	api.says("GET /v1/models", http.StatusOK, jsonOf(t, list))
	api.says("GET /v1/models/x", http.StatusOK, jsonOf(t, about))
	for _, path := range []string{"/models", "/model?name=x"} {
		page := s.get(path, http.StatusOK)
		inert(t, page)
		s.has(page, "<script>alert(1)</script>")
		s.has(page, "⟨U+202E⟩")
		s.has(page, "line⟨U+000A⟩break")
	}
}
