package s3server_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// TestVersions_null: the version that a listing has for each object means the object, and no other version does.
func TestVersions_null(t *testing.T) {
	_, c := start(t, folder(t), "")
	const key = "in/a b+ü.jpg"
	put(t, c, "images", key, "hello", minio.PutObjectOptions{})
	get := minio.GetObjectOptions{VersionID: "null"}
	if info, err := c.StatObject(t.Context(), "images", key, get); err != nil || info.Size != 5 {
		t.Errorf("got %+v, %v", info, err)
	}
	if body, _, _, err := (minio.Core{Client: c}).GetObject(t.Context(), "images", key, get); err != nil {
		t.Error(err)
	} else if content, err := io.ReadAll(body); string(content) != "hello" {
		t.Errorf("got %q, %v", content, err)
	}
	_, err := c.GetObjectAttributes(t.Context(), "images", key, minio.ObjectAttributesOptions{VersionID: "null"})
	if code := minio.ToErrorResponse(err).StatusCode; code != 0 { // minio-go cannot read the date in versitygw's answer
		t.Errorf("attributes: got %d, %v", code, err)
	}
	_, err = c.GetObjectTagging(t.Context(), "images", key, minio.GetObjectTaggingOptions{VersionID: "other"})
	if code := minio.ToErrorResponse(err).StatusCode; code != http.StatusBadRequest {
		t.Errorf("another version: got %d, %v", code, err)
	}
}

func TestVersions_tagsOfNull(t *testing.T) {
	_, c := start(t, folder(t), "")
	put(t, c, "images", "a", "hello", minio.PutObjectOptions{})
	set, _ := tags.MapToObjectTags(map[string]string{"a": "1"})
	if err := c.PutObjectTagging(t.Context(), "images", "a", set, minio.PutObjectTaggingOptions{VersionID: "null"}); err != nil {
		t.Error(err)
	}
	got, err := c.GetObjectTagging(t.Context(), "images", "a", minio.GetObjectTaggingOptions{VersionID: "null"})
	if err != nil || got.ToMap()["a"] != "1" {
		t.Errorf("got the tags %v, %v", got, err)
	}
	if err := c.RemoveObjectTagging(t.Context(), "images", "a", minio.RemoveObjectTaggingOptions{VersionID: "null"}); err != nil {
		t.Error(err)
	}
	if got, err := c.GetObjectTagging(t.Context(), "images", "a", minio.GetObjectTaggingOptions{}); err != nil || got.Count() != 0 {
		t.Errorf("after their removal: got the tags %v, %v", got, err)
	}
}

func TestVersions_copyOfNull(t *testing.T) {
	_, c := start(t, folder(t), "")
	const key = "in/a b+ü%.jpg"
	put(t, c, "images", key, "hello", minio.PutObjectOptions{})
	source := minio.CopySrcOptions{Bucket: "images", Object: key, VersionID: "null"}
	if _, err := c.CopyObject(t.Context(), minio.CopyDestOptions{Bucket: "images", Object: "copy"}, source); err != nil {
		t.Error(err)
	}
	core := minio.Core{Client: c}
	id, err := core.NewMultipartUpload(t.Context(), "images", "parts", minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	header := map[string]string{"x-amz-copy-source": "images/in%2Fa%20b%2B%C3%BC%25.jpg?versionId=null"}
	part, err := core.CopyObjectPart(t.Context(), "images", key, "images", "parts", id, 1, 0, 5, header)
	if err != nil {
		t.Fatal(err)
	}
	parts := []minio.CompletePart{part}
	if _, err := core.CompleteMultipartUpload(t.Context(), "images", "parts", id, parts, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, copied := range []string{"copy", "parts"} {
		if info, err := c.StatObject(t.Context(), "images", copied, minio.GetObjectOptions{}); err != nil || info.Size != 5 {
			t.Errorf("%s: got %+v, %v", copied, info, err)
		}
	}
}
