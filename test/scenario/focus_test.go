package scenario

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"image"
	"image/draw"
	"image/jpeg"
	"net/http"
	"os"
	"testing"
)

// TestFocus: crops show what detection finds, by events and in one call.
func TestFocus(t *testing.T) {
	s := withExamples(t)
	photograph := sampleAtTheRight(t)
	t.Run("by events", func(t *testing.T) {
		s.put(t, "focus/street.jpg", "image/jpeg", photograph)
		eventually(t, "the tag of a completed chain", func() bool { return s.tag(t, "focus/street.jpg") == "completed" })
		if got := s.size(t, "focus/street_resize.jpg"); got != image.Pt(320, 320) {
			t.Errorf("the output has %v pixels", got)
		}
		s.checkFocus(t, "focus/street")
	})
	t.Run("in one call", func(t *testing.T) {
		s.place(t, "calls/street.jpg", photograph)
		code, answer := s.pipeline(t, `{"input_image":{"object_key":"calls/street.jpg"},"steps":[{"detect":{}},{"resize":{
			"target_width":200,"object_crop":"OBJECT_CROP_ALL","objects":{"detected":true,"margin":0.05,"on_none":"ON_NONE_FAIL"}}}]}`)
		if code != http.StatusOK || answer.Output.Key != "calls/street_resize.jpg" {
			t.Fatalf("%d %+v", code, answer)
		}
		s.checkFocus(t, "calls/street")
	})
	t.Run("as crops", func(t *testing.T) { s.checkCrops(t, photograph) })
}

// checkCrops cuts the objects out of an image in the store and of one in the request.
func (s *system) checkCrops(t *testing.T, photograph []byte) {
	t.Helper()
	s.place(t, "crops/street.jpg", photograph)
	for _, input := range []string{
		`"input_image":{"object_key":"crops/street.jpg"}`, `"input_bytes":"` + base64.StdEncoding.EncodeToString(photograph) + `"`,
	} {
		resp, text := post(t, http.DefaultClient, s.url("gateway", "/v1/detect"), `{`+input+`,"crops":{"max_count":2}}`, nil)
		var answer struct {
			Crops []struct {
				Box   struct{ X1, Y1, X2, Y2 int }
				Image struct {
					Key string `json:"object_key"`
				}
				Data []byte
			}
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Crops) != 2 {
			t.Fatalf("%s %.300s %v", resp.Status, text, err)
		}
		for _, c := range answer.Crops {
			if c.Image.Key != "" {
				c.Data = s.get(t, c.Image.Key)
			}
			m, err := jpeg.DecodeConfig(bytes.NewReader(c.Data))
			if err != nil || m.Width != c.Box.X2-c.Box.X1 || m.Height != c.Box.Y2-c.Box.Y1 {
				t.Errorf("crop %+v: %v, %v", c.Box, m, err)
			}
		}
	}
}

// sampleAtTheRight returns the sample at the right end of a wide image.
func sampleAtTheRight(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile("../images/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	sample, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	size := sample.Bounds().Size()
	m := image.NewRGBA(image.Rect(0, 0, 3*size.X, size.Y))
	draw.Draw(m, m.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(m, image.Rect(2*size.X, 0, 3*size.X, size.Y), sample, sample.Bounds().Min, draw.Src)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkFocus compares what the resize of an execution shows with what its detection found.
func (s *system) checkFocus(t *testing.T, execution string) {
	t.Helper()
	var found struct {
		Detections []struct {
			Bbox struct{ X1, Y1, X2, Y2 float64 }
		}
	}
	if err := json.Unmarshal(s.get(t, execution+"_ai-detection.json"), &found); err != nil || len(found.Detections) == 0 {
		t.Fatalf("found %d objects, %v", len(found.Detections), err)
	}
	var resized struct {
		Width  float64                          `json:"output_width"`
		Height float64                          `json:"output_height"`
		Map    struct{ XX, X0, YY, Y0 float64 } `json:"original_from_output"`
	}
	if err := json.Unmarshal(s.get(t, execution+"_resize.json"), &resized); err != nil {
		t.Fatal(err)
	}
	left, right := resized.Map.X0, resized.Map.X0+resized.Width*resized.Map.XX
	whole := 0
	for _, d := range found.Detections {
		if d.Bbox.X1 >= left && d.Bbox.X2 <= right {
			whole++
		}
	}
	if whole == 0 || whole < len(found.Detections)/2 {
		t.Errorf("columns %.0f to %.0f show %d of %+v", left, right, whole, found.Detections)
	}
}
