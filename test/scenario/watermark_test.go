package scenario

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"testing"
)

// watermarks are the fields of a watermark, after the original contract.
const watermarks = `
message MarkedRequest {
  ImageData input_image = 1;
  int32 filter_type = 2;
  float intensity = 3;
  string execution_id = 5;
  Watermark watermark = 9;
}
message Watermark {
  ImageData image = 1;
  int32 gravity = 3;
  int32 margin = 4;
}
service Marks { rpc ApplyFilter(MarkedRequest) returns (FilterResponse); }
`

// markRequest is a request for the mark at a key, in the bottom right corner.
const markRequest = `{"input_image":{"object_key":"in.png"},"execution_id":%q,"filter_type":7,"intensity":0.5,
	"watermark":{"image":{"object_key":%q},"gravity":9,"margin":5}}`

// TestWatermark draws a mark of the bucket by each transport.
func TestWatermark(t *testing.T) {
	s := local(t, setup{})
	s.place(t, "in.png", plainPNG(t, 60, 40, color.NRGBA{0, 100, 200, 255}))
	s.place(t, "marks/logo.png", plainPNG(t, 10, 10, color.NRGBA{255, 0, 100, 255}))
	const query = "/?filter_type=FILTER_TYPE_WATERMARK&intensity=0.5&watermark.image.object_key=marks/logo.png" +
		"&watermark.gravity=GRAVITY_BOTTOM_RIGHT&watermark.margin=5&execution_id=by-event"
	event := s.signed(t, binaryEvent, record("in.png"))
	resp, text := post(t, http.DefaultClient, s.url("filter", query), record("in.png"), event)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("CloudEvents: %s %s", resp.Status, text)
	}
	gateway := s.url("gateway", "/v1/filter")
	resp, text = post(t, http.DefaultClient, gateway, fmt.Sprintf(markRequest, "by-json", "marks/logo.png"), nil)
	if resp.StatusCode != http.StatusOK {
		t.Errorf("JSON: %s %s", resp.Status, text)
	}
	s.markByGRPC(t)
	for _, key := range []string{"by-event_filter.png", "by-json_filter.png", "by-grpc_filter.png"} {
		got := s.decode(t, key)
		for at, want := range map[image.Point]color.NRGBA{
			{45, 25}: {128, 50, 150, 255}, {54, 34}: {128, 50, 150, 255}, {44, 25}: {0, 100, 200, 255}, {55, 34}: {0, 100, 200, 255},
		} {
			if c := color.NRGBAModel.Convert(got.At(at.X, at.Y)); c != want {
				t.Errorf("%s: the pixel at %v is %v, want %v", key, at, c, want)
			}
		}
	}
	resp, text = post(t, http.DefaultClient, gateway, fmt.Sprintf(markRequest, "none", "marks/none.png"), nil)
	const missing = `watermark.image.object_key: no object "marks/none.png" in bucket "imageflow-files"`
	if resp.StatusCode != http.StatusNotFound || messageOf(text) != missing {
		t.Errorf("a missing mark: %s %s", resp.Status, text)
	}
}

func (s *system) markByGRPC(t *testing.T) {
	t.Helper()
	c := s.caller(t, contract(t, watermarks), "filter", "Marks")
	_, m := c.method("ApplyFilter")
	request := message(t, m.Input(), fmt.Sprintf(markRequest, "by-grpc", "marks/logo.png"))
	answer := message(t, m.Output(), "{}")
	if err := c.conn.Invoke(t.Context(), "/imageflow.v1.FilterService/ApplyFilter", request, answer); err != nil {
		t.Errorf("gRPC: %v", err)
	}
}

// plainPNG returns a PNG of one colour.
func plainPNG(t testing.TB, width, height int, c color.NRGBA) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		m.SetNRGBA(i%width, i/width, c)
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
