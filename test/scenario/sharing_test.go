package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"net/http"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// resized is the answer to a resize.
type resized struct {
	Result struct {
		Output struct {
			Key           string `json:"object_key"`
			ETag          string
			Width, Height int
		} `json:"output_image"`
	}
	Renditions []resized
}

// resizes are the ways to call resize. Each takes an execution id, an input and fields of the request in JSON, and
// returns the answer.
var resizes = map[string]func(s *system, t *testing.T, id, input, fields string) (answer resized){
	"JSON": func(s *system, t *testing.T, id, input, fields string) (answer resized) {
		s.answer(t, "/v1/resize", fmt.Sprintf(`{"input_image":{"object_key":%q},"execution_id":%q,%s}`, input, id, fields), &answer)
		return answer
	},
	"pipeline": func(s *system, t *testing.T, id, input, fields string) resized {
		var answer struct{ Steps []map[string]resized }
		s.answer(t, "/v1/pipeline", fmt.Sprintf(`{"input_image":{"object_key":%q},"execution_id":%q,"steps":[{"resize":{%s}},
			{"filter":{"filter_type":"FILTER_TYPE_SATURATION","intensity":0.5}}]}`, input, id, fields), &answer)
		main, filtered := answer.Steps[0]["resize"], answer.Steps[1]["filter"]
		if got, want := filtered.Result.Output, main.Result.Output; got.Width != want.Width || got.Height != want.Height {
			t.Errorf("the next step got %d×%d pixels, not the main output of %d×%d", got.Width, got.Height, want.Width, want.Height)
		}
		return main
	},
	"gRPC stream": func(s *system, t *testing.T, id, input, fields string) resized {
		return s.streamed(t, fmt.Sprintf(`{"input_image":{"object_key":%q},"execution_id":%q,%s}`, input, id, fields))
	},
}

// answer posts to the gateway.
func (s *system) answer(t *testing.T, path, body string, answer any) {
	t.Helper()
	resp, text := post(t, http.DefaultClient, s.url("gateway", path), body, nil)
	if err := json.Unmarshal([]byte(text), answer); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %.300s %v", path, resp.Status, text, err)
	}
}

// streamed sends a request twice in one stream. The second answer must name the same outputs.
func (s *system) streamed(t *testing.T, body string) (first resized) {
	t.Helper()
	stream, err := imageflowv1.NewResizeServiceClient(dial(t, s.addresses["resize"])).ResizeImageStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	req := &imageflowv1.ResizeRequest{}
	if err := protojson.Unmarshal([]byte(body), req); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if err := stream.Send(req); err != nil {
			t.Fatal(err)
		}
		resp, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(resp)
		var answer resized
		if err != nil || json.Unmarshal(text, &answer) != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if i == 0 {
			first = answer
		} else if fmt.Sprint(answer) != fmt.Sprint(first) {
			t.Errorf("the repeated request answers %v, not %v", answer, first)
		}
	}
	return first
}

// made is an output: what follows the execution id in its key, its size, the number of its frames, and the red
// value of its left edge.
type made struct {
	suffix string
	size   image.Point
	frames int
	red    uint8
}

// sharing are requests with several outputs of one image, the main one first.
var sharing = map[string]struct {
	input, fields string
	outputs       []made
}{
	"photograph": {"in.jpg", `"target_width":400,"renditions":[{"variant":"small","target_width":200,"encoding":{"quality":50}},
		{"variant":"square","target_width":80,"target_height":80,"fit":"FIT_COVER","content_type":"image/png"}]`, []made{
		{"_resize.jpg", image.Pt(400, 300), 1, 0}, {"_resize-small.jpg", image.Pt(200, 150), 1, 0},
		{"_resize-square.png", image.Pt(80, 80), 1, 32}, // an eighth of the width is cut off
	}},
	"crop": {"in.jpg", `"crop":{"left":320,"top":240,"width":320,"height":240},"target_width":160,"renditions":[
		{"variant":"half","target_width":80},{"variant":"png","target_width":80,"content_type":"image/png"}]`, []made{
		{"_resize.jpg", image.Pt(160, 120), 1, 128}, {"_resize-half.jpg", image.Pt(80, 60), 1, 128},
		{"_resize-png.png", image.Pt(80, 60), 1, 128},
	}},
	"animated GIF": {"in.gif", `"target_width":80,"renditions":[{"variant":"half","target_width":40},
		{"variant":"web","target_width":60,"content_type":"image/webp"},
		{"variant":"still","target_width":60,"content_type":"image/png"}]`, []made{
		{"_resize.gif", image.Pt(80, 60), 4, 0}, {"_resize-half.gif", image.Pt(40, 30), 4, 0},
		{"_resize-web.webp", image.Pt(60, 45), 4, 0}, {"_resize-still.png", image.Pt(60, 45), 1, 0},
	}},
	"animated WebP": {"in.webp", `"target_width":80,"renditions":[{"variant":"half","target_width":40},
		{"variant":"gif","target_width":60,"content_type":"image/gif"}]`, []made{
		{"_resize.webp", image.Pt(80, 60), 4, 0}, {"_resize-half.webp", image.Pt(40, 30), 4, 0},
		{"_resize-gif.gif", image.Pt(60, 45), 4, 0},
	}},
}

