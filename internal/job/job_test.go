package job_test

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"slices"
	"strconv"
	"testing"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// detector is the type of detect.Processor's Apply.
type detector = func(context.Context, functions.Request, functions.Input) (imaging.Encoded, functions.Response, error)

func TestRun_result(t *testing.T) {
	etag := put(t, bucket, "result/in.jpg", jpegOf(t, 40, 30))
	resp, err := run(t, &request{
		InputImage: &data{ObjectKey: "result/in.jpg", Etag: `"` + etag + `"`}, TargetWidth: 20, ExecutionId: "result/é 1",
	})
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
	output, info, err := store.Get(t.Context(), out.GetBucket(), out.GetObjectKey(), out.GetEtag(), maxObjectBytes)
	if err != nil {
		t.Fatal(err)
	}
	if out.GetSizeBytes() != int64(len(output)) || out.GetContentType() != "image/jpeg" || info.ContentType != "image/jpeg" {
		t.Errorf("the result says %d bytes of %s, the object has %d of %s",
			out.GetSizeBytes(), out.GetContentType(), len(output), info.ContentType)
	}
	h, err := imaging.ParseHeader(output, limits)
	if err != nil || h.Width != 20 || h.Height != 15 || out.GetWidth() != 20 || out.GetHeight() != 15 {
		t.Errorf("the result says %d×%d, the object is %+v, %v", out.GetWidth(), out.GetHeight(), h, err)
	}
}

// The result lists the repaired faults of the input, also on a cache hit. STRICT_INPUT
// rejects such an input.
func TestRun_repairedInput(t *testing.T) {
	whole := jpegOf(t, 40, 30)
	etag := put(t, bucket, "repaired/in.jpg", whole[:len(whole)-2])
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
	strictRunner := job.NewRunner(resize.Processor, store, job.NewAdmission(roomy),
		job.Config{Bucket: bucket, MaxObjectBytes: maxObjectBytes, Limits: strict})
	_, err := strictRunner.Run(t.Context(), req, job.FailFast)
	wantKind(t, err, functions.Invalid, "input_image")
	_, err = strictRunner.Run(t.Context(), &request{InputBytes: whole, TargetWidth: 20}, job.FailFast)
	if err != nil {
		t.Errorf("an intact image: %v", err)
	}
}

// The result of an animation says that only the first frame was used, unless the output moves or the
// request chooses frames. It has the frames of the file, in which WebP joins equal ones. A cache hit says
// the same.
func TestRun_animation(t *testing.T) {
	for name, colours := range map[string]color.Palette{
		"1": {color.Black}, "3": {color.Black, color.White, color.Black}, "equal": {color.White, color.White, color.White},
	} {
		put(t, bucket, "frames/"+name+".gif", gifOf(t, colours))
	}
	for i, c := range []struct {
		object       string
		page, pages  int32
		format, want string
		frames       int32
		firstOnly    bool
	}{
		{"frames/1.gif", 0, 0, "", "image/png", 0, false}, {"frames/3.gif", 0, 0, "", "image/gif", 3, false},
		{"frames/3.gif", 0, 0, "image/png", "image/png", 0, true}, {"frames/3.gif", 0, 0, "image/webp", "image/webp", 3, false},
		{"frames/3.gif", 1, 0, "", "image/gif", 2, false}, {"frames/3.gif", 2, 1, "", "image/png", 0, false},
		{"frames/3.gif", 0, 1, "image/webp", "image/webp", 0, false}, {"frames/3.gif", 0, 2, "image/webp", "image/webp", 2, false},
		{"frames/equal.gif", 0, 0, "image/webp", "image/webp", 0, false}, {"frames/equal.gif", 0, 0, "", "image/gif", 3, false},
	} {
		for range 2 {
			r := &request{InputImage: in(c.object), ExecutionId: fmt.Sprintf("frames/%d", i), OutputImage: &data{ContentType: c.format}}
			r.InputImage.Page, r.InputImage.Pages = c.page, c.pages
			resp, err := run(t, r)
			got := resp.GetResult()
			if err != nil || got.GetFirstFrameOnly() != c.firstOnly || got.GetOutputImage().GetContentType() != c.want ||
				got.GetFrames() != c.frames {
				t.Errorf("%+v: got %v, %v", c, got, err)
			}
		}
	}
}

// A request for other frames makes another output, and one for frames that do not exist none.
func TestRun_pages(t *testing.T) {
	put(t, bucket, "pages/a.gif", gifOf(t, color.Palette{color.Black, color.White}))
	etags := map[string]bool{}
	for page := range int32(2) {
		r := &request{InputImage: in("pages/a.gif"), OutputImage: &data{ContentType: "image/png"}}
		r.InputImage.Page, r.InputImage.Pages = page, 1
		resp, err := run(t, r)
		if err != nil {
			t.Fatal(err)
		}
		etags[resp.GetResult().GetOutputImage().GetEtag()] = true
	}
	if len(etags) != 2 {
		t.Errorf("two pages have %d outputs", len(etags))
	}
	for field, r := range map[string]*request{
		"input_image.page":  {InputImage: &data{ObjectKey: "pages/a.gif", Page: 2}},
		"input_image.pages": {InputImage: &data{ObjectKey: "pages/a.gif", Pages: 2}, OutputImage: &data{ContentType: "image/jpeg"}},
	} {
		if _, err := run(t, r); functions.AsError(err).Field != field || functions.AsError(err).Kind != functions.Invalid {
			t.Errorf("got %v, want an error of %s", err, field)
		}
	}
}

