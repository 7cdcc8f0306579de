package gateway_test

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"imageflow.dev/internal/gateway"
)

// upload is a form: files, and fields in the syntax of curl -F.
type upload struct {
	files  map[string][]byte
	fields []string // name=value
	accept string
	cut    int // number of bytes that are missing at the end
}

func (u upload) post(t *testing.T, url string) (*http.Response, []byte) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, field := range u.fields {
		name, value, _ := strings.Cut(field, "=")
		_ = w.WriteField(name, value)
	}
	for name, data := range u.files {
		file, _ := w.CreateFormFile(name, name+".jpg")
		_, _ = file.Write(data)
	}
	w.Close()
	// A reader of unknown length is sent in chunks, like a pipe into curl.
	req, err := http.NewRequest("POST", url, io.MultiReader(bytes.NewReader(body.Bytes()[:body.Len()-u.cut])))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Accept", "*/*")
	if u.accept != "" {
		req.Header.Set("Accept", u.accept)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, data
}

var formAnswers = []struct {
	path, accept string
	fields       []string
	contentType  string
	width        int    // of the image
	says         string // in JSON
}{
	{"resize", "", []string{"target_width=320"}, "image/jpeg", 320, ""},
	{"resize", "", []string{"targetWidth=320", "output_image.content_type=image/png"}, "image/png", 320, ""},
	{"resize", "", []string{"target_width=320", `output_image={"content_type":"image/png"}`}, "image/png", 320, ""},
	{"resize", "", []string{"target_width=320", "encoding.quality=40", "encoding.progressive=true"}, "image/jpeg", 320, ""},
	{"resize", "", []string{"target_width=320", `encoding={"quality":40}`}, "image/jpeg", 320, ""},
	{"resize", "application/json", []string{"target_width=320"}, "application/json", 0, `"original_width":640`},
	{"resize", "", []string{"target_width=320", "output_image.object_key=small.jpg"}, "application/json", 0,
		`"object_key":"small.jpg"`},
	{"detect", "", nil, "application/json", 0, `"total_detections":`},
	{"detect", "", []string{"draw_boxes=true"}, "image/jpeg", 640, ""},
	{"detect", "application/json, text/plain", []string{"draw_boxes=true"}, "application/json", 0, `"total_detections":`},
	{"filter", "", []string{"filter_type=FILTER_TYPE_SHARPEN", "intensity=1", "parameters[sigma]=2"}, "image/jpeg", 640, ""},
	{"filter", "application/json", []string{"filter_type=FILTER_TYPE_SHARPEN", "intensity=1", `parameters={"sigma":"2"}`},
		"application/json", 0, `"sigma":"2"`},
	{"pipeline", "", []string{`steps=[{"resize":{"target_width":300}},{"detect":{}}]`,
		`steps=[{"resize":{"target_width":200}}]`}, "image/jpeg", 200, ""},
	{"pipeline", "", []string{`steps=[{"resize":{"target_width":300,"encoding":{"quality":95,"chroma":1}}}]`}, "image/jpeg",
		300, ""},
	{"pipeline", "application/json", []string{`steps=[{"resize":{"target_width":300}},{"detect":{}}]`}, "application/json",
		0, `"total_detections":`},
}

// The answer is JSON if the request asks for it.
func TestForm_uploadIsAnsweredWithImage(t *testing.T) {
	s := start(t)
	cat := map[string][]byte{"image": jpegOf(t, 640, 480)}
	for _, c := range formAnswers {
		resp, data := upload{files: cat, fields: c.fields, accept: c.accept}.post(t, s.url+"/v1/"+c.path)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != c.contentType {
			t.Errorf("%s %q: %d, %s %.200s", c.path, c.fields, resp.StatusCode, resp.Header.Get("Content-Type"), data)
			continue
		}
		if c.width == 0 {
			if plain := strings.ReplaceAll(string(data), " ", ""); !strings.Contains(plain, c.says) {
				t.Errorf("%s %q: %.500s", c.path, c.fields, data)
			}
		} else if format, width := describe(t, data); width != c.width || "image/"+format != c.contentType {
			t.Errorf("%s %q: %s of width %d", c.path, c.fields, format, width)
		}
	}
	if keys := s.keys(t); !slices.Equal(keys, []string{"small.jpg", "small.json"}) {
		t.Errorf("stored: %q", keys)
	}
}

func TestForm_storedImageNeedsNoFile(t *testing.T) {
	s := start(t)
	s.put(t, "cat.jpg", jpegOf(t, 640, 480))
	resp, data := upload{fields: []string{"input_image.object_key=cat.jpg", "target_width=320"}}.post(t, s.url+"/v1/resize")
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(data), `cat_resize.jpg`) {
		t.Errorf("%d %s", resp.StatusCode, data)
	}
}

// badForm is a form and a part of the error that answers it.
type badForm struct {
	form upload
	says string
}

func badForms(t *testing.T) []badForm {
	small := map[string][]byte{"image": jpegOf(t, 32, 32)}
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("parameters[%d]=1", i)
	}
	return []badForm{
		{upload{files: small, fields: []string{"target_wdith=1"}}, "target_wdith: no such parameter"},
		{upload{files: small, fields: []string{"target_width=wide"}}, "target_width: "},
		{upload{files: small, fields: []string{"target_width=1", "encoding.lossless=true"}}, "jpeg has no option lossless"},
		{upload{files: small, fields: []string{"target_width=1", "encoding.quality=101"}}, "encoding.quality: "},
		{upload{files: small, fields: []string{"target_width=1", "output_image={"}}, "output_image: "},
		{upload{files: small, fields: []string{"target_width=1", `output_image={"key":"a"}`}}, "output_image.key: no such field"},
		{upload{files: small, fields: []string{"target_width=-1"}}, "target_width: "},
		{upload{files: small, fields: []string{"target_width=1", "execution_id=\xff"}}, "execution_id: not UTF-8"},
		{upload{files: small, fields: []string{"target_width=1", "input_image.object_key=cat.jpg"}}, "exactly one must be given"},
		{upload{files: small, fields: []string{"target_width=1", "input_bytes=AAAA"}}, "more than one image"},
		{upload{files: small, fields: []string{"target_width=1", "image=AAAA"}}, "more than one image"},
		{upload{files: map[string][]byte{"file": {1}}, fields: []string{"target_width=1"}}, "file: a file must be in the field image"},
		{upload{files: map[string][]byte{"image": []byte("dear diary")}, fields: []string{"target_width=1"}},
			`"message":"image: text; supported formats are jpeg, png`},
		{upload{files: map[string][]byte{"image": []byte("dear diary")}, fields: []string{"target_width=1"}},
			`"field_violations":[{"field":"image","description":"text;`},
		{upload{files: map[string][]byte{"image": {}}, fields: []string{"target_width=1"}}, "image: the file is empty"},
		{upload{fields: []string{"target_width=1"}}, "input_image.object_key or image: exactly one must be given"},
		{upload{fields: []string{"target_width=1"}}, `{"field":"image","description":"exactly one must be given"`},
		{upload{fields: []string{"target_width=1", "input_bytes=ZGVhciBkaWFyeQ=="}}, `"message":"input_bytes: text; supported`},
		{upload{fields: []string{"target_width=1", "input_bytes=!"}}, `"message":"input_bytes: not a valid bytes"`},
		{upload{files: map[string][]byte{"image": make([]byte, 1<<20)}, fields: []string{"target_width=1"}}, "the body is too large"},
		{upload{files: small, fields: []string{"execution_id=" + strings.Repeat("x", 256<<10)}},
			"fields and headers are " + tooLong},
		{upload{files: small, fields: many}, "more than 100 fields"},
		{upload{files: small, fields: []string{"target_width=1"}, cut: 30}, "ends too early"},
		{upload{files: small, fields: []string{"target_width=1"}, cut: 4}, "ends too early"}, // the last boundary is cut off
	}
}

func TestForm_refusesBadForms(t *testing.T) {
	s := start(t)
	for _, c := range badForms(t) {
		resp, data := c.form.post(t, s.url+"/v1/resize")
		text := strings.ReplaceAll(strings.ReplaceAll(string(data), `": "`, `":"`), `", "`, `","`)
		if resp.StatusCode != refusal(c.says) || !strings.Contains(text, c.says) || !strings.Contains(text, `"code":`) {
			t.Errorf("%.100q: %d %.300s, want %q", c.form.fields, resp.StatusCode, data, c.says)
		}
	}
	resp, text := ask(t, "POST", s.url+"/v1/resize", "x", "Content-Type", "multipart/form-data")
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("no boundary: %d %s", resp.StatusCode, text)
	}
}

// TestForm_refusesFilesOfOtherRequests: a request without an image takes no file, and a pipeline names the form's field.
func TestForm_refusesFilesOfOtherRequests(t *testing.T) {
	h, err := gateway.New(t.Context(), time.Minute, 1<<20, (&gateway.Executions{Missing: "no store"}).Backend())
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	text := map[string][]byte{"image": []byte("dear diary")}
	for url, c := range map[string]struct{ field, says string }{
		server.URL + "/v1/dead-letters:replay": {"all=true", "image: the request has no image"},
		start(t).url + "/v1/pipeline":          {`steps={"resize":{"target_width":1}}`, "image: text; supported formats"},
	} {
		resp, data := upload{files: text, fields: []string{c.field}}.post(t, url)
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(data), c.says) {
			t.Errorf("%s: %d %s, want %q", url, resp.StatusCode, data, c.says)
		}
	}
}
