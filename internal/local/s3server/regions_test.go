package s3server_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"

	"imageflow.dev/internal/local/s3server"
)

// clientOf returns a client that signs for a region.
func clientOf(t *testing.T, s *s3server.Server, region, secret string) *minio.Client {
	t.Helper()
	c, err := minio.New(s.Address(), &minio.Options{Creds: credentials.NewStaticV4("user", secret, ""), Region: region})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRegions_any: clients of every region get the same objects, by every kind of signature: of headers, of chunks, of URLs and
// of forms.
func TestRegions_any(t *testing.T) {
	l := newListener(t)
	s, _ := start(t, folder(t), l.URL)
	for _, region := range []string{"us-east-1", "eu-central-1", "garage"} {
		c := clientOf(t, s, region, "password")
		if buckets, err := c.ListBuckets(t.Context()); err != nil || len(buckets) != 2 {
			t.Errorf("%s: listed %v, %v", region, buckets, err)
		}
		for i, content := range []string{"", "hello", strings.Repeat("hello", 1<<20)} {
			key := fmt.Sprintf("in/%s ü+%d.jpg", region, i)
			put(t, c, "images", key, content, minio.PutObjectOptions{})
			l.next(t)
			if got := presigned(t, c, key); got != content {
				t.Errorf("%s: the object of %d bytes has %d", region, len(content), len(got))
			}
		}
		if status, text := postForm(t, c, "form/"+region, "hello"); status != http.StatusNoContent {
			t.Errorf("%s: the form returned %d: %s", region, status, text)
		}
		l.next(t)
	}
}

// presigned returns the content at a presigned URL.
func presigned(t *testing.T, c *minio.Client, key string) string {
	t.Helper()
	address, err := c.PresignedGetObject(t.Context(), "images", key, time.Minute, url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s: got %d, %s, %v", key, resp.StatusCode, content, err)
	}
	return string(content)
}

// TestRegions_wrongSecret: a signature has to be right in any region, and for the region that it names.
func TestRegions_wrongSecret(t *testing.T) {
	s, home := start(t, folder(t), "")
	put(t, home, "images", "a", "valuable", minio.PutObjectOptions{})
	c := clientOf(t, s, "eu-central-1", "wrong")
	_, err := c.PutObject(t.Context(), "images", "a", bytes.NewReader([]byte("hello")), 5, minio.PutObjectOptions{})
	if code := minio.ToErrorResponse(err).Code; code != "SignatureDoesNotMatch" {
		t.Errorf("a put returned %q, %v", code, err)
	}
	if status, text := postForm(t, c, "a", "hello"); status != http.StatusForbidden {
		t.Errorf("a form returned %d: %s", status, text)
	}
	address, err := clientOf(t, s, "eu-central-1", "password").PresignedGetObject(t.Context(), "images", "a", time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(strings.Replace(address.String(), "eu-central-1", "eu-north-1", 1))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a URL signed for another region returned %d", resp.StatusCode)
	}
	if info, err := home.StatObject(t.Context(), "images", "a", minio.StatObjectOptions{}); err != nil || info.Size != 8 {
		t.Errorf("the object has %d bytes, %v", info.Size, err)
	}
}

// TestRegions_many: the server keeps some regions only, and serves all.
func TestRegions_many(t *testing.T) {
	s, _ := start(t, folder(t), "")
	for i := range 150 {
		region := fmt.Sprintf("region-%d", i%100)
		if _, err := clientOf(t, s, region, "password").ListBuckets(t.Context()); err != nil {
			t.Errorf("%s: %v", region, err)
		}
	}
}

// TestCreateBucket_anyLocation creates buckets at locations that are the region of the signature, or another.
func TestCreateBucket_anyLocation(t *testing.T) {
	s, c := start(t, folder(t), "")
	for _, region := range []string{"us-east-1", "eu-central-1"} {
		for _, location := range []string{"eu-central-1", "us-east-1", "mars"} {
			bucket := "in-" + region + "-" + location
			if status, text := createBucket(t, s, bucket, region, "wrong", location); status != http.StatusForbidden {
				t.Errorf("%s with a wrong signature: got %d: %s", bucket, status, text)
			}
			if found, err := c.BucketExists(t.Context(), bucket); found || err != nil {
				t.Errorf("%s with a wrong signature: created %t, %v", bucket, found, err)
			}
			if status, text := createBucket(t, s, bucket, region, "password", location); status != http.StatusOK {
				t.Errorf("%s: got %d: %s", bucket, status, text)
			}
			put(t, c, bucket, "a", "hello", minio.PutObjectOptions{})
			status, text := createBucket(t, s, bucket, region, "password", location)
			if status != http.StatusConflict || !strings.Contains(text, "BucketAlreadyOwnedByYou") {
				t.Errorf("%s again: got %d: %s", bucket, status, text)
			}
		}
	}
}

// createBucket creates a bucket at a location by a request that is signed for a region.
func createBucket(t *testing.T, s *s3server.Server, bucket, region, secret, location string) (int, string) {
	t.Helper()
	body := "<CreateBucketConfiguration><LocationConstraint>" + location + "</LocationConstraint></CreateBucketConfiguration>"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+s.Address()+"/"+bucket, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", fmt.Sprintf("%x", sha256.Sum256([]byte(body))))
	resp, err := http.DefaultClient.Do(signer.SignV4(*r, "user", secret, "", region))
	return answerOf(t, resp, err)
}
