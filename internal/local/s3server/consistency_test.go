package s3server_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// The test reads an object while another goroutine overwrites it all the time.
func TestGetObject_neverMixesVersions(t *testing.T) {
	_, c := start(t, folder(t), "")
	write := func(i int) {
		content := bytes.Repeat(fmt.Appendf(nil, "%04d", i), 1000+i%2*1000) // no two versions are equal
		_, err := c.PutObject(context.Background(), "images", "a", bytes.NewReader(content), int64(len(content)),
			minio.PutObjectOptions{})
		if err != nil {
			t.Error(err)
		}
	}
	write(0)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 500 {
			write(i)
		}
	}()
	for reads := 0; ; reads++ {
		select {
		case <-done:
			t.Logf("%d reads", reads)
			return
		default:
		}
		o, err := c.GetObject(t.Context(), "images", "a", minio.GetObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(o)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := o.Stat(); err != nil || info.ETag != fmt.Sprintf("%x", md5.Sum(content)) {
			t.Fatalf("read %d: %d bytes under the ETag %s, %v", reads, len(content), info.ETag, err)
		}
	}
}

// The server must read an upload to its end. Otherwise it takes the rest for another
// request and closes the connection.
func TestPutObject_emptyObjectKeepsConnection(t *testing.T) {
	s, _ := start(t, folder(t), "")
	dials := 0
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	transport := &http.Transport{MaxConnsPerHost: 1, DialContext: dial}
	defer transport.CloseIdleConnections()
	c, err := minio.New(s.Address(), &minio.Options{
		Creds: credentials.NewStaticV4("user", "password", ""), Region: "us-east-1", Transport: transport,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		put(t, c, "images", "empty", "", minio.PutObjectOptions{})
	}
	if dials != 1 {
		t.Errorf("%d connections for sequential uploads, want 1", dials)
	}
}

func BenchmarkPut(b *testing.B) {
	l := newListener(b)
	for name, notify := range map[string]string{"notified": l.URL, "silent": ""} {
		b.Run(name, func(b *testing.B) {
			_, c := start(b, folder(b), notify)
			for b.Loop() {
				put(b, c, "images", "a", "hello", minio.PutObjectOptions{})
			}
		})
	}
}

func BenchmarkGet(b *testing.B) {
	_, c := start(b, folder(b), "")
	content := make([]byte, 200<<10)
	_, err := c.PutObject(b.Context(), "images", "a", bytes.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		o, err := c.GetObject(b.Context(), "images", "a", minio.GetObjectOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, o); err != nil {
			b.Fatal(err)
		}
		o.Close()
	}
}
