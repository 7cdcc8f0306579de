package execution_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

func TestParseLeaves(t *testing.T) {
	leaves, err := execution.ParseLeaves("resize-small,resize-large.webp,detect,filter.png")
	want := []execution.Leaf{
		{Step: "resize", Variant: "small"}, {Step: "resize", Variant: "large", Extension: "webp"}, {Step: "detect"},
		{Step: "filter", Extension: "png"},
	}
	if err != nil || fmt.Sprint(leaves) != fmt.Sprint(want) || leaves[1].String() != "resize-large.webp" {
		t.Errorf("got %v, %v", leaves, err)
	}
	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf("resize-v%d", i))
	}
	if leaves, err := execution.ParseLeaves(strings.Join(many[:64], ",")); err != nil || len(leaves) != 64 {
		t.Errorf("64 leaves: %d, %v", len(leaves), err)
	}
	if _, err := execution.ParseLeaves(strings.Join(many, ",")); err == nil {
		t.Error("65 leaves are accepted")
	}
}

// TestFindLeaves_requests counts what the store is asked: one HEAD for each leaf, and if one is missing
// one for each extension that it may have. There is no listing, whose time grows with the folder.
func TestFindLeaves_requests(t *testing.T) {
	var heads, others atomic.Int64
	s := counted(t, func(r *http.Request) {
		if r.Method == http.MethodHead {
			heads.Add(1)
		} else {
			others.Add(1)
		}
	})
	upload := put(t, s, "in/cat.jpg", "image/jpeg", "v1", nil)
	leaves, err := execution.ParseLeaves("resize-a,resize-b,resize-c,detect,filter")
	if err != nil {
		t.Fatal(err)
	}
	for i, leaf := range leaves {
		heads.Store(0)
		others.Store(0)
		found, err := execution.FindLeaves(t.Context(), s, upload, leaves, "jpg")
		if err != nil || len(found) > 0 || heads.Load() != int64(len(leaves)+len(execution.OutputExtensions)) ||
			others.Load() != 0 {
			t.Errorf("with %d leaves: %v, %v, %d HEAD, %d others", i, found, err, heads.Load(), others.Load())
		}
		suffix := strings.Replace(leaf.String(), "detect", "ai-detection", 1)
		key := "in/cat_" + suffix + ".jpg"
		metadata := execution.ObjectMetadata("in/cat", bucket, key)
		metadata[execution.StepMetadata], metadata[execution.OriginMetadata] = leaf.Step, upload.ETag
		if leaf.Variant != "" {
			metadata[execution.VariantMetadata] = leaf.Variant
		}
		put(t, s, key, "image/jpeg", "output", metadata)
	}
	heads.Store(0)
	others.Store(0)
	found, err := execution.FindLeaves(t.Context(), s, upload, leaves, "jpg")
	if err != nil || len(found) != len(leaves) || heads.Load() != int64(len(leaves)) || others.Load() != 0 {
		t.Errorf("with all: %v, %v, %d HEAD, %d others", found, err, heads.Load(), others.Load())
	}
}

// counted returns a store with a bucket behind a proxy that calls count for each request.
func counted(t *testing.T, count func(*http.Request)) *objects.Store {
	t.Helper()
	config, _ := stores.Start(t, stores.MinIO, bucket)
	forward := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: config.Endpoint})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count(r)
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	config.Endpoint = proxy.Listener.Addr().String()
	store, err := objects.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}
