package objects_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
)

func TestPut_anyKeyAndMetadata(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, store *objects.Store) {
		texts := []string{
			"plain", "with space", "a+b", "50%", "%2F", "q?x=1&y#z", "猫/é ü", "quote\"'`", "back\\slash", "a=b;c,d",
			"~!@$^*()[]{}|<>:", "tab\tand\nline", " edges ",
		}
		for _, text := range texts {
			key := "keys/" + strings.Map(func(r rune) rune { // keys have no control characters
				if r < ' ' {
					return -1
				}
				return r
			}, text)
			metadata := map[string]string{"imageflow-x": text, "empty": ""}
			put, err := store.Put(t.Context(), bucket, key, "text/plain", []byte(text), metadata)
			if err != nil {
				t.Errorf("%q: %v", key, err)
				continue
			}
			data, info, err := store.Get(t.Context(), bucket, key, put.ETag, 100)
			if err != nil || string(data) != text {
				t.Errorf("%q: read %q, %v", key, data, err)
			}
			if info.Metadata["imageflow-x"] != text || info.ETag != put.ETag || info.ContentType != "text/plain" ||
				info.Size != int64(len(text)) {
				t.Errorf("%q: read %+v, written %+v", key, info, put)
			}
			var listed []string
			for e, err := range store.Walk(t.Context(), bucket, key) {
				if err != nil {
					t.Error(err)
				}
				listed = append(listed, e.Key)
			}
			if !slices.Contains(listed, key) {
				t.Errorf("%q is not in the listing %q", key, listed)
			}
		}
	})
}

func TestErrors_haveTheirKind(t *testing.T) {
	for _, kind := range []stores.Kind{stores.MinIO, stores.Local, stores.Plain} {
		t.Run(kind.Name, func(t *testing.T) {
			config, store := stores.Start(t, kind, bucket)
			config.SecretKey = "wrong-secret"
			checkErrorKinds(t, store, open(t, config))
		})
	}
}

// failure is the error of an operation, and the kind that it must have.
type failure struct {
	name string
	err  error
	want error
}

// failures returns the errors of operations on a store, and on stores that fail.
func failures(t *testing.T, store, unauthorized *objects.Store) []failure {
	t.Helper()
	put, err := store.Put(t.Context(), bucket, "kinds/in", "text/plain", []byte("first"), nil)
	if err != nil {
		t.Fatal(err)
	}
	dead := deadStore(t)
	get := func(s *objects.Store, bucket, key, etag string, limit int64) error {
		_, _, err := s.Get(t.Context(), bucket, key, etag, limit)
		return err
	}
	write := func(s *objects.Store, bucket, key string, metadata map[string]string) error {
		_, err := s.Put(t.Context(), bucket, key, "text/plain", []byte("x"), metadata)
		return err
	}
	return []failure{
		{"the requested version", get(store, bucket, "kinds/in", put.ETag, 5), nil},
		{"no such key", get(store, bucket, "kinds/none", "", 5), objects.ErrNotFound},
		{"no such bucket", get(store, "no-such-bucket", "kinds/in", "", 5), objects.ErrNotFound},
		{"put to no such bucket", write(store, "no-such-bucket", "x", nil), objects.ErrNotFound},
		{"another version", get(store, bucket, "kinds/in", "0123", 5), objects.ErrChanged},
		{"an etag that is invalid in a header", get(store, bucket, "kinds/in", "a\nb", 5), objects.ErrChanged},
		{"one byte too large", get(store, bucket, "kinds/in", "", 4), objects.ErrTooLarge},
		{"an invalid bucket name", write(store, "a..b", "x", nil), objects.ErrInvalidName},
		{"get from an invalid bucket name", get(store, "A", "x", "", 5), objects.ErrInvalidName},
		{"a key that is too long", write(store, bucket, strings.Repeat("k", 1100), nil), objects.ErrInvalidName},
		{"a wrong secret", get(unauthorized, bucket, "kinds/in", "", 5), objects.ErrDenied},
		{"no server", get(dead, bucket, "kinds/in", "", 5), objects.ErrUnavailable},
		{"put, no server", write(dead, bucket, "x", nil), objects.ErrUnavailable},
		{"a response without a size", get(fakeStore(t, func(w http.ResponseWriter) {
			w.Header().Set("Last-Modified", "Mon, 02 Nov 2026 00:00:00 GMT")
			w.(http.Flusher).Flush()
		}), bucket, "x", "", 5), objects.ErrUnavailable},
		{"a truncated response", get(fakeStore(t, func(w http.ResponseWriter) {
			w.Header().Set("Last-Modified", "Mon, 02 Nov 2026 00:00:00 GMT")
			w.Header().Set("Content-Length", "5")
			_, _ = w.Write([]byte("abc"))
		}), bucket, "x", "", 5), objects.ErrUnavailable},
	}
}

// checkErrorKinds checks the errors of a store. The second client has wrong credentials.
func checkErrorKinds(t *testing.T, store, unauthorized *objects.Store) {
	all := []error{
		objects.ErrNotFound, objects.ErrChanged, objects.ErrTooLarge, objects.ErrInvalidName, objects.ErrUnavailable, objects.ErrDenied,
	}
	for _, test := range failures(t, store, unauthorized) {
		for _, kind := range all {
			if got, want := errors.Is(test.err, kind), errors.Is(test.want, kind); got != want {
				t.Errorf("%s: %v is %q: %v, want %v", test.name, test.err, kind, got, want)
			}
		}
		if test.want == nil && test.err != nil {
			t.Errorf("%s: %v", test.name, test.err)
		}
	}
}

func deadStore(t *testing.T) *objects.Store {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return open(t, configOf(l.Addr()))
}

// fakeStore returns a client of a server that answers every request with answer.
func fakeStore(t *testing.T, answer func(http.ResponseWriter)) *objects.Store {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
	t.Cleanup(s.Close)
	return open(t, configOf(s.Listener.Addr()))
}

func configOf(endpoint net.Addr) objects.Config {
	return objects.Config{Endpoint: endpoint.String(), AccessKey: "user", SecretKey: "password", Region: "us-east-1"}
}

func open(t *testing.T, c objects.Config) *objects.Store {
	t.Helper()
	s, err := objects.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRemove(t *testing.T) {
	each(t, func(t *testing.T, _ stores.Kind, store *objects.Store) {
		if _, err := store.Put(t.Context(), bucket, "remove/in", "text/plain", nil, nil); err != nil {
			t.Fatal(err)
		}
		for range 2 { // removing a missing object is no error
			if err := store.Remove(t.Context(), bucket, "remove/in"); err != nil {
				t.Error(err)
			}
		}
		if _, err := store.Stat(t.Context(), bucket, "remove/in"); !errors.Is(err, objects.ErrNotFound) {
			t.Errorf("still there: %v", err)
		}
	})
}
