package job_test

import (
	"context"
	"errors"
	"math"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	"imageflow.dev/functions"
	"imageflow.dev/functions/filter"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

var failures = []struct {
	name  string
	req   *request
	kind  functions.Kind
	field string
}{
	{"no such object", &request{InputImage: in("fail/none.jpg")}, functions.NotFound, "input_image"},
	{"no such bucket", &request{InputImage: &data{Bucket: "no-such-bucket", ObjectKey: "fail/in.jpg"}},
		functions.NotFound, "input_image"},
	{"no such bucket for the output", &request{InputImage: in("fail/in.jpg"), OutputImage: &data{Bucket: "no-such-bucket"}},
		functions.NotFound, "output_image"},
	{"another version", &request{InputImage: &data{ObjectKey: "fail/in.jpg", Etag: "0123"}},
		functions.NotFound, "input_image"},
	{"an etag that is invalid in a header", &request{InputImage: &data{ObjectKey: "fail/in.jpg", Etag: "a\r\nX-A: b"}},
		functions.NotFound, "input_image"},
	{"too large", &request{InputImage: in("fail/large.jpg")}, functions.Invalid, "input_image"},
	{"too large inline", &request{InputBytes: make([]byte, maxObjectBytes+1)}, functions.Invalid, "input_bytes"},
	{"too wide", &request{InputImage: in("fail/wide.png")}, functions.Invalid, "input_image"},
	{"not an image", &request{InputImage: in("fail/text.jpg")}, functions.Invalid, "input_image"},
	{"not an image, inline", &request{InputBytes: []byte("text")}, functions.Invalid, "input_bytes"},
	{"half an image", &request{InputImage: in("fail/half.jpg")}, functions.Invalid, "input_image"},
	{"an empty object", &request{InputImage: in("fail/empty.jpg")}, functions.Invalid, "input_image"},
	{"no input", &request{}, functions.Invalid, ""},
	{"two inputs", &request{InputImage: in("fail/in.jpg"), InputBytes: []byte("x")}, functions.Invalid, ""},
	{"a negative width", &request{InputImage: in("fail/in.jpg"), TargetWidth: -1}, functions.Invalid, "target_width"},
	{"an invalid nested field", &request{InputImage: &data{Bucket: "Not A Bucket", ObjectKey: "fail/in.jpg"}},
		functions.Invalid, "input_image.bucket"},
}

func TestRun_failuresHaveTheirKindAndWriteNothing(t *testing.T) {
	put(t, bucket, "fail/in.jpg", jpegOf(t, 16, 12))
	put(t, bucket, "fail/text.jpg", []byte("this is not an image"))
	put(t, bucket, "fail/half.jpg", jpegOf(t, 64, 64)[:400])
	put(t, bucket, "fail/empty.jpg", nil)
	put(t, bucket, "fail/large.jpg", make([]byte, maxObjectBytes+1))
	put(t, bucket, "fail/wide.png", pngOf(t, limits.MaxSide+1, 1))
	before := keys(t, bucket, "")
	for _, test := range failures {
		t.Run(test.name, func(t *testing.T) {
			_, err := run(t, test.req)
			wantKind(t, err, test.kind, test.field)
			if after := keys(t, bucket, ""); !slices.Equal(before, after) {
				t.Errorf("written: %q", after)
			}
		})
	}
}

func TestRun_checkOfProcessor(t *testing.T) {
	run := job.NewRunner(filter.Processor, store, job.NewAdmission(roomy), config).Run
	_, err := run(t.Context(), &imageflowv1.FilterRequest{
		InputImage: in("none.jpg"), FilterType: imageflowv1.FilterType_FILTER_TYPE_BLUR, Intensity: 11,
	}, job.FailFast)
	wantKind(t, err, functions.Invalid, "intensity")
}

func TestRun_replacedSourceIsSuperseded(t *testing.T) {
	old := put(t, bucket, "super/in.jpg", jpegOf(t, 16, 12))
	put(t, bucket, "super/in.jpg", jpegOf(t, 20, 12))
	_, err := run(t, &request{InputImage: &data{ObjectKey: "super/in.jpg", Etag: old}})
	if !errors.Is(err, job.ErrSuperseded) {
		t.Errorf("got %v", err)
	}
}

func TestRun_storeDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close() // nothing listens there now
	down, err := objects.New(objects.Config{
		Endpoint: l.Addr().String(), AccessKey: "user", SecretKey: "password", Region: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	runner := job.NewRunner(resize.Processor, down, job.NewAdmission(roomy), config)
	for _, req := range []*request{
		{InputImage: in("in.jpg"), TargetWidth: 8},
		{InputBytes: jpegOf(t, 16, 12), TargetWidth: 8, OutputImage: &data{Bucket: bucket}},
	} {
		_, err = runner.Run(t.Context(), req, job.FailFast)
		wantKind(t, err, functions.Unavailable, "")
		if s := job.Status(t.Context(), err); strings.Contains(s.Message(), l.Addr().String()) {
			t.Errorf("the status has the store's address: %q", s.Message())
		}
	}
}

// A panic of a processor fails only its job.
func TestRun_panicIsInternal(t *testing.T) {
	inApply := applying(func(
		context.Context, functions.Request, functions.Input,
	) (imaging.Encoded, functions.Response, error) {
		panic("secret")
	})
	inCheck := resize.Processor
	inCheck.Check = func(functions.Request) error { panic("secret") }
	for name, p := range map[string]processor{"apply": inApply, "check": inCheck} {
		runner := newRunner(p, job.AdmissionLimits{Active: 1, DecodedBytes: 1 << 20, Cores: 1})
		for range 3 { // a slot that is not released would block the second job
			_, err := runner.Run(t.Context(), &request{InputBytes: jpegOf(t, 16, 12), TargetWidth: 8}, job.FailFast)
			wantKind(t, err, functions.Internal, "")
			s := job.Status(t.Context(), err)
			if s.Code() != codes.Internal || s.Message() != "internal error" || len(s.Details()) != 0 {
				t.Errorf("%s: the status is %v", name, s)
			}
		}
	}
}

func TestStatus(t *testing.T) {
	tests := []struct {
		err     error
		code    codes.Code
		message string
		field   string
		retry   bool
	}{
		{functions.Errorf(functions.Invalid, "a.b", "is %d", 1), codes.InvalidArgument, "a.b: is 1", "a.b", false},
		{functions.Errorf(functions.Invalid, "", "both"), codes.InvalidArgument, "both", "", false},
		{functions.Errorf(functions.NotFound, "model_name", "none"), codes.NotFound, "model_name: none", "model_name", false},
		{functions.Errorf(functions.Busy, "", "full"), codes.ResourceExhausted, "full", "", true},
		{functions.Errorf(functions.Unavailable, "", "away"), codes.Unavailable, "away", "", true},
		{errors.New("secret"), codes.Internal, "internal error", "", false},
		{context.Canceled, codes.Canceled, "context canceled", "", false},
		{context.DeadlineExceeded, codes.DeadlineExceeded, "context deadline exceeded", "", false},
		{&functions.Error{Kind: functions.Unavailable, Message: "away", Cause: context.DeadlineExceeded},
			codes.Unavailable, "away", "", true},
	}
	for _, test := range tests {
		s := job.Status(t.Context(), test.err)
		if s.Code() != test.code || s.Message() != test.message {
			t.Errorf("%v: got %v, %q", test.err, s.Code(), s.Message())
		}
		field, retry := "", false
		for _, d := range s.Details() {
			switch d := d.(type) {
			case *errdetails.BadRequest:
				field = d.GetFieldViolations()[0].GetField()
			case *errdetails.RetryInfo:
				retry = d.GetRetryDelay().AsDuration() > 0
			}
		}
		if field != test.field || retry != test.retry {
			t.Errorf("%v: field %q, retry %v", test.err, field, retry)
		}
	}
}

// A request is validated before anything copies it.
func TestRun_invalidRequestIsNotCopied(t *testing.T) {
	const size = 32 << 20
	r := newRunner(resize.Processor, roomy)
	req := &request{InputImage: &data{ObjectKey: "fail/in.jpg", Etag: "0123"}, InputBytes: make([]byte, size), TargetWidth: 8}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := r.Run(t.Context(), req, job.FailFast)
	runtime.ReadMemStats(&after)
	wantKind(t, err, functions.Invalid, "")
	if got := after.TotalAlloc - before.TotalAlloc; got > size/2 {
		t.Errorf("%d bytes were allocated for a request of %d bytes", got, size)
	}
}

func TestRun_intensityNaN(t *testing.T) {
	run := job.NewRunner(filter.Processor, store, job.NewAdmission(roomy), config).Run
	_, err := run(t.Context(), &imageflowv1.FilterRequest{
		InputBytes: jpegOf(t, 8, 8), FilterType: imageflowv1.FilterType_FILTER_TYPE_BRIGHTNESS, Intensity: float32(math.NaN()),
	}, job.FailFast)
	wantKind(t, err, functions.Invalid, "intensity")
}
