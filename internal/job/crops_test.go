package job_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type detectRequest = imageflowv1.DetectionRequest

// cropping returns a detection that makes two crops of a size in bytes and calls each, and the number of
// its runs.
func cropping(size int, each func()) (run func(*testing.T, *detectRequest) (*imageflowv1.DetectionResponse, error), runs *int) {
	runs = new(int)
	do := detecting(func(ctx context.Context, _ functions.Request, in functions.Input) (imaging.Encoded, functions.Response, error) {
		*runs++
		each()
		out, err := in.Image.Convert(ctx, in.Format)
		resp := &imageflowv1.DetectionResponse{Result: &imageflowv1.ProcessingResult{}}
		for i := range int32(2) {
			resp.Crops = append(resp.Crops, &imageflowv1.DetectionCrop{
				Detection: i, Image: &data{ContentType: "image/png", Width: 3, Height: 2}, Data: bytes.Repeat([]byte{byte(i)}, size),
			})
		}
		return out, resp, err
	})
	return func(t *testing.T, r *detectRequest) (*imageflowv1.DetectionResponse, error) {
		r.Crops = &imageflowv1.DetectionCrops{}
		resp, err := do(t.Context(), r, job.FailFast)
		typed, _ := resp.(*imageflowv1.DetectionResponse)
		return typed, err
	}, runs
}

// Crops are written beside the output, once, and the response and the side-car list them.
func TestRun_crops(t *testing.T) {
	put(t, bucket, "crops/a.png", pngOf(t, 16, 12))
	run, runs := cropping(9, noWait)
	want := []string{"crops/a.png_ai-detection-crop-1.png", "crops/a.png_ai-detection-crop-2.png"}
	var answers []string
	for range 2 { // the second time by a cache hit
		resp, err := run(t, &detectRequest{InputImage: in("crops/a.png")})
		if err != nil || len(resp.GetCrops()) != 2 || *runs != 1 {
			t.Fatal(resp, err, *runs)
		}
		for i, c := range resp.GetCrops() {
			at := c.GetImage()
			content, info, err := store.Get(t.Context(), at.GetBucket(), at.GetObjectKey(), at.GetEtag(), 100)
			if err != nil || at.GetObjectKey() != want[i] || len(c.GetData()) != 0 || len(content) != 9 ||
				content[0] != byte(i) || info.Metadata["imageflow-crop"] != fmt.Sprint(i+1) {
				t.Errorf("%v: %v %v %v", c, content, info, err)
			}
		}
		answers = append(answers, fmt.Sprint(resp.GetCrops()))
	}
	if answers[0] != answers[1] {
		t.Errorf("the repeated call answers %s, the first %s", answers[1], answers[0])
	}
	text, _, err := store.Get(t.Context(), bucket, "crops/a.png_ai-detection.json", "", 1<<20)
	var sideCar struct {
		Crops []struct {
			Image struct {
				Key string `json:"object_key"`
			}
		}
	}
	if err != nil || json.Unmarshal(text, &sideCar) != nil || len(sideCar.Crops) != 2 || sideCar.Crops[1].Image.Key != want[1] {
		t.Errorf("the side-car has %v, %v", sideCar, err)
	}
}

// A crop that was removed is made again.
func TestRun_removedCrop(t *testing.T) {
	put(t, bucket, "removed/a.png", pngOf(t, 16, 12))
	run, runs := cropping(9, noWait)
	for want := 1; want <= 2; want++ {
		if _, err := run(t, &detectRequest{InputImage: in("removed/a.png")}); err != nil || *runs != want {
			t.Fatal(err, *runs)
		}
		key := "removed/a.png_ai-detection-crop-2.png"
		if err := store.Remove(t.Context(), bucket, key); err != nil {
			t.Fatal(err)
		}
	}
}

// A crop replaces no object of a user, and the call then leaves nothing.
func TestRun_cropKeepsForeignObject(t *testing.T) {
	run, _ := cropping(9, noWait)
	put(t, bucket, "foreign crop/in.png", pngOf(t, 16, 12))
	own := "foreign crop/in.png_ai-detection-crop-2.png"
	put(t, bucket, own, []byte("my own"))
	_, err := run(t, &detectRequest{InputImage: in("foreign crop/in.png")})
	wantKind(t, err, functions.Invalid, "execution_id")
	checkKept(t, "foreign crop/", own, "my own", "in.png")
}

// Nothing is left of an image that was deleted meanwhile.
func TestRun_cropsOfDeletedSource(t *testing.T) {
	put(t, bucket, "deleted crops/a.png", pngOf(t, 16, 12))
	run, _ := cropping(9, func() { remove(t, "deleted crops/a.png") })
	_, err := run(t, &detectRequest{InputImage: in("deleted crops/a.png")})
	wantKind(t, err, functions.NotFound, "input_image")
	if got := keys(t, bucket, "deleted crops/"); len(got) != 0 {
		t.Errorf("the keys are %q, want none", got)
	}
}

// cropRefusals are fields of requests whose crops cannot be written.
var cropRefusals = map[string]*detectRequest{
	"output_image.object_key": {InputImage: in("refused/x-crop-1.png"), OutputImage: &data{ObjectKey: "refused/x.png"}},
	"execution_id":            {InputImage: in("refused/x-crop-1.png"), ExecutionId: strings.Repeat("x", 232)},
}

func TestRun_cropNames(t *testing.T) {
	put(t, bucket, "refused/x-crop-1.png", pngOf(t, 16, 12))
	run, runs := cropping(9, noWait)
	for field, r := range cropRefusals {
		_, err := run(t, r)
		wantKind(t, err, functions.Invalid, field)
	}
	if *runs != 0 {
		t.Errorf("%d runs", *runs)
	}
}

// Without an output in the store, crops are returned, at most MAX_OBJECT_BYTES with the output.
func TestRun_returnedCrops(t *testing.T) {
	run, _ := cropping(9, noWait)
	resp, err := run(t, &detectRequest{InputBytes: pngOf(t, 16, 12)})
	if err != nil || len(resp.GetCrops()) != 2 {
		t.Fatal(resp, err)
	}
	if c := resp.GetCrops()[1]; len(c.GetData()) != 9 || c.GetImage().GetObjectKey() != "" {
		t.Errorf("%v %v", resp, err)
	}
	run, _ = cropping(maxObjectBytes/2, noWait)
	_, err = run(t, &detectRequest{InputBytes: pngOf(t, 16, 12)})
	wantKind(t, err, functions.Invalid, "crops")
}
