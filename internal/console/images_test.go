package console

import (
	"bytes"
	"context"
	"image"
	_ "image/jpeg"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/local/s3server"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/signature"
	"imageflow.dev/internal/testing/freeport"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const imageBucket = "imageflow-files"

// storeConsole returns a console with a store. Its events need no signature.
func storeConsole(t *testing.T) *Console {
	t.Helper()
	t.Chdir(t.TempDir()) // the server changes the folder
	s3, err := s3server.Start(context.Background(), s3server.Config{
		Address: freeport.Address(), Dir: t.TempDir(), AccessKey: "user", SecretKey: "password", Buckets: []string{imageBucket},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s3.Close() })
	store, err := objects.New(objects.Config{Endpoint: s3.Address(), AccessKey: "user", SecretKey: "password", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	signer, err := signature.New(nil, true)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Store: store, Bucket: imageBucket, UploadPrefix: "uploads/", ReadFrom: objects.AllowList{imageBucket}, MaxUploadBytes: 1 << 20,
		Signer: signer, MaxPages: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func getPage(s *Console, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, target, nil))
	return w
}

// sendForm sends a form of one field as a script of the page does.
func sendForm(t *testing.T, s *Console, field, file, content string) *httptest.ResponseRecorder {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	create := form.CreateFormField
	if file != "" {
		create = func(field string) (io.Writer, error) { return form.CreateFormFile(field, file) }
	}
	part, err := create(field)
	if err == nil {
		_, err = io.WriteString(part, content)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/upload", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("X-Requested-With", "fetch")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

var objectLink = regexp.MustCompile(`data-url="(/object\?[^"]+)"`)

// TestSamples: the first page offers three samples; a click on one stores it, and its card shows the image and its bytes.
func TestSamples(t *testing.T) {
	s := storeConsole(t)
	page := getPage(s, "/").Body.String()
	names := regexp.MustCompile(`name="sample" value="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(names) != 3 {
		t.Fatalf("the first page has %d samples", len(names))
	}
	for _, name := range names {
		data := getPage(s, "/static/samples/"+name[1]).Body.Bytes()
		config, format, err := image.DecodeConfig(bytes.NewReader(data))
		if err != nil || format != "jpeg" || config.Width != 1200 || config.Height != 800 || len(data) > 60_000 {
			t.Errorf("%s: %s of %d×%d, %d bytes, %v", name[1], format, config.Width, config.Height, len(data), err)
		}
		answer := sendForm(t, s, "sample", "", name[1])
		card := answer.Body.String()
		if answer.Code != http.StatusOK || !strings.Contains(card, byteCount(int64(len(data)))) || !strings.Contains(card, "pending") {
			t.Errorf("%s: %d %s", name[1], answer.Code, card)
		}
		link := objectLink.FindStringSubmatch(card)
		if link == nil {
			t.Fatalf("the card has no image: %s", card)
		}
		stored := getPage(s, strings.ReplaceAll(link[1], "&amp;", "&"))
		if !bytes.Equal(stored.Body.Bytes(), data) || stored.Header().Get("Content-Type") != "image/jpeg" {
			t.Errorf("%s: the bucket has %d bytes of %s", name[1], stored.Body.Len(), stored.Header().Get("Content-Type"))
		}
	}
	for _, name := range []string{"none.jpg", "../console.css", "..", "", strings.Repeat("x", 100)} {
		if answer := sendForm(t, s, "sample", "", name); answer.Code != http.StatusBadRequest {
			t.Errorf("sample %q: %d", name, answer.Code)
		}
	}
}

// TestUpload_tooLarge: an image over the limit is refused with the limit, also while the browser still sends it.
func TestUpload_tooLarge(t *testing.T) {
	s := storeConsole(t)
	const begin = "--b\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n"
	reader, writer := io.Pipe()
	defer func() { _ = reader.Close() }()
	go func() {
		_, _ = io.WriteString(writer, begin)
		_, _ = io.CopyN(writer, zeros{}, s.config.MaxUploadBytes+1) // and no end
	}()
	r := httptest.NewRequest(http.MethodPost, "/upload", reader)
	r.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusRequestEntityTooLarge || !strings.Contains(w.Body.String(), "larger than 1.0 MB") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestFirstPage_bytes: a browser loads at most 60 kB for the first page, without images.
func TestFirstPage_bytes(t *testing.T) {
	s := storeConsole(t)
	total := getPage(s, "/").Body.Len()
	for _, pattern := range []string{"static/*.js", "static/*.css", "static/*.svg"} {
		files, err := fs.Glob(assets, pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			total += getPage(s, "/"+file).Body.Len()
		}
	}
	if total > 60_000 {
		t.Errorf("the first page has %d bytes", total)
	}
}

// TestRun_images: the sizes of the upload come from the events, and each step with a side-car links to it.
func TestRun_images(t *testing.T) {
	f := newFeed(time.Now, 1)
	created, err := events.NewObjectFound(objects.Info{
		Bucket: imageBucket, Key: "uploads/a.jpg", ETag: "v1", Size: 56461, Modified: time.Now(), ContentType: "image/jpeg",
	})
	if err == nil {
		err = f.take(&created)
	}
	if err != nil {
		t.Fatal(err)
	}
	cause := &created
	for _, step := range []string{"resize", "detect", "filter"} {
		cause = takeStep(t, f, cause, step)
	}
	images := f.get(imageBucket, "uploads/a").Images()
	if len(images) != 4 {
		t.Fatalf("%d images", len(images))
	}
	upload := images[0].Image
	if images[0].Title != "upload" || upload.GetSizeBytes() != 56461 || upload.GetWidth() != 1200 || upload.GetHeight() != 800 {
		t.Errorf("upload: %v", upload)
	}
	const resized = "/object?bucket=imageflow-files&key=uploads%2Fa_resize.json"
	const detected = "/object?bucket=imageflow-files&key=uploads%2Fa_detect.json"
	for i, want := range []struct{ answer, detections string }{{}, {resized, ""}, {detected, detected}, {}} {
		if images[i].Answer != want.answer || images[i].Detections != want.detections {
			t.Errorf("%s: answer %q, detections %q", images[i].Title, images[i].Answer, images[i].Detections)
		}
	}
}

// TestRun_times: the outcome knows less of the time of a step than its event, which has the time of the storing, too.
func TestRun_times(t *testing.T) {
	output := &imageflowv1.ImageData{Bucket: imageBucket, ObjectKey: "uploads/a_resize.jpg", Etag: "v1"}
	result := &imageflowv1.ProcessingResult{OutputImage: output, ProcessingTimeSeconds: 0.108}
	events.StageTime("apply").Set(result, "42")
	events.StageTime("store").Set(result, "66")
	r := &run{}
	r.addStep("resize", result)
	r.end(&imageflowv1.GetExecutionResponse{Steps: []*imageflowv1.ExecutionStep{
		{Name: "resize", OutputImage: output, ProcessingTimeSeconds: 0.042},
		{Name: "detect", OutputImage: &imageflowv1.ImageData{ObjectKey: "uploads/a_ai-detection.jpg"}, ProcessingTimeSeconds: 0.07},
	}})
	if s := r.Steps[0]; s.Seconds != 0.108 || len(s.Stages) != 2 {
		t.Errorf("resize: %v s, stages %v", s.Seconds, s.Stages)
	}
	if s := r.Steps[1]; s.Seconds != 0.07 || len(s.Stages) != 0 {
		t.Errorf("detect, of which no event came: %v s, stages %v", s.Seconds, s.Stages)
	}
}

// TestObject_keysOfNoObject: a key that the store cannot have is 404, not a store that does not answer.
func TestObject_keysOfNoObject(t *testing.T) {
	s := storeConsole(t)
	for _, key := range []string{"a%00", "../x", "a/../x", "a//b", "/x", "none.jpg"} {
		if got := getPage(s, "/object?key="+key); got.Code != http.StatusNotFound {
			t.Errorf("%s: %d %s", key, got.Code, got.Body)
		}
	}
}
