package job_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// detector is the type of detect.Processor's Apply.
type detector = func(context.Context, functions.Request, functions.Input) (imaging.Encoded, functions.Response, error)

func TestResult(t *testing.T) {
	etag := place(t, bucket, "result/in.jpg", jpegOf(t, 40, 30))
	resp, err := run(t, &request{InputImage: &data{ObjectKey: "result/in.jpg", Etag: `"` + etag + `"`}, TargetWidth: 20, ExecutionId: "result/é 1"})
	if err != nil {
		t.Fatal(err)
	}
	result := resp.GetResult()
	if result.GetStatus() != imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED || len(result.GetOutputData()) != 0 {
		t.Errorf("status %v, %d bytes inline", result.GetStatus(), len(result.GetOutputData()))
	}
	for key, want := range map[string]string{
		"execution_id": "result/é 1", "source_bucket": bucket, "source_key": "result/in.jpg", "source_etag": etag,
		"side_car": "result/é 1_resize.json",
	} {
		if got := result.GetMetadata()[key]; got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	out := result.GetOutputImage()
	picture, info, err := store.Get(t.Context(), out.GetBucket(), out.GetObjectKey(), out.GetEtag(), maxObjectBytes)
	if err != nil {
		t.Fatal(err)
	}
	if out.GetSizeBytes() != int64(len(picture)) || out.GetContentType() != "image/jpeg" || info.ContentType != "image/jpeg" {
		t.Errorf("said to be %d bytes of %s, is %d of %s", out.GetSizeBytes(), out.GetContentType(), len(picture), info.ContentType)
	}
	if h, err := imaging.ParseHeader(picture, limits); err != nil || h.Width != 20 || h.Height != 15 || out.GetWidth() != 20 || out.GetHeight() != 15 {
		t.Errorf("said to be %d×%d, is %+v, %v", out.GetWidth(), out.GetHeight(), h, err)
	}
}

// TestRepaired: what was wrong with an input is in the result, also of a later call
// that is answered by what the first has written. STRICT_INPUT refuses it.
func TestRepaired(t *testing.T) {
	whole := jpegOf(t, 40, 30)
	etag := place(t, bucket, "repaired/in.jpg", whole[:len(whole)-2])
	req := &request{InputImage: &data{ObjectKey: "repaired/in.jpg", Etag: etag}, TargetWidth: 20}
	for range 2 {
		resp, err := run(t, req)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.GetResult().GetMetadata()["repaired"]; got != "the end marker was missing" {
			t.Errorf("repaired is %q", got)
		}
	}
	strict := limits
	strict.Strict = true
	refusing := job.NewRunner(resize.Processor, store, job.NewAdmission(roomy), job.Config{Bucket: bucket, MaxObjectBytes: maxObjectBytes, Limits: strict})
	_, err := refusing.Run(t.Context(), req, job.FailFast)
	wantKind(t, err, functions.Invalid, "input_image")
	_, err = refusing.Run(t.Context(), &request{InputBytes: whole, TargetWidth: 20}, job.FailFast)
	if err != nil {
		t.Errorf("a whole picture: %v", err)
	}
}

// TestFirstFrameOnly: what became of an animation says so, also where it was
// done before.
func TestFirstFrameOnly(t *testing.T) {
	frame := image.NewPaletted(image.Rect(0, 0, 16, 12), color.Palette{color.Black, color.White})
	for frames, want := range map[int]bool{1: false, 3: true} {
		var b bytes.Buffer
		all := &gif.GIF{Image: slices.Repeat([]*image.Paletted{frame}, frames), Delay: make([]int, frames)}
		if err := gif.EncodeAll(&b, all); err != nil {
			t.Fatal(err)
		}
		key := fmt.Sprintf("frames/%d.gif", frames)
		place(t, bucket, key, b.Bytes())
		for range 2 {
			resp, err := run(t, &request{InputImage: in(key)})
			if got := resp.GetResult(); err != nil || got.GetFirstFrameOnly() != want || got.GetOutputImage().GetContentType() != "image/png" {
				t.Errorf("%d frames: got %v, %v, want a PNG and %v", frames, got, err, want)
			}
		}
	}
}

func TestWrittenObjectsSayWhoseTheyAre(t *testing.T) {
	etag := place(t, bucket, "own/in.jpg", jpegOf(t, 16, 12))
	if _, err := run(t, &request{InputImage: in("own/in.jpg"), ExecutionId: "own/é 1"}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"own/é 1_resize.jpg", "own/é 1_resize.json"} {
		info, err := store.Stat(t.Context(), bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"imageflow-execution": "own/é 1", "imageflow-step": "resize", "imageflow-source-etag": etag} {
			if got := info.Metadata[name]; got != want {
				t.Errorf("%s of %s is %q, want %q", name, key, got, want)
			}
		}
	}
}

func TestBytesInBytesOut(t *testing.T) {
	before := keys(t, bucket, "")
	resp, err := run(t, &request{InputBytes: jpegOf(t, 40, 30)})
	if err != nil {
		t.Fatal(err)
	}
	result := resp.GetResult()
	if _, err := imaging.ParseHeader(result.GetOutputData(), limits); err != nil {
		t.Error(err)
	}
	if got := result.GetOutputImage(); got.GetBucket() != "" || got.GetObjectKey() != "" {
		t.Errorf("said to lie at %s/%s", got.GetBucket(), got.GetObjectKey())
	}
	if result.GetMetadata()["execution_id"] == "" || result.GetMetadata()["source_bucket"] != "" {
		t.Errorf("metadata %v", result.GetMetadata())
	}
	if after := keys(t, bucket, ""); !slices.Equal(before, after) {
		t.Errorf("written: %q", after)
	}
}

func TestStagesMakeUpTheTime(t *testing.T) {
	place(t, bucket, "stages/in.jpg", jpegOf(t, 16, 12))
	resp, err := run(t, &request{InputImage: in("stages/in.jpg")})
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, stage := range []string{"queue", "fetch", "apply", "store"} {
		ms, err := strconv.ParseFloat(resp.GetResult().GetMetadata()[stage+"_ms"], 64)
		if err != nil || ms < 0 {
			t.Errorf("%s: %v ms, %v", stage, ms, err)
		}
		sum += ms
	}
	if whole := resp.GetResult().GetProcessingTimeSeconds() * 1000; sum <= 0 || sum > whole+0.01 {
		t.Errorf("the stages take %v ms of %v", sum, whole)
	}
	if !resp.GetResult().GetProcessedAt().IsValid() || resp.GetResult().GetProcessedAt().AsTime().Unix() < 1 {
		t.Errorf("processed at %v", resp.GetResult().GetProcessedAt())
	}
}

// TestReference: detect reads a second object, whose absence or replacement is
// not the picture's.
func TestReference(t *testing.T) {
	etag := place(t, bucket, "ref/in.jpg", jpegOf(t, 16, 12))
	place(t, bucket, "ref/in_resize.json", []byte(`{"facts": 1}`))
	var got string
	run := detecting(func(_ context.Context, r functions.Request, in functions.Input) (imaging.Encoded, functions.Response, error) {
		got = string(in.Reference)
		out, err := in.Image.Convert(t.Context(), in.Format)
		return out, &imageflowv1.DetectionResponse{Result: &imageflowv1.ProcessingResult{}}, err
	})
	ask := func(ref, out *data) error {
		_, err := run(t.Context(), &imageflowv1.DetectionRequest{
			InputImage: &data{ObjectKey: "ref/in.jpg", Etag: etag}, ResizeMetadataRef: ref, OutputImage: out,
		}, job.FailFast)
		return err
	}
	if err := ask(in("ref/in_resize.json"), nil); err != nil || got != `{"facts": 1}` {
		t.Errorf("read %q, %v", got, err)
	}
	wantKind(t, ask(in("ref/none.json"), nil), functions.NotFound, "resize_metadata_ref")
	err := ask(&data{ObjectKey: "ref/in_resize.json", Etag: "0123"}, nil)
	wantKind(t, err, functions.NotFound, "resize_metadata_ref")
	if errors.Is(err, job.ErrSuperseded) {
		t.Error("the side-car's change is taken for the picture's")
	}
	wantKind(t, ask(in("ref/in_resize.json"), in("ref/in_resize.png")), functions.Invalid, "output_image.object_key")
}

func detecting(apply detector) func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error) {
	p := functions.New(functions.Definition[*imageflowv1.DetectionRequest, *imageflowv1.DetectionResponse]{
		Name: "detect", Suffix: "ai-detection",
		Reference: func(r *imageflowv1.DetectionRequest) *data { return r.GetResizeMetadataRef() },
		SideCar:   func(r *imageflowv1.DetectionResponse) proto.Message { return r },
	})
	p.Apply = apply
	return job.NewRunner(p, store, job.NewAdmission(roomy), job.Config{Bucket: bucket, MaxObjectBytes: maxObjectBytes, Limits: limits}).Run
}
