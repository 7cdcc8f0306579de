package gateway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/imaging"
)

// TestForm_autoByAcceptHeader: the answer to an upload has the smallest of the formats that the
// client accepts, unless the request names them.
func TestForm_autoByAcceptHeader(t *testing.T) {
	s := start(t)
	cat := map[string][]byte{"image": jpegOf(t, 640, 480)}
	steps := `steps=[{"filter":{"filter_type":"FILTER_TYPE_SHARPEN"}},{"resize":{"target_width":160}}]`
	for _, c := range []struct {
		path, accept string
		fields       []string
		types        string // that the answer may have
		encodes      string
	}{
		{"resize", "image/webp", nil, "image/webp", "1"},
		{"resize", "image/webp;q=0, image/png, text/html", nil, "image/png", "1"},
		{"resize", "image/avif,image/webp,*/*;q=0.8", nil, "image/avif image/webp image/jpeg", "4"},
		{"resize", "*/*", nil, "image/jpeg image/png", "2"}, {"resize", "", nil, "image/jpeg image/png", "2"},
		{"resize", "*/*", []string{"encoding.accept=image/webp"}, "image/webp", "1"},
		{"pipeline", "image/webp,image/png", []string{steps}, "image/webp image/png", "2"},
	} {
		fields := append([]string{"output_image.content_type=auto"}, c.fields...)
		if c.path == "resize" {
			fields = append(fields, "target_width=160")
		}
		resp, data := upload{files: cat, fields: fields, accept: c.accept}.post(t, s.url+"/v1/"+c.path)
		h, err := imaging.ParseHeader(data, imaging.Limits{MaxSide: 1000, MaxPixels: 1e6})
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		got := resp.Header.Get("Content-Type")
		if resp.StatusCode != http.StatusOK || !strings.Contains(c.types, got) || h.Format.MediaType() != got || h.Width != 160 {
			t.Errorf("%+v: %d, %s, %s of width %d", c, resp.StatusCode, got, h.Format, h.Width)
		}
		if encodes := resp.Header.Get("Imageflow-Encodes"); encodes != c.encodes {
			t.Errorf("%+v: %s encodes", c, encodes)
		}
	}
}

// TestAcceptedImages follows RFC 9110, 12.5.1.
func TestAcceptedImages(t *testing.T) {
	many := ""
	for i := range 40 {
		many += fmt.Sprintf("image/x-%d;q=0.5,", i)
	}
	for _, c := range []struct{ accept, want string }{
		{"*/*", "image/jpeg image/png"}, {"image/*;q=0.2", "image/jpeg image/png"}, {"", ""}, {"text/html", ""},
		{"image/webp;q=0, */*", "image/jpeg image/png"}, {"image/jpeg;q=0, */*", "image/png"},
		{"image/*;q=0, */*", ""}, {"image/*;q=0, image/png", "image/png"}, {"*/*;q=0, image/webp", "image/webp"},
		{"image/webp, */*;q=0.0", "image/webp"}, {"image/png;q=0.1, image/webp, image/*;q=0.5", "image/webp image/jpeg image/png"},
		{"image/webp;q=0.1, image/webp;q=0", ""}, {"image/avif;q=x", "image/avif"}, {", ,image/webp;", "image/webp"},
	} {
		if got := strings.Join(gateway.AcceptedImages([]string{c.accept}), " "); got != c.want {
			t.Errorf("%q: got %q, want %q", c.accept, got, c.want)
		}
	}
	if got := gateway.AcceptedImages(nil); !slices.Equal(got, []string{"image/jpeg", "image/png"}) {
		t.Errorf("no header: got %v", got)
	}
	if got := gateway.AcceptedImages([]string{many, "image/webp"}); len(got) != 32 || got[0] != "image/webp" {
		t.Errorf("many types: got %v", got)
	}
}

func TestAuto_needsAccept(t *testing.T) {
	s := start(t)
	resp, data := upload{
		files: map[string][]byte{"image": jpegOf(t, 64, 48)}, fields: []string{"target_width=32", "output_image.content_type=auto"},
		accept: "text/html",
	}.post(t, s.url+"/v1/resize")
	if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(data), "encoding.accept") {
		t.Errorf("got %d %s", resp.StatusCode, data)
	}
}

// TestAuto_byJSON: the field works in JSON, whose Accept header means JSON.
func TestAuto_byJSON(t *testing.T) {
	s := start(t)
	body, err := json.Marshal(map[string]any{
		"input_bytes": jpegOf(t, 640, 480), "target_width": 160, "output_image": map[string]any{"content_type": "auto"},
		"encoding": map[string]any{"accept": []string{"image/webp", "image/png"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	resp, text := ask(t, "POST", s.url+"/v1/resize", string(body), "Content-Type", "application/json")
	if resp.StatusCode != http.StatusOK || !strings.Contains(text, `"encodes":"2"`) {
		t.Errorf("got %d %.300s", resp.StatusCode, text)
	}
}
