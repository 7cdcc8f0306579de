package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/gateway"
	"imageflow.dev/internal/index"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const letters = "dead-letters"

// lists runs a test with a gateway on each kind of store. get returns the answer to GET /v1/executions?query.
func lists(t *testing.T, test func(
	t *testing.T, s *objects.Store, get func(query string) (*imageflowv1.ListExecutionsResponse, string),
)) {
	stores.Each(t, []string{bucket, letters}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		look := lookup(t, &gateway.Executions{
			Store: s, DeadLetters: execution.NewDeadLetterStore(s, letters), Index: index.NewReader(s, letters), Bucket: bucket,
			ReadFrom: objects.AllowList{bucket},
		})
		test(t, s, func(query string) (*imageflowv1.ListExecutionsResponse, string) {
			t.Helper()
			code, _, body := look("?" + query)
			r := &imageflowv1.ListExecutionsResponse{}
			if code == http.StatusOK {
				if err := protojson.Unmarshal([]byte(body), r); err != nil {
					t.Fatalf("%v in %s", err, body)
				}
			}
			return r, body
		})
	})
}

// put stores an image, completed if status says so, and returns its entry in the index.
func putImage(t *testing.T, s *objects.Store, id, status string, arrived time.Time) index.Entry {
	t.Helper()
	info, err := s.Put(t.Context(), bucket, id+".jpg", "image/jpeg", []byte("x"), nil)
	if err == nil && status != "" {
		err = execution.SetOutcome(t.Context(), s, bucket, info.Key, info.ETag, status)
	}
	if err != nil {
		t.Fatal(err)
	}
	return index.Entry{Bucket: bucket, ID: id, Key: info.Key, ETag: info.ETag, Size: 1, Arrived: arrived.UTC()}
}

