package objects_test

import (
	"testing"

	"imageflow.dev/internal/objects"
)

func FuzzURI(f *testing.F) {
	for _, key := range []string{"a.jpg", "a b/é?x=1#y%2F+&", "/lead", "..", "a//b", "\x00\xff"} {
		f.Add(key, "0123")
	}
	f.Fuzz(func(t *testing.T, key, etag string) {
		if key == "" {
			return
		}
		text := objects.URI(bucket, key, etag)
		for _, r := range text {
			if r <= ' ' || r > '~' {
				t.Fatalf("%q is not printable ASCII", text)
			}
		}
		b, k, e, err := objects.ParseURI(text)
		if err != nil || b != bucket || k != key || e != etag {
			t.Errorf("%q of %q, %q gives %q, %q, %q, %v", text, key, etag, b, k, e, err)
		}
	})
}

func TestParseURI_invalid(t *testing.T) {
	for _, text := range []string{"", "s3://", "s3://bucket", "s3://bucket/", "http://bucket/key", "bucket/key", "s3://b/%zz"} {
		if _, _, _, err := objects.ParseURI(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestRecord(t *testing.T) {
	var r objects.Record
	r.S3.Object.EscapedKey = "a+b%2Fc%252F%C3%A9"
	if key, err := r.Key(); err != nil || key != "a b/c%2Fé" {
		t.Errorf("got %q, %v", key, err)
	}
	r.S3.Object.EscapedKey = "%zz"
	if _, err := r.Key(); err == nil {
		t.Error("an invalid escape is accepted")
	}
	r.S3.Bucket.Name, r.S3.Object.EscapedKey, r.S3.Object.ETag, r.S3.Object.Size = "b", "in/a+b", "e", 5
	r.S3.Object.UserMetadata = map[string]string{"X-Amz-Meta-Imageflow-Execution": "in%2F%C3%A9", "content-type": "c"}
	info, err := r.Info()
	if err != nil || info.Bucket != "b" || info.Key != "in/a b" || info.ETag != "e" || info.Size != 5 ||
		info.Metadata["imageflow-execution"] != "in/é" {
		t.Errorf("got %+v, %v", info, err)
	}
}
