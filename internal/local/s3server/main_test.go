package s3server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"imageflow.dev/internal/local/s3server"
	"imageflow.dev/internal/testing/freeport"
)

const (
	token      = "Bearer t"
	retryDelay = 10 * time.Millisecond
)

// listener is a webhook receiver that collects the notifications.
type listener struct {
	*httptest.Server
	got    chan map[string]any
	status atomic.Int64
}

func newListener(t testing.TB) *listener {
	l := &listener{got: make(chan map[string]any, 1000)}
	l.status.Store(http.StatusOK)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != token {
			t.Errorf("Authorization is %q", r.Header.Get("Authorization"))
		}
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		w.WriteHeader(int(l.status.Load()))
		select {
		case l.got <- body:
		default: // a benchmark does not read them
		}
	}))
	t.Cleanup(l.Close)
	return l
}

// next returns the notification of the last put. The server posts it before it
// answers the put.
func (l *listener) next(t *testing.T) map[string]any {
	t.Helper()
	select {
	case n := <-l.got:
		return n
	default:
		t.Fatal("the put was answered before its notification was posted")
		return nil
	}
}

func (l *listener) none(t *testing.T) {
	t.Helper()
	select {
	case n := <-l.got:
		t.Errorf("unexpected notification: %v", n)
	case <-time.After(20 * time.Millisecond):
	}
}

// dig returns the value at a dotted path in a JSON value. It descends into lists of
// one element.
func dig(v any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := v.([]any); ok && len(list) == 1 {
			v = list[0]
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// ignored reports objects with the metadata "ignored".
func ignored(_, _ string, metadata map[string]string) bool { return metadata["ignored"] != "" }

// start starts a server that notifies the URL of new objects in the bucket "images".
func start(t testing.TB, dir, notify string) (*s3server.Server, *minio.Client) {
	t.Helper()
	s, err := s3server.Start(t.Context(), s3server.Config{
		Address: freeport.Address(), Dir: dir, AccessKey: "user", SecretKey: "password", Buckets: []string{"images", "other"},
		Notify: s3server.Notify{URL: notify, Token: token, Buckets: []string{"images"}, RetryDelay: retryDelay, Ignore: ignored},
	})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(func() {
		transport.CloseIdleConnections() // the next Start would wait for unused ones; see Server.Close
		_ = s.Close()
	})
	c, err := minio.New(s.Address(), &minio.Options{
		Creds: credentials.NewStaticV4("user", "password", ""), Region: "us-east-1", Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// folder returns a temporary data folder, which is the working directory until the test
// ends, as Start makes it.
func folder(t testing.TB) string {
	dir := t.TempDir()
	t.Chdir(dir)
	return dir
}

func put(t testing.TB, c *minio.Client, bucket, key, content string, o minio.PutObjectOptions) {
	t.Helper()
	if _, err := c.PutObject(context.Background(), bucket, key, strings.NewReader(content), int64(len(content)), o); err != nil {
		t.Fatal(err)
	}
}
