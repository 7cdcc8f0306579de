package gateway_test

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"imageflow.dev/internal/gateway"
)

// twoFrames returns an animation of two frames.
func twoFrames(t *testing.T) []byte {
	t.Helper()
	frame := image.NewPaletted(image.Rect(0, 0, 64, 48), color.Palette{color.Black, color.White})
	frame.Pix[70] = 1
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &gif.GIF{Image: []*image.Paletted{frame, frame}, Delay: []int{5, 5}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// describedImages are requests with images as answers, and the headers of these.
func describedImages(t *testing.T) []describedImage {
	return []describedImage{
		{"resize", jpegOf(t, 640, 480), []string{
			"target_width=320", "encoding.max_bytes=4000", "execution_id=a%b/ü",
		}, map[string]string{
			"Imageflow-Quality": "set", "Imageflow-Bytes": "set", "Imageflow-Pixel-Path": "planar",
			"Imageflow-Execution-Id": "a%25b%2F%C3%BC", "Imageflow-First-Frame-Only": "",
		}},
		{"resize", jpegOf(t, 640, 480), []string{"target_width=320", "execution_id=my cat"}, map[string]string{
			"Imageflow-Quality": "", "Imageflow-Execution-Id": "my cat",
		}},
		{"resize", twoFrames(t), []string{"target_width=32", "output_image.content_type=image/png"}, map[string]string{
			"Imageflow-First-Frame-Only": "true", "Imageflow-Pixel-Path": "general",
		}},
		{"pipeline", twoFrames(t), []string{
			`steps=[{"resize":{"target_width":32}},{"filter":{"filter_type":"FILTER_TYPE_SHARPEN"}}]`,
			"output_image.content_type=image/png",
		}, map[string]string{"Imageflow-First-Frame-Only": "true", "Imageflow-Pixel-Path": "general"}},
		{"pipeline", twoFrames(t), []string{
			`steps=[{"resize":{"target_width":32}},{"filter":{"filter_type":"FILTER_TYPE_SHARPEN"}}]`,
		}, map[string]string{"Imageflow-First-Frame-Only": ""}},
	}
}

type describedImage struct {
	path   string
	file   []byte
	fields []string
	want   map[string]string // "" means no header, and "set" any value
}

// TestForm_headersDescribeTheImage: an answer that is the image says in headers what JSON would say.
func TestForm_headersDescribeTheImage(t *testing.T) {
	s := start(t)
	for _, c := range describedImages(t) {
		resp, data := upload{files: map[string][]byte{"image": c.file}, fields: c.fields}.post(t, s.url+"/v1/"+c.path)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%s %q: %d %s", c.path, c.fields, resp.StatusCode, data)
		}
		for name, want := range c.want {
			if got := resp.Header.Get(name); got != want && (want != "set" || got == "") {
				t.Errorf("%s %q: %s is %q, want %q", c.path, c.fields, name, got, want)
			}
		}
		if size := resp.Header.Get("Imageflow-Bytes"); size != "" && size != strconv.Itoa(len(data)) {
			t.Errorf("%s bytes, but the image has %d", size, len(data))
		}
	}
}

// TestForm_headersOnlyForImages: JSON has the metadata in its body.
func TestForm_headersOnlyForImages(t *testing.T) {
	s := start(t)
	resp, _ := upload{
		files: map[string][]byte{"image": jpegOf(t, 64, 48)}, fields: []string{"target_width=32"}, accept: "application/json",
	}.post(t, s.url+"/v1/resize")
	for name := range resp.Header {
		if strings.HasPrefix(name, "Imageflow-") {
			t.Errorf("JSON with the header %s", name)
		}
	}
}

// TestCORS_exposesHeadersOfImages: a page of another origin can read them.
func TestCORS_exposesHeadersOfImages(t *testing.T) {
	const ours = "https://app.example"
	h := gateway.CORS([]string{ours}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	r := httptest.NewRequest(http.MethodPost, "/v1/resize", nil)
	r.Header.Set("Origin", ours)
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	exposed := answer.Header().Get("Access-Control-Expose-Headers")
	for _, name := range []string{"Retry-After", "Imageflow-Quality", "Imageflow-Bytes", "Imageflow-First-Frame-Only"} {
		if !strings.Contains(exposed+",", name+",") {
			t.Errorf("%s is not in %q", name, exposed)
		}
	}
}
