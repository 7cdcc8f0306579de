package s3server_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// TestListObjects_prefix: every listing by a prefix has exactly the keys that begin with it, with the ETags
// and sizes that a listing of everything has.
func TestListObjects_prefix(t *testing.T) {
	_, c := start(t, folder(t), "")
	all := []string{"in/cat.jpg", "in/cat_resize.jpg", "in/cat_resize.json", "in/cat+ü.jpg", "in/cat_x/deep.jpg", "top.jpg",
		"other/cat_1"}
	for i := range 30 {
		all = append(all, fmt.Sprintf("in/many_%02d.jpg", i))
	}
	for _, key := range all {
		put(t, c, "images", key, "hello", minio.PutObjectOptions{})
	}
	list := func(prefix string, pageSize int) (keys []string) {
		options := minio.ListObjectsOptions{Prefix: prefix, Recursive: true, MaxKeys: pageSize}
		for o := range c.ListObjects(t.Context(), "images", options) {
			if o.Err != nil || o.ETag != "5d41402abc4b2a76b9719d911017c592" || o.Size != 5 || o.LastModified.IsZero() {
				t.Errorf("%s: listed %+v", prefix, o)
			}
			keys = append(keys, o.Key)
		}
		return keys
	}
	for _, prefix := range []string{
		"", "in/", "in/cat.", "in/cat_r", "in/cat_", "in/cat+", "in/c", "in/many_", "in/many_1", "in/none", "none/x", "t",
		"../images/in/c",
	} {
		want := slices.DeleteFunc(slices.Sorted(slices.Values(all)), func(key string) bool { return !strings.HasPrefix(key, prefix) })
		for _, pageSize := range []int{1000, 7} {
			if got := list(prefix, pageSize); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
				t.Errorf("%q in pages of %d: listed %q, want %q", prefix, pageSize, got, want)
			}
		}
	}
}

// TestListObjects_controlCharacters lists keys that XML cannot hold, by both versions of the operation.
func TestListObjects_controlCharacters(t *testing.T) {
	_, c := start(t, folder(t), "")
	want := []string{"in/\x01.jpg", "in/a+b c.jpg", "in/new\nline.jpg"}
	for _, key := range want {
		put(t, c, "images", key, "hello", minio.PutObjectOptions{})
	}
	for _, isV1 := range []bool{false, true} {
		var got []string
		for o := range c.ListObjects(t.Context(), "images", minio.ListObjectsOptions{Recursive: true, UseV1: isV1, MaxKeys: 2}) {
			got = append(got, o.Key)
		}
		if !slices.Equal(got, want) {
			t.Errorf("version 1 is %t: listed %q, want %q", isV1, got, want)
		}
	}
}

// TestListObjects_pagesEndAnywhere lists keys and folders that XML cannot hold in pages of one: a page also ends after such a
// key, and no client decodes the token of the next one.
func TestListObjects_pagesEndAnywhere(t *testing.T) {
	_, c := start(t, folder(t), "")
	for _, key := range []string{"a\x01/x", "b\x02", "b\x7f", "c\r\nd", "e\ufffe", "z"} {
		put(t, c, "images", key, "hello", minio.PutObjectOptions{})
	}
	for _, isRecursive := range []bool{true, false} {
		want := []string{"a\x01/x", "b\x02", "b\x7f", "c\r\nd", "e\ufffe", "z"}
		if !isRecursive {
			want[0] = "a\x01/"
		}
		for _, pageSize := range []int{1, 2, 1000} {
			var got []string
			for o := range c.ListObjects(t.Context(), "images", minio.ListObjectsOptions{Recursive: isRecursive, MaxKeys: pageSize}) {
				if got = append(got, o.Key); len(got) > 2*len(want) {
					t.Fatalf("pages of %d: the listing does not end: %q", pageSize, got)
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("recursive %t, pages of %d: listed %q, want %q", isRecursive, pageSize, got, want)
			}
		}
	}
}

// TestListObjectVersions_everyPageSize lists versions, keys and folders that XML cannot hold among them: every page continues
// after the one before.
func TestListObjectVersions_everyPageSize(t *testing.T) {
	_, c := start(t, folder(t), "")
	for _, key := range []string{"a\x01/x", "b", "c+ d", "c\x02", "d/x", "d/y"} {
		put(t, c, "images", key, "hello", minio.PutObjectOptions{})
	}
	for isRecursive, want := range map[bool][]string{
		true: {"a\x01/x", "b", "c\x02", "c+ d", "d/x", "d/y"}, false: {"a\x01/", "b", "c\x02", "c+ d", "d/"},
	} {
		for _, pageSize := range []int{1, 2, 1000} {
			options := minio.ListObjectsOptions{Recursive: isRecursive, WithVersions: true, MaxKeys: pageSize}
			var got []string
			for o := range c.ListObjects(t.Context(), "images", options) {
				if o.Err != nil || !strings.HasSuffix(o.Key, "/") && (!o.IsLatest || o.VersionID != "null" || o.Size != 5) {
					t.Errorf("listed %+v", o)
				}
				if got = append(got, o.Key); len(got) > 2*len(want) {
					t.Fatalf("pages of %d: the listing does not end: %q", pageSize, got)
				}
			}
			if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
				t.Errorf("recursive %t, pages of %d: listed %q, want %q", isRecursive, pageSize, got, want)
			}
		}
	}
}

// TestListMultipartUploads_controlCharacters lists uploads to keys and folders that XML cannot hold, and continues after each.
func TestListMultipartUploads_controlCharacters(t *testing.T) {
	_, c := start(t, folder(t), "")
	core := minio.Core{Client: c}
	for _, key := range []string{"in/a\x01/x", "in/b\x02", "in/c+ d", "in/e"} {
		if _, err := core.NewMultipartUpload(t.Context(), "images", key, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for delimiter, want := range map[string][]string{
		"": {"in/a\x01/x", "in/b\x02", "in/c+ d", "in/e"}, "/": {"in/a\x01/", "in/b\x02", "in/c+ d", "in/e"},
	} {
		for _, pageSize := range []int{2, 1000} {
			var got []string
			for after, isMore := "", true; isMore && len(got) <= len(want); {
				page, err := core.ListMultipartUploads(t.Context(), "images", "in/", after, "", delimiter, pageSize)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range page.CommonPrefixes {
					got = append(got, p.Prefix)
				}
				for _, u := range page.Uploads {
					got = append(got, u.Key)
				}
				after, isMore = page.NextKeyMarker, page.IsTruncated
			}
			if !slices.Equal(got, want) {
				t.Errorf("delimiter %q, pages of %d: listed %q, want %q", delimiter, pageSize, got, want)
			}
		}
	}
}
