package objects_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7/pkg/signer"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/plainproxy"
	"imageflow.dev/internal/testing/stores"
)

func TestProbe(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		if err := s.Probe(t.Context(), bucket); err != nil {
			t.Error(err)
		}
		for entry, err := range s.Walk(t.Context(), bucket, "") {
			t.Errorf("the probe left %s, %v", entry.Key, err)
		}
		err := s.Probe(t.Context(), "no-such-bucket")
		if !errors.Is(err, objects.ErrNotFound) || errors.Is(err, objects.ErrUnsupported) {
			t.Errorf("in a bucket that does not exist: %v", err)
		}
	})
}

// The stores of this test do not implement something, or ignore it.
func TestProbe_namesTheSetting(t *testing.T) {
	local, _ := stores.Start(t, stores.Local, bucket)
	plain := plainproxy.Start(t, local.Endpoint)
	changed := func(change func(*http.Request)) objects.Config {
		c := local
		c.Endpoint = changingProxy(t, local, change)
		return c
	}
	for _, c := range []struct {
		name   string
		config objects.Config
		want   string // empty: nothing is missing
	}{
		{"no conditional writes", objects.Config{TagBucket: bucket}, "STORE_CONDITIONAL_WRITES=false"},
		{"no tags", objects.Config{PlainWrites: true}, "STORE_TAGS=false"},
		{"both, as configured", objects.Config{TagBucket: bucket, PlainWrites: true}, ""},
		{"conditions are ignored", changed(func(r *http.Request) {
			r.Header.Del("If-Match")
			r.Header.Del("If-None-Match")
		}), "STORE_CONDITIONAL_WRITES=false"},
		{"tags are ignored", changed(func(r *http.Request) {
			if r.URL.Query().Has("tagging") && r.Method == http.MethodPut {
				r.Method, r.URL.RawQuery = http.MethodHead, ""
			}
		}), "STORE_TAGS=false"},
		{"metadata is ignored", changed(func(r *http.Request) { r.Header.Del("X-Amz-Meta-Imageflow-Probe") }), "user metadata"},
	} {
		if c.config.Endpoint == "" {
			c.config.Endpoint, c.config.AccessKey, c.config.SecretKey = plain, local.AccessKey, local.SecretKey
			c.config.Region = local.Region
		}
		err := open(t, c.config).Probe(t.Context(), bucket)
		if got := errors.Is(err, objects.ErrUnsupported); got != (c.want != "") || got && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// changingProxy starts a proxy that changes requests before a store gets them, and signs them again. It returns
// its address.
func changingProxy(t *testing.T, c objects.Config, change func(*http.Request)) string {
	front := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: c.Endpoint})
		change(r.Out)
		r.Out.Header.Del("Authorization")
		r.Out = signer.SignV4(*r.Out, c.AccessKey, c.SecretKey, "", c.Region)
	}})
	t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}
