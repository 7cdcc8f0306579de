package job_test

import (
	"slices"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/job"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

type (
	request = imageflowv1.ResizeRequest
	data    = imageflowv1.ImageData
)

// namedOutput is a request and the names of its outputs.
type namedOutput struct {
	name               string
	image              []byte
	req                *request
	output, sideCar    string
	execution, outputs string // outputs is the bucket; the default when empty
}

// derivedNames are requests whose outputs are named after the input or the execution.
func derivedNames(t *testing.T) []namedOutput {
	jpeg, png := jpegOf(t, 16, 12), pngOf(t, 16, 12)
	return []namedOutput{
		{"of the key", jpeg, &request{InputImage: in("names/cat.jpg")},
			"names/cat_resize.jpg", "names/cat_resize.json", "names/cat", ""},
		{"of a key with another extension", png, &request{InputImage: in("names/cat.png")},
			"names/cat.png_resize.png", "names/cat.png_resize.json", "names/cat.png", ""},
		{"of the execution id", jpeg, &request{InputImage: in("names/cat.jpg"), ExecutionId: "wf-1"},
			"wf-1_resize.jpg", "wf-1_resize.json", "wf-1", ""},
		{"of a nested execution id", jpeg, &request{InputImage: in("names/cat.jpg"), ExecutionId: "a/b.c"},
			"a/b.c_resize.jpg", "a/b.c_resize.json", "a/b.c", ""},
		{"the format is the image's, not the extension's", png, &request{InputImage: in("names/lies.jpg")},
			"names/lies_resize.png", "names/lies_resize.json", "names/lies", ""},
		{"no extension", jpeg, &request{InputImage: in("names/plain")},
			"names/plain._resize.jpg", "names/plain._resize.json", "names/plain.", ""},
		{"dots in a folder", jpeg, &request{InputImage: in("names/v1.2/photo")},
			"names/v1.2/photo._resize.jpg", "names/v1.2/photo._resize.json", "names/v1.2/photo.", ""},
		{"several dots", jpeg, &request{InputImage: in("names/a.tar.jpg")},
			"names/a.tar.jpg_resize.jpg", "names/a.tar.jpg_resize.json", "names/a.tar.jpg", ""},
		{"nothing but an extension", jpeg, &request{InputImage: in("names/.jpg")},
			"names/.jpg_resize.jpg", "names/.jpg_resize.json", "names/.jpg", ""},
		{"unicode and spaces", jpeg, &request{InputImage: in("names/猫 é+%2F.JPG")},
			"names/猫 é+%2F.JPG_resize.jpg", "names/猫 é+%2F.JPG_resize.json", "names/猫 é+%2F.JPG", ""},
	}
}

// requestedNames are requests that name an output, a bucket or a format.
func requestedNames(t *testing.T) []namedOutput {
	jpeg := jpegOf(t, 16, 12)
	return []namedOutput{
		{"the default bucket by its name", jpeg, &request{InputImage: &data{Bucket: bucket, ObjectKey: "names/named.jpg"}},
			"names/named_resize.jpg", "names/named_resize.json", "names/named", ""},
		{"format asked for", jpeg, &request{InputImage: in("names/dog.jpg"), OutputImage: &data{ContentType: "image/webp"}},
			"names/dog_resize.webp", "names/dog_resize.json", "names/dog", ""},
		{"another bucket", jpeg, &request{InputImage: in("names/dog.jpg"), OutputImage: &data{Bucket: other}},
			"names/dog_resize.jpg", "names/dog_resize.json", "names/dog", other},
		{"the input's key in another bucket", jpeg,
			&request{InputImage: in("names/dog.jpg"), OutputImage: &data{Bucket: other, ObjectKey: "names/dog.jpg"}},
			"names/dog.jpg", "names/dog.json", "names/dog", other},
		{"named", jpeg, &request{InputImage: in("names/dog.jpg"), OutputImage: in("names/out/thumb.png")},
			"names/out/thumb.png", "names/out/thumb.json", "names/dog", ""},
		{"named without extension", jpeg, &request{InputImage: in("names/dog.jpg"), OutputImage: in("names/out/v1.0/thumb")},
			"names/out/v1.0/thumb", "names/out/v1.0/thumb.json", "names/dog", ""},
		{"named, extension and type agree", jpeg,
			&request{InputImage: in("names/dog.jpg"), OutputImage: &data{ObjectKey: "names/out/two.JPEG", ContentType: "image/jpeg"}},
			"names/out/two.JPEG", "names/out/two.json", "names/dog", ""},
		{"bytes to a bucket", jpeg, &request{InputBytes: jpeg, ExecutionId: "names/bytes", OutputImage: &data{Bucket: other}},
			"names/bytes_resize.jpg", "names/bytes_resize.json", "names/bytes", other},
	}
}

// check runs the request.
func (test namedOutput) check(t *testing.T) {
	if key := test.req.GetInputImage().GetObjectKey(); key != "" {
		put(t, bucket, key, test.image)
	}
	resp, err := run(t, test.req)
	if err != nil {
		t.Fatal(err)
	}
	where := test.outputs
	if where == "" {
		where = bucket
	}
	result := resp.GetResult()
	if got := result.GetOutputImage(); got.GetObjectKey() != test.output || got.GetBucket() != where {
		t.Errorf("output %s/%s, want %s/%s", got.GetBucket(), got.GetObjectKey(), where, test.output)
	}
	if got := result.GetMetadata()["side_car"]; got != test.sideCar {
		t.Errorf("side-car %q, want %q", got, test.sideCar)
	}
	if got := result.GetMetadata()["execution_id"]; got != test.execution {
		t.Errorf("execution id %q, want %q", got, test.execution)
	}
	for _, key := range []string{test.output, test.sideCar} {
		if _, err := store.Stat(t.Context(), where, key); err != nil {
			t.Error(err)
		}
	}
}

func TestRun_namesOfOutputs(t *testing.T) {
	for _, test := range append(derivedNames(t), requestedNames(t)...) {
		t.Run(test.name, func(t *testing.T) {
			test.check(t)
		})
	}
}

// longKey is a valid key of 1019 bytes with one more byte.
var longKey = "bad/" + strings.Repeat("long/", 203)

var rejectedNames = []struct {
	name  string
	req   *request
	field string
}{
	{"the input itself", &request{InputImage: in("bad/in.jpg"), OutputImage: in("bad/in.jpg")},
		"output_image.object_key"},
	{"the input itself, bucket spelled out", &request{InputImage: in("bad/in.jpg"),
		OutputImage: &data{Bucket: bucket, ObjectKey: "bad/in.jpg"}}, "output_image.object_key"},
	{"the input by its derived name", &request{InputImage: in("bad/in_resize.jpg"), ExecutionId: "bad/in"},
		"execution_id"},
	{"the input by the side-car's name", &request{InputImage: in("bad/in.json"), OutputImage: in("bad/in.png")},
		"output_image.object_key"},
	{"its own side-car", &request{InputImage: in("bad/in.jpg"),
		OutputImage: &data{ObjectKey: "bad/x.json", ContentType: "image/png"}}, "output_image.object_key"},
	{"a folder", &request{InputImage: in("bad/in.jpg"), OutputImage: in("bad/folder/")}, "output_image.object_key"},
	{"under an object", &request{InputImage: in("bad/in.jpg"), OutputImage: in("bad/in.jpg/x.jpg")}, "output_image"},
	{"an extension and another type", &request{InputImage: in("bad/in.jpg"),
		OutputImage: &data{ObjectKey: "bad/x.png", ContentType: "image/jpeg"}}, "output_image.content_type"},
	{"an unknown extension", &request{InputImage: in("bad/in.jpg"), OutputImage: in("bad/x.exe")},
		"output_image.object_key"},
	{"a format that is not written", &request{InputImage: in("bad/in.jpg"),
		OutputImage: &data{ContentType: "image/heic"}}, "output_image.content_type"},
	{"longer than a key", &request{InputImage: in(longKey + "x")}, "execution_id"},
	{"out of the bucket", &request{InputImage: in("bad/in.jpg"), OutputImage: in("bad/../../x.jpg")},
		"output_image.object_key"},
	{"an execution id out of the bucket", &request{InputImage: in("bad/in.jpg"), ExecutionId: "../x"}, "execution_id"},
	{"an invalid bucket name", &request{InputImage: in("bad/in.jpg"), OutputImage: &data{Bucket: "a..b"}},
		"output_image"},
}

// Each request names its outputs such that an object would be lost.
func TestRun_rejectedNames(t *testing.T) {
	encoded := jpegOf(t, 16, 12)
	for _, key := range []string{"bad/in.jpg", "bad/in_resize.jpg", "bad/in.json", longKey + "x"} {
		put(t, bucket, key, encoded)
	}
	before := keys(t, bucket, "")
	for _, test := range rejectedNames {
		t.Run(test.name, func(t *testing.T) {
			_, err := run(t, test.req)
			wantKind(t, err, functions.Invalid, test.field)
			if after := keys(t, bucket, ""); !slices.Equal(before, after) {
				t.Errorf("written: %q", after)
			}
		})
	}
}

// wantKind checks an error's kind and field.
func wantKind(t *testing.T, err error, kind functions.Kind, field string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if e := functions.AsError(err); e.Kind != kind || e.Field != field {
		t.Errorf("got %s of field %q (%v), want %s of %q", e.Kind, e.Field, err, kind, field)
	}
}

// Long names are rejected before the source, which does not exist, is fetched.
func TestRun_longNames(t *testing.T) {
	r := newRunner(resize.Processor, roomy)
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, test := range map[string]struct {
		req   *request
		field string // empty: the source is not found
	}{
		"as long as may be":    {&request{InputImage: in("long/" + x(234) + ".jpg"), TargetWidth: 1}, ""},
		"derived from the key": {&request{InputImage: in("long/" + x(240) + ".jpg"), TargetWidth: 1}, "execution_id"},
		"a folder":             {&request{InputImage: in(x(256) + "/cat.jpg"), TargetWidth: 1}, "execution_id"},
		"given":                {&request{InputImage: in("long/cat.jpg"), ExecutionId: x(250), TargetWidth: 1}, "execution_id"},
		"named": {&request{InputImage: in("long/cat.jpg"), OutputImage: in(x(252) + ".jpg"), TargetWidth: 1},
			"output_image.object_key"},
		"another is named": {&request{InputImage: in("long/" + x(250) + ".jpg"), OutputImage: in("short.jpg"), TargetWidth: 1}, ""},
	} {
		_, err := r.Run(t.Context(), test.req, job.FailFast)
		e := functions.AsError(err)
		want := functions.Invalid
		if test.field == "" {
			want, e.Field = functions.NotFound, ""
		}
		if e.Kind != want || e.Field != test.field {
			t.Errorf("%s: %v", name, err)
		}
	}
}