// reds are the red values of the frames of an animation.
var reds = []uint8{0, 80, 160, 240}

// animatedGIF returns an animation with a frame of each red.
func animatedGIF(t *testing.T, width, height int) []byte {
	t.Helper()
	all := &gif.GIF{}
	for _, red := range reds {
		colours := append(color.Palette{color.RGBA{R: red, A: 255}}, palette.WebSafe...)
		frame := image.NewPaletted(image.Rect(0, 0, width, height), colours)
		draw.Draw(frame, frame.Bounds(), image.NewUniform(color.RGBA{R: red, A: 255}), image.Point{}, draw.Src)
		all.Image, all.Delay = append(all.Image, frame), append(all.Delay, 10)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSharing: whoever asks, and in which way, gets all outputs of a request, with all frames of an animation.
func TestSharing(t *testing.T) {
	s := local(t, setup{})
	s.place(t, "in.jpg", jpegOf(t, 640, 480))
	s.place(t, "in.gif", animatedGIF(t, 120, 90))
	s.answer(t, "/v1/resize", `{"input_image":{"object_key":"in.gif"},"rotate":180,"output_image":{"object_key":"in.webp",
		"content_type":"image/webp"}}`, &resized{})
	for way, resize := range resizes {
		for name, c := range sharing {
			t.Run(way+" "+name, func(t *testing.T) {
				id := t.Name()
				answer := resize(s, t, id, c.input, c.fields)
				answers := append([]resized{answer}, answer.Renditions...)
				if len(answers) != len(c.outputs) {
					t.Fatalf("%d answers, want %d: %v", len(answers), len(c.outputs), answers)
				}
				for i, want := range c.outputs {
					got := answers[i].Result.Output
					if got.Key != id+want.suffix || image.Pt(got.Width, got.Height) != want.size {
						t.Errorf("answer %d is %v, want %v", i, got, want)
					}
					s.checkMade(t, id, want)
				}
				if keys := s.keys(t, id+"_resize"); len(keys) != 2*len(c.outputs) {
					t.Errorf("%d outputs and their side-cars are %q", len(c.outputs), keys)
				}
			})
		}
	}
}

// checkMade checks an output in the bucket.
func (s *system) checkMade(t *testing.T, id string, want made) {
	t.Helper()
	suffix := want.suffix
	data := s.get(t, id+suffix)
	if size := s.sizeOf(t, id+suffix); size != want.size {
		t.Errorf("%s is %v, want %v", suffix, size, want.size)
	}
	if bytes.HasPrefix(data, []byte("RIFF")) { // which Go does not decode
		if got := bytes.Count(data, []byte("ANMF")); got != want.frames {
			t.Errorf("%s has %d frames, want %d", suffix, got, want.frames)
		}
		return
	}
	m, format, err := image.Decode(bytes.NewReader(data))
	if err != nil || m.Bounds().Size() != want.size {
		t.Fatalf("%s: %v, %v", suffix, m, err)
	}
	frames := []image.Image{m}
	if format == "gif" {
		frames = framesOf(t, data)
	}
	if len(frames) != want.frames {
		t.Fatalf("%s has %d frames, want %d", suffix, len(frames), want.frames)
	}
	for i, frame := range frames {
		r, _, _, _ := frame.At(0, want.size.Y/2).RGBA()
		if got, want := int(r>>8), int(max(want.red, reds[i])); got < want-12 || got > want+12 {
			t.Errorf("frame %d of %s has the red %d at the left edge, want %d", i, suffix, got, want)
		}
	}
}

// framesOf returns what an animation of opaque frames shows.
func framesOf(t *testing.T, data []byte) (frames []image.Image) {
	t.Helper()
	all, err := gif.DecodeAll(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	shown := image.NewRGBA(image.Rect(0, 0, all.Config.Width, all.Config.Height))
	for _, frame := range all.Image {
		draw.Draw(shown, frame.Bounds(), frame, frame.Bounds().Min, draw.Over)
		frames = append(frames, &image.RGBA{Pix: bytes.Clone(shown.Pix), Stride: shown.Stride, Rect: shown.Rect})
	}
	return frames
}
