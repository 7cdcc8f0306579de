package job_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/functions/filter"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// gifOf returns an animation of 16 × 12 pixels with a frame of each colour.
func gifOf(t *testing.T, colours color.Palette) []byte {
	t.Helper()
	all := &gif.GIF{Delay: make([]int, len(colours))}
	for i := range colours {
		all.Image = append(all.Image, image.NewPaletted(image.Rect(0, 0, 16, 12), colours[i:i+1]))
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, all); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A redacted animation moves if the detection examined its frames. Otherwise the output is the frame that
// was examined. A second run finds the output of the first.
func TestRun_redactedAnimation(t *testing.T) {
	put(t, bucket, "hide/a.gif", gifOf(t, color.Palette{color.Gray{0}, color.Gray{99}, color.Gray{198}}))
	run := job.NewRunner(filter.Processor, store, job.NewAdmission(roomy), config).Run
	for i, c := range []struct {
		examined  *imageflowv1.ExaminedFrames
		format    string
		frames    int32
		firstOnly bool
	}{
		{&imageflowv1.ExaminedFrames{Examined: 3, Every: 1, Total: 3}, "image/gif", 3, false},
		{nil, "image/png", 0, true},
	} {
		found := &imageflowv1.DetectionResponse{
			Metadata:   &imageflowv1.DetectionMetadata{ImageWidth: 16, ImageHeight: 12, Frames: c.examined},
			Detections: []*imageflowv1.Detection{{Bbox: &imageflowv1.BoundingBox{X2: 4, Y2: 4}}},
		}
		sideCar, err := protojson.Marshal(found)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("hide/%d", i)
		put(t, bucket, id+"_ai-detection.json", sideCar)
		etags := map[string]bool{}
		for range 2 {
			resp, err := run(t.Context(), &imageflowv1.FilterRequest{
				InputImage: in("hide/a.gif"), ExecutionId: id, FilterType: imageflowv1.FilterType_FILTER_TYPE_FILL,
				Redaction: &imageflowv1.Redaction{Detected: true},
			}, job.FailFast)
			got := resp.GetResult()
			if err != nil || got.GetOutputImage().GetContentType() != c.format || got.GetFrames() != c.frames ||
				got.GetFirstFrameOnly() != c.firstOnly {
				t.Errorf("%v: got %v, %v", c.examined, got, err)
			}
			etags[got.GetOutputImage().GetEtag()] = true
		}
		if len(etags) != 1 {
			t.Errorf("%v: two runs made %d outputs", c.examined, len(etags))
		}
	}
}
