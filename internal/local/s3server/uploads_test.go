package s3server_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// TestListMultipartUploads_pagesByMarkers lists uploads as clients do, from one page's markers to the next: each upload and each
// folder once, whatever the size of the pages, several uploads of one key among them.
func TestListMultipartUploads_pagesByMarkers(t *testing.T) {
	_, c := start(t, folder(t), "")
	core := minio.Core{Client: c}
	wantIDs := map[string][]string{}
	for _, key := range []string{"in/a\x01/x", "in/a\x01/y", "in/b", "in/b", "in/b", "in/c+ d", "in/e/f", "in/é", "other"} {
		id, err := core.NewMultipartUpload(t.Context(), "images", key, minio.PutObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		wantIDs[key] = append(wantIDs[key], id)
	}
	for delimiter, want := range map[string][]string{
		"":  {"in/a\x01/x", "in/a\x01/y", "in/b", "in/b", "in/b", "in/c+ d", "in/e/f", "in/é"},
		"/": {"in/a\x01/", "in/b", "in/b", "in/b", "in/c+ d", "in/e/", "in/é"},
	} {
		for _, pageSize := range []int{1, 2, 3, 1000} {
			var got []string
			ids := map[string][]string{}
			for after, id, isMore := "", "", true; isMore && len(got) <= len(want); {
				page, err := core.ListMultipartUploads(t.Context(), "images", "in/", after, id, delimiter, pageSize)
				if err != nil {
					t.Fatalf("delimiter %q, pages of %d, after %q: %v", delimiter, pageSize, after, err)
				}
				for _, p := range page.CommonPrefixes {
					got = append(got, p.Prefix)
				}
				for _, u := range page.Uploads {
					got, ids[u.Key] = append(got, u.Key), append(ids[u.Key], u.UploadID)
				}
				after, id, isMore = page.NextKeyMarker, page.NextUploadIDMarker, page.IsTruncated
			}
			slices.Sort(got)
			slices.Sort(ids["in/b"])
			if !slices.Equal(got, want) || !slices.Equal(ids["in/b"], slices.Sorted(slices.Values(wantIDs["in/b"]))) {
				t.Errorf("delimiter %q, pages of %d: listed %q of %q, want %q", delimiter, pageSize, got, ids["in/b"], want)
			}
		}
	}
}

// TestListMultipartUploads_abortsEachPage lists and aborts uploads page by page, as programs that remove unfinished uploads do:
// the marker of a page is gone when the next is listed.
func TestListMultipartUploads_abortsEachPage(t *testing.T) {
	_, c := start(t, folder(t), "")
	core := minio.Core{Client: c}
	for _, key := range strings.Fields("a a a b c c") {
		if _, err := core.NewMultipartUpload(t.Context(), "images", key, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	aborted := 0
	for after, id, isMore := "", "", true; isMore && aborted < 10; {
		page, err := core.ListMultipartUploads(t.Context(), "images", "", after, id, "", 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Uploads {
			if err := core.AbortMultipartUpload(t.Context(), "images", u.Key, u.UploadID); err != nil {
				t.Fatal(err)
			}
			aborted++
		}
		after, id, isMore = page.NextKeyMarker, page.NextUploadIDMarker, page.IsTruncated
	}
	if aborted != 6 {
		t.Errorf("aborted %d uploads, want 6", aborted)
	}
}
