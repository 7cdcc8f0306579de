package objects_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

func TestSetTags(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		tags := func() map[string]string {
			t.Helper()
			have, err := s.Tags(t.Context(), bucket, "a")
			if err != nil {
				t.Fatal(err)
			}
			return have
		}
		set := func(etag, name, value string) error {
			return s.SetTags(t.Context(), bucket, "a", etag, map[string]string{name: value})
		}
		first := put(t, s, "a", "one", nil)
		err := errors.Join(set("", "mine", "x"), set(first.ETag, "status", "failed"), set(first.ETag, "status", "done"))
		if err != nil {
			t.Fatal(err)
		}
		if got := tags(); !maps.Equal(got, map[string]string{"mine": "x", "status": "done"}) {
			t.Errorf("tags are %v", got)
		}
		if err := set(first.ETag, "status", ""); err != nil || tags()["status"] != "" {
			t.Errorf("a removed tag: %v, %v", tags(), err)
		}
		put(t, s, "a", "two", nil)
		if got := tags(); len(got) != 0 {
			t.Errorf("a new version has the tags of the old one: %v", got)
		}
		if err := set(first.ETag, "status", "done"); !errors.Is(err, objects.ErrChanged) || len(tags()) != 0 {
			t.Errorf("a tag for the old version: %v, tags %v", err, tags())
		}
		err = s.SetTags(t.Context(), bucket, "none", "", map[string]string{"status": "done"})
		if !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("no object: %v", err)
		}
	})
}

func TestSetTags_sameBytesAgain(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		put(t, s, "a", "one", nil)
		if err := s.SetTags(t.Context(), bucket, "a", "", map[string]string{"status": "done"}); err != nil {
			t.Fatal(err)
		}
		putLater(t, s, "a", "one")
		if have, err := s.Tags(t.Context(), bucket, "a"); err != nil || len(have) != 0 {
			t.Errorf("uploaded again, the object has the tags %v, %v", have, err)
		}
	})
}

// putLater writes an object again until its time, which is in seconds, is another.
func putLater(t *testing.T, s *objects.Store, key, content string) {
	t.Helper()
	before, err := s.Stat(t.Context(), bucket, key)
	for now := before; err == nil && now.Modified.Equal(before.Modified); now, err = s.Stat(t.Context(), bucket, key) {
		put(t, s, key, content, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestSetTags_atMostTen(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, s *objects.Store) {
		put(t, s, "a", "one", nil)
		set := func(name, value string) error {
			return s.SetTags(t.Context(), bucket, "a", "", map[string]string{name: value})
		}
		for i := range 10 {
			if err := set(fmt.Sprint("own", i), "x"); err != nil {
				t.Fatal(err)
			}
		}
		if err := set("status", "done"); !errors.Is(err, objects.ErrTooManyTags) {
			t.Errorf("an eleventh tag: %v", err)
		}
		if have, err := s.Tags(t.Context(), bucket, "a"); err != nil || len(have) != 10 {
			t.Errorf("tags are %v, %v", have, err)
		}
	})
}

// The test replaces an object after SetTags has checked its version and before it sets
// the tags.
func TestSetTags_replacedInBetween(t *testing.T) {
	for _, kind := range []stores.Kind{stores.MinIO, stores.Local} {
		t.Run(kind.Name, func(t *testing.T) {
			c, direct := stores.Start(t, kind, bucket)
			proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: c.Endpoint})
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodPut && r.URL.Query().Has("tagging") {
					if info, err := direct.Stat(r.Context(), bucket, "a"); err == nil && info.Size == 3 {
						put(t, direct, "a", "the second", nil)
					}
				}
				proxy.ServeHTTP(w, r)
			}))
			t.Cleanup(front.Close)
			c.Endpoint = strings.TrimPrefix(front.URL, "http://")
			slow, err := objects.New(c)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(slow.Close)
			first := put(t, direct, "a", "one", nil)
			err = slow.SetTags(t.Context(), bucket, "a", first.ETag, map[string]string{"status": "done", "of": "first"})
			have, tagsErr := direct.Tags(t.Context(), bucket, "a")
			if !errors.Is(err, objects.ErrChanged) || tagsErr != nil || len(have) != 0 {
				t.Errorf("got %v; the new version has the tags %v, %v", err, have, tagsErr)
			}
		})
	}
}
