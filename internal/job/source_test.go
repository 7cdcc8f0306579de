package job_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"imageflow.dev/functions"
	"imageflow.dev/functions/resize"
	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/job"
	"imageflow.dev/internal/objects"
)

// before starts a proxy in front of the store that does something before it passes a
// request on, and returns a runner that uses it.
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
	return job.NewRunner(resize.Processor, through, job.NewAdmission(roomy), job.Config{Bucket: bucket, MaxObjectBytes: maxObjectBytes, Limits: limits})
}

func remove(t *testing.T, key string) {
	t.Helper()
	if err := store.Remove(t.Context(), bucket, key); err != nil {
		t.Error(err)
	}
}

// TestDeletedSourceLeavesNoOutputs deletes the source while its job works, and while
// the job writes.
func TestDeletedSourceLeavesNoOutputs(t *testing.T) {
	run := func(t *testing.T, r *runner) {
		place(t, bucket, "deleted/in.jpg", jpegOf(t, 16, 12))
		_, err := r.Run(t.Context(), &request{InputImage: in("deleted/in.jpg"), TargetWidth: 8}, job.Enqueue)
		wantKind(t, err, functions.NotFound, "input_image")
		if got := keys(t, bucket, "deleted/"); len(got) != 0 {
			t.Errorf("there are %q", got)
		}
	}
	t.Run("while it works", func(t *testing.T) {
		run(t, newRunner(applying(func(ctx context.Context, r functions.Request, in functions.Input) (imaging.Encoded, functions.Response, error) {
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

// TestDeletedSourceTakesNothingForeign: what is put in the output's place after the
// job has written it is not removed with the job's outputs.
func TestDeletedSourceTakesNothingForeign(t *testing.T) {
	place(t, bucket, "taken/in.jpg", jpegOf(t, 16, 12))
	r := before(t, func(r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			remove(t, "taken/in.jpg")
		case r.Method == http.MethodDelete && strings.HasSuffix(r.URL.Path, ".jpg"):
			place(t, bucket, "taken/in_resize.jpg", []byte("my own"))
		}
	})
	_, err := r.Run(t.Context(), &request{InputImage: in("taken/in.jpg"), TargetWidth: 8}, job.Enqueue)
	wantKind(t, err, functions.NotFound, "input_image")
	checkKept(t, "taken/", "taken/in_resize.jpg", "my own")
}

// TestSourceThatComesBack: whoever deletes and uploads again the same image does not
// lose its outputs for good: the job is to be done again.
func TestSourceThatComesBack(t *testing.T) {
	picture := jpegOf(t, 16, 12)
	place(t, bucket, "back/in.jpg", picture)
	r := before(t, func(r *http.Request) {
		switch r.Method {
		case http.MethodPut:
			remove(t, "back/in.jpg")
		case http.MethodDelete:
			place(t, bucket, "back/in.jpg", picture)
		}
	})
	_, err := r.Run(t.Context(), &request{InputImage: in("back/in.jpg"), TargetWidth: 8}, job.Enqueue)
	wantKind(t, err, functions.Unavailable, "")
}
