package triggers_test

import (
	"slices"
	"testing"
)

// TestOutputBuckets: a step writes to the bucket that it names, or to the one of the uploads that it takes.
func TestOutputBuckets(t *testing.T) {
	const fromPhotos = `{"exact":{"type":"com.amazonaws.s3.ObjectCreated:Put","source":"minio:s3..photos"}}`
	for _, c := range []struct {
		service, uri, filters string
		want                  []string
	}{
		{resize, "/?output_image.bucket=small", resized, []string{"small"}},
		{resize, "/?outputImage.bucket=small", created, []string{"small"}},
		{resize, "/?target_width=8", created, []string{"files"}},
		{resize, "/?target_width=8", "", []string{"files"}},
		{resize, "/", `{"all":[` + created + `,{"prefix":{"subject":"in/"}}]}`, []string{"files"}},
		{resize, "/", created + `,` + fromPhotos, []string{"photos"}},
		{resize, "/", `{"any":[` + fromPhotos + `,` + created + `,` + resized + `]}`, []string{"photos", "files"}},
		{filter, "/", resized, nil}, // the resize decides
		{"grpc-gateway", "/?pipeline=avatar&output_image.bucket=small", created, nil},
	} {
		if got := trigger(t, "t", c.service, c.uri, "["+c.filters+"]").OutputBuckets("files"); !slices.Equal(got, c.want) {
			t.Errorf("%s%s %s: %q, want %q", c.service, c.uri, c.filters, got, c.want)
		}
	}
}