func TestRun_outputsHaveMetadata(t *testing.T) {
	etag := put(t, bucket, "own/in.jpg", jpegOf(t, 16, 12))
	if _, err := run(t, &request{InputImage: in("own/in.jpg"), ExecutionId: "own/é 1"}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"own/é 1_resize.jpg", "own/é 1_resize.json"} {
		info, err := store.Stat(t.Context(), bucket, key)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{
			"imageflow-execution": "own/é 1", "imageflow-step": "resize", "imageflow-source-etag": etag,
		} {
			if got := info.Metadata[name]; got != want {
				t.Errorf("%s of %s is %q, want %q", name, key, got, want)
			}
		}
	}
}

func TestRun_inlineInputAndOutput(t *testing.T) {
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
		t.Errorf("the output has the location %s/%s", got.GetBucket(), got.GetObjectKey())
	}
	if result.GetMetadata()["execution_id"] == "" || result.GetMetadata()["source_bucket"] != "" {
		t.Errorf("metadata %v", result.GetMetadata())
	}
	if after := keys(t, bucket, ""); !slices.Equal(before, after) {
		t.Errorf("written: %q", after)
	}
}

func TestRun_stagesAddUpToTheTime(t *testing.T) {
	put(t, bucket, "stages/in.jpg", jpegOf(t, 16, 12))
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
		t.Errorf("the stages take %v ms of %v ms", sum, whole)
	}
	if !resp.GetResult().GetProcessedAt().IsValid() || resp.GetResult().GetProcessedAt().AsTime().Unix() < 1 {
		t.Errorf("processed at %v", resp.GetResult().GetProcessedAt())
	}
}

// detect reads a second object. Errors about it must not be taken for errors about the
// image.
func TestRun_reference(t *testing.T) {
	etag := put(t, bucket, "ref/in.jpg", jpegOf(t, 16, 12))
	put(t, bucket, "ref/in_resize.json", []byte(`{"metadata": 1}`))
	var got string
	run := detecting(func(
		_ context.Context, r functions.Request, in functions.Input,
	) (imaging.Encoded, functions.Response, error) {
		got = string(in.Reference)
		out, err := in.Image.Convert(t.Context(), in.Format)
		return out, &imageflowv1.DetectionResponse{Result: &imageflowv1.ProcessingResult{}}, err
	})
	var wroteReference string
	detect := func(ref, out *data) error {
		resp, err := run(t.Context(), &imageflowv1.DetectionRequest{
			InputImage: &data{ObjectKey: "ref/in.jpg", Etag: etag}, ResizeMetadataRef: ref, OutputImage: out,
		}, job.FailFast)
		if err == nil {
			wroteReference = resp.GetResult().GetMetadata()["reference_execution_id"]
		}
		return err
	}
	if err := detect(in("ref/in_resize.json"), nil); err != nil || got != `{"metadata": 1}` || wroteReference != "" {
		t.Errorf("read %q of %q, %v", got, wroteReference, err)
	}
	ours := execution.ObjectMetadata("ref/first", bucket, "ref/ours_resize.json")
	if _, err := store.Put(t.Context(), bucket, "ref/ours_resize.json", "application/json", []byte("{}"), ours); err != nil {
		t.Fatal(err)
	}
	if err := detect(in("ref/ours_resize.json"), nil); err != nil || wroteReference != "ref/first" {
		t.Errorf("the reference is of execution %q, %v, want ref/first", wroteReference, err)
	}
	wantKind(t, detect(in("ref/none.json"), nil), functions.NotFound, "resize_metadata_ref")
	err := detect(&data{ObjectKey: "ref/in_resize.json", Etag: "0123"}, nil)
	wantKind(t, err, functions.NotFound, "resize_metadata_ref")
	if errors.Is(err, job.ErrSuperseded) {
		t.Error("a replaced side-car is taken for a replaced source")
	}
	wantKind(t, detect(in("ref/in_resize.json"), in("ref/in_resize.png")), functions.Invalid, "output_image.object_key")
}

func detecting(apply detector) func(context.Context, functions.Request, job.OverloadPolicy) (functions.Response, error) {
	p := functions.New(functions.Definition[*imageflowv1.DetectionRequest, *imageflowv1.DetectionResponse]{
		Info: processors.Detect,
		Reference: func(r *imageflowv1.DetectionRequest, _ processors.Names) (*data, string) {
			return r.GetResizeMetadataRef(), "resize_metadata_ref"
		},
		SideCar:    func(r *imageflowv1.DetectionResponse) proto.Message { return r },
		NameImages: func(*imageflowv1.DetectionResponse, *data, *data) {},
	})
	p.Apply = apply
	return job.NewRunner(p, store, job.NewAdmission(roomy), config).Run
}
