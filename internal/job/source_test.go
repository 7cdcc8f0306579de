package job_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
)

// before returns a runner that uses the store through a proxy. The proxy calls do before it
// forwards a request.
func before(t *testing.T, do func(*http.Request)) *runner {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: endpoint})
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do(r)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	through, err := objects.New(objects.Config{
		Endpoint: strings.TrimPrefix(front.URL, "http://"), AccessKey: "user", SecretKey: "password", Region: "us-east-1",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(through.Close)
	return job.NewRunner(resize.Processor, through, job.NewAdmission(roomy), config)
}

// remove deletes an object. It may be gone: two requests of a job can cause it at once.
func remove(t *testing.T, key string) {
	t.Helper()
	if err := store.Remove(t.Context(), bucket, key); err != nil && !errors.Is(err, objects.ErrNotFound) {
		t.Error(err)
	}
}

// The test deletes the source while the job computes, and while it writes.
func TestRun_deletedSourceLeavesNoOutputs(t *testing.T) {
	run := func(t *testing.T, r *runner) {
		put(t, bucket, "deleted/in.jpg", jpegOf(t, 16, 12))
		_, err := r.Run(t.Context(), &request{InputImage: in("deleted/in.jpg"), TargetWidth: 8}, job.Enqueue)
		wantKind(t, err, functions.NotFound, "input_image")
		if got := keys(t, bucket, "deleted/"); len(got) != 0 {
			t.Errorf("the keys are %q, want none", got)
		}
	}
	t.Run("while it computes", func(t *testing.T) {
		run(t, newRunner(applying(func(
			ctx context.Context, r functions.Request, in functions.Input,
		) (imaging.Encoded, functions.Response, error) {
			remove(t, "deleted/in.jpg")
			return resize.Processor.Apply(ctx, r, in)
		}), roomy))
	})
	t.Run("while it writes", func(t *testing.T) {
		run(t, before(t, func(r *http.Request) {
			if r.Method == http.MethodPut {
				remove(t, "deleted/in.jpg")
			}
		}))
	})
}

// When the outputs of a deleted source are removed, an object that a user has put at their
// location is kept.
func TestRun_deletedSourceKeepsForeignObject(t *testing.T) {
	put(t, bucket, "taken/in.jpg", jpegOf(t, 16, 12))
	r := before(t, func(r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			remove(t, "taken/in.jpg")
		case r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, ".jpg"):
			put(t, bucket, "taken/in_resize.jpg", []byte("my own"))
		}
	})
	_, err := r.Run(t.Context(), &request{InputImage: in("taken/in.jpg"), TargetWidth: 8}, job.Enqueue)
	wantKind(t, err, functions.NotFound, "input_image")
	checkKept(t, "taken/", "taken/in_resize.jpg", "my own")
}

// If the source is deleted and uploaded again while the job writes, the job is to be
// repeated.
func TestRun_sourceDeletedAndUploadedAgain(t *testing.T) {
	encoded := jpegOf(t, 16, 12)
	put(t, bucket, "back/in.jpg", encoded)
	r := before(t, func(r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			remove(t, "back/in.jpg")
		case http.MethodDelete:
			put(t, bucket, "back/in.jpg", encoded)
		}
	})
	_, err := r.Run(t.Context(), &request{InputImage: in("back/in.jpg"), TargetWidth: 8}, job.Enqueue)
	wantKind(t, err, functions.Unavailable, "")
}

// TestRun_requestsToTheStore counts the requests of a job by reference, since each takes time and
// stores charge for them.
func TestRun_requestsToTheStore(t *testing.T) {
	put(t, bucket, "counted/in.jpg", jpegOf(t, 16, 12))
	var mu sync.Mutex
	var sent []string
	r := before(t, func(r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		sent = append(sent, r.Method+" "+path.Base(r.URL.Path))
	})
	if _, err := r.Run(t.Context(), &request{InputImage: in("counted/in.jpg"), TargetWidth: 8}, job.Enqueue); err != nil {
		t.Fatal(err)
	}
	slices.Sort(sent)
	want := []string{
		"GET in.jpg", "HEAD in.jpg", // to see that it is still there after the outputs are written
		"HEAD in_resize.jpg", "PUT in_resize.jpg", "PUT in_resize.json",
	}
	if !slices.Equal(sent, want) {
		t.Errorf("the requests are %q, want %q", sent, want)
	}
}

// TestRun_memoPassesFromFootprintToApply: both get the same Memo.
func TestRun_memoPassesFromFootprintToApply(t *testing.T) {
	put(t, bucket, "memo/in.jpg", jpegOf(t, 16, 12))
	calls := 0
	work := func() (int, error) {
		calls++
		return calls, nil
	}
	p := applying(func(ctx context.Context, r functions.Request, in functions.Input) (imaging.Encoded, functions.Response, error) {
		_, _ = functions.Once(in, work)
		return resize.Processor.Apply(ctx, r, in)
	})
	footprint := p.Footprint
	p.Footprint = func(r functions.Request, in functions.Input) int64 {
		_, _ = functions.Once(in, work)
		return footprint(r, in)
	}
	_, err := newRunner(p, roomy).Run(t.Context(), &request{InputImage: in("memo/in.jpg"), TargetWidth: 8}, job.Enqueue)
	if err != nil || calls != 1 {
		t.Errorf("%d calls, want 1: %v", calls, err)
	}
}