// writeIndex writes a segment of entries, as if it had been written at a time.
func writeIndex(t *testing.T, s *objects.Store, at time.Time, entries ...index.Entry) {
	t.Helper()
	w := index.NewWriter(s, letters)
	for _, e := range entries {
		w.Append(e)
	}
	if err := w.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for object, err := range s.Walk(t.Context(), letters, execution.IndexFolder) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(object.Key, "moved") {
			continue
		}
		content, _, err := s.Get(t.Context(), letters, object.Key, "", 1<<20)
		if err == nil {
			key := execution.IndexFolder + at.UTC().Truncate(10*time.Minute).Format("20060102/1504/") +
				at.UTC().Format("20060102T150405.000000Z-") + "moved.gz"
			_, err = s.Put(t.Context(), letters, key, "application/gzip", content, nil)
		}
		if err == nil {
			err = s.Remove(t.Context(), letters, object.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ids returns the ids of a page with the first letter of their states.
func ids(r *imageflowv1.ListExecutionsResponse) string {
	var all []string
	for _, e := range r.GetExecutions() {
		all = append(all, e.GetExecutionId()+":"+strings.TrimPrefix(e.GetStatus().String(), "PROCESSING_STATUS_")[:1])
	}
	return strings.Join(all, " ")
}

// fillIndex writes an index with executions of yesterday and of now, and stores their images.
func fillIndex(t *testing.T, s *objects.Store, old, now time.Time) {
	t.Helper()
	healed := putImage(t, s, "in/healed", execution.StatusCompleted, old)
	removed := index.Entry{Bucket: bucket, ID: "in/removed", Key: "in/removed.jpg", ETag: "1", Arrived: old}
	done := putImage(t, s, "in/done", execution.StatusCompleted, now.Add(-3*time.Second))
	failed := putImage(t, s, "in/failed", execution.StatusFailed, now.Add(-2*time.Second))
	running := putImage(t, s, "out/running", "", now.Add(-time.Second))
	done.Outcome = index.Outcome{Status: execution.StatusCompleted, ETag: done.ETag, At: now}
	failed.Outcome = index.Outcome{Status: execution.StatusFailed, ETag: failed.ETag, At: now}
	running.Steps = []index.Step{{Name: "resize", Variant: "small", At: now}}
	elsewhere := done
	elsewhere.Bucket = "elsewhere"
	writeIndex(t, s, old, healed, removed)
	writeIndex(t, s, now.Add(-time.Second), done, elsewhere)
	writeIndex(t, s, now, failed, running)
}

func TestListExecutions(t *testing.T) {
	lists(t, func(t *testing.T, s *objects.Store, get func(string) (*imageflowv1.ListExecutionsResponse, string)) {
		now := time.Now().UTC()
		old := now.Add(-26 * time.Hour)
		fillIndex(t, s, old, now)
		hourAgo, between := now.Add(-time.Hour).Format(time.RFC3339), now.Add(-2500*time.Millisecond).Format(time.RFC3339Nano)
		for query, want := range map[string]string{
			"":                                   "out/running:R in/failed:F in/done:C in/healed:C",
			"prefix=in/":                         "in/failed:F in/done:C in/healed:C",
			"status=PROCESSING_STATUS_COMPLETED": "in/done:C in/healed:C",
			"status=PROCESSING_STATUS_FAILED&status=PROCESSING_STATUS_RUNNING": "out/running:R in/failed:F",
			"step=resize":           "out/running:R",
			"step=detect":           "",
			"variant=small":         "out/running:R",
			"step=resize&variant=b": "",
			"until=" + hourAgo:      "in/healed:C",
			"since=" + hourAgo:      "out/running:R in/failed:F in/done:C",
			"since=" + between:      "out/running:R in/failed:F",
		} {
			r, body := get(query)
			if ids(r) != want || r.GetFromBucket() || r.GetIndexSince().AsTime().After(old) {
				t.Errorf("%s: %q instead of %q in %s", query, ids(r), want, body)
			}
		}
		var pages []string
		for token := ""; len(pages) == 0 || token != ""; {
			r, _ := get("page_size=2&page_token=" + token)
			token = r.GetNextPageToken()
			pages = append(pages, ids(r))
		}
		if got := strings.Join(strings.Fields(fmt.Sprint(pages)), " "); got != "[out/running:R in/failed:F in/done:C in/healed:C ]" {
			t.Errorf("the pages are %s", got)
		}
	})
}

// TestListExecutions_windows: pages of each size have every execution once, although they end in older windows of the index.
func TestListExecutions_windows(t *testing.T) {
	lists(t, func(t *testing.T, s *objects.Store, get func(string) (*imageflowv1.ListExecutionsResponse, string)) {
		now, want := time.Now().UTC(), []string(nil)
		for i := range 8 { // two in each of four windows
			at := now.Add(-time.Duration(i/2)*10*time.Minute - time.Duration(i)*time.Microsecond)
			e := putImage(t, s, fmt.Sprintf("in/%d", i), execution.StatusCompleted, at)
			e.Outcome = index.Outcome{Status: execution.StatusCompleted, ETag: e.ETag, At: at}
			writeIndex(t, s, at, e)
			want = append(want, e.ID+":C")
		}
		for size := 1; size <= 8; size++ {
			var got []string
			for token, pages := "", 0; pages == 0 || token != "" && pages < 20; pages++ {
				r, _ := get(fmt.Sprintf("page_size=%d&page_token=%s", size, token))
				token = r.GetNextPageToken()
				got = append(got, strings.Fields(ids(r))...)
			}
			if !slices.Equal(got, want) {
				t.Errorf("pages of %d have %v\nwant %v", size, got, want)
			}
		}
	})
}

// TestListExecutions_bucket: what is older than the index comes from the bucket, in the order of keys.
func TestListExecutions_bucket(t *testing.T) {
	lists(t, func(t *testing.T, s *objects.Store, get func(string) (*imageflowv1.ListExecutionsResponse, string)) {
		for i, status := range []string{execution.StatusCompleted, execution.StatusFailed, ""} {
			putImage(t, s, fmt.Sprintf("in/%d", i), status, time.Time{})
		}
		output := execution.ObjectMetadata("in/2", bucket, "in/2_resize.jpg")
		source, err := s.Stat(t.Context(), bucket, "in/2.jpg")
		if err != nil {
			t.Fatal(err)
		}
		output[execution.StepMetadata], output[execution.SourceMetadata] = "resize", source.ETag
		if _, err := s.Put(t.Context(), bucket, "in/2_resize.jpg", "image/jpeg", []byte("y"), output); err != nil {
			t.Fatal(err)
		}
		first, body := get("page_size=2")
		second, _ := get("page_size=2&page_token=" + first.GetNextPageToken())
		if ids(first) != "in/0:C in/1:F" || ids(second) != "in/2:R" || second.GetNextPageToken() != "" || !second.GetFromBucket() {
			t.Errorf("got %s and %s\n%s", ids(first), ids(second), body)
		}
		if r, body := get("step=resize"); ids(r) != "in/2:R" || r.GetExecutions()[0].GetSteps()[0].GetName() != "resize" {
			t.Errorf("by step: %s", body)
		}
	})
}

func TestListExecutions_invalid(t *testing.T) {
	lists(t, func(t *testing.T, _ *objects.Store, get func(string) (*imageflowv1.ListExecutionsResponse, string)) {
		for query, want := range map[string]string{
			"page_token=x": "page_token", "page_size=501": "page_size", "bucket=private": "READ_FROM", "status=NONE": "status",
			"status=PROCESSING_STATUS_UNSPECIFIED": "status", "page_token=" + url.QueryEscape("e30="): "page_token",
			"statuss=x": `"field":"statuss"`, "prefix=%FF": "not UTF-8", "pageSize=x": `"field":"page_size"`,
			"status=done": `"description":"\"done\" is not one of pending, running, completed, failed"`,
		} {
			if _, body := get(query); !strings.Contains(body, want) || !strings.Contains(body, `"code":3`) {
				t.Errorf("%s is answered %s", query, body)
			}
		}
		_, err := (&gateway.Executions{Missing: "no store"}).ListExecutions(context.Background(), &imageflowv1.ListExecutionsRequest{})
		if err == nil || !strings.Contains(err.Error(), "no store") {
			t.Errorf("without a store: %v", err)
		}
	})
}

// TestListExecutions_permittedPrefixes: where READ_FROM has parts of the bucket, a list of the bucket has these parts.
func TestListExecutions_permittedPrefixes(t *testing.T) {
	stores.Each(t, []string{bucket, letters}, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		for _, id := range []string{"a/1", "a-2/1", "b/1", "c/1", "c/2", "d/1"} {
			putImage(t, s, id, execution.StatusCompleted, time.Now())
		}
		d := execution.NewDeadLetterStore(s, letters)
		look := lookup(t, &gateway.Executions{
			Store: s, DeadLetters: d, Index: index.NewReader(s, letters), Bucket: bucket,
			ReadFrom: objects.AllowList{bucket + "/c/", bucket + "/a"},
		})
		var pages []string
		for token := ""; len(pages) == 0 || token != ""; {
			code, _, body := look("?page_size=2&page_token=" + token)
			r := &imageflowv1.ListExecutionsResponse{}
			if err := protojson.Unmarshal([]byte(body), r); err != nil || code != http.StatusOK {
				t.Fatalf("%d %s", code, body)
			}
			pages, token = append(pages, ids(r)), r.GetNextPageToken()
		}
		if got := strings.Join(pages, "|"); got != "a/1:C c/1:C|c/2:C" {
			t.Errorf("the list is %s", got)
		}
		for prefix, want := range map[string]int{"b": 400, "a-2": 400, "c/2": 200, "c": 200} {
			if code, _, body := look("?prefix=" + prefix); code != want {
				t.Errorf("prefix %s: %d %s", prefix, code, body)
			}
		}
	})
}
