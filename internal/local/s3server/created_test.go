package s3server_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/tags"
)

// The test compares a notification with a captured one of MinIO: it has the same
// fields, and the values that the bridge reads are correct.
func TestWebhook_sendsWhatMinIOSends(t *testing.T) {
	l := newListener(t)
	_, c := start(t, folder(t), l.URL)
	put(t, c, "images", keys[1], "hello", minio.PutObjectOptions{
		ContentType: "image/jpeg", UserMetadata: map[string]string{"gen": "2", "trace-id": "abc"},
	})
	got := l.next(t)
	for path, want := range map[string]any{
		"EventName":                     "s3:ObjectCreated:Put",
		"Key":                           "images/" + keys[1],
		"Records.eventName":             "s3:ObjectCreated:Put",
		"Records.s3.bucket.name":        "images",
		"Records.s3.object.key":         url.QueryEscape(keys[1]),
		"Records.s3.object.size":        5.0,
		"Records.s3.object.eTag":        "5d41402abc4b2a76b9719d911017c592",
		"Records.s3.object.contentType": "image/jpeg",
		"Records.s3.object.userMetadata.X-Amz-Meta-Gen":      "2",
		"Records.s3.object.userMetadata.X-Amz-Meta-Trace-Id": "abc",
		"Records.s3.object.userMetadata.content-type":        "image/jpeg",
		"Records.source.host":                                "127.0.0.1",
	} {
		if have := dig(got, path); have != want {
			t.Errorf("%s is %v, want %v", path, have, want)
		}
	}
	captured := fieldsOf("", capturedPut())
	if have := fieldsOf("", got); !slices.Equal(have, captured) {
		t.Errorf("the fields are\n%q, want\n%q", have, captured)
	}
}

// capturedPut returns a notification that a MinIO of February 2026 sent, without its
// deployment id and host id.
func capturedPut() (n any) {
	_ = json.Unmarshal([]byte(`{"EventName":"s3:ObjectCreated:Put","Key":"img/in/a.jpg","Records":[{
		"eventVersion":"2.0","eventSource":"minio:s3","awsRegion":"","eventTime":"2026-11-23T18:59:52.677Z",
		"eventName":"s3:ObjectCreated:Put","userIdentity":{"principalId":"labadmin"},
		"requestParameters":{"principalId":"labadmin","region":"","sourceIPAddress":"127.0.0.1"},
		"responseElements":{"x-amz-request-id":"18EAC1B6E19DAB33","x-minio-origin-endpoint":"http://127.0.0.1:19000"},
		"s3":{"s3SchemaVersion":"1.0","configurationId":"Config",
			"bucket":{"name":"img","ownerIdentity":{"principalId":"labadmin"},"arn":"arn:aws:s3:::img"},
			"object":{"key":"in%2Fa.jpg","size":5,"eTag":"5d41402abc4b2a76b9719d911017c592","contentType":"image/jpeg",
				"userMetadata":{"X-Amz-Meta-Gen":"2","X-Amz-Meta-Trace-Id":"abc","content-type":"image/jpeg"},
				"sequencer":"18EAC1B6E1AA7A69"}},
		"source":{"host":"127.0.0.1","port":"","userAgent":"MinIO (linux; amd64) minio-go/v7.4.1"}}]}`), &n)
	return n
}

// fieldsOf returns the sorted paths of all fields of a JSON value.
func fieldsOf(path string, v any) []string {
	var all []string
	switch v := v.(type) {
	case map[string]any:
		for name, field := range v {
			all = append(all, fieldsOf(path+"."+name, field)...)
		}
	case []any:
		for _, field := range v {
			all = append(all, fieldsOf(path, field)...)
		}
	default:
		return []string{path}
	}
	slices.Sort(all)
	return all
}

func TestWebhook_everyKindOfCreation(t *testing.T) {
	l := newListener(t)
	_, c := start(t, folder(t), l.URL)
	metadata := map[string]string{"imageflow-execution": "e"}
	put(t, c, "images", keys[1], "hello", minio.PutObjectOptions{UserMetadata: metadata})
	first := l.next(t)

	_, err := c.CopyObject(t.Context(), minio.CopyDestOptions{Bucket: "images", Object: "copy.jpg"},
		minio.CopySrcOptions{Bucket: "images", Object: keys[1]})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, l.next(t), "Copy", "copy.jpg", 5, "e")

	big := bytes.Repeat([]byte("x"), 6<<20)
	_, err = c.PutObject(t.Context(), "images", "big.jpg", bytes.NewReader(big), int64(len(big)),
		minio.PutObjectOptions{PartSize: 5 << 20, UserMetadata: metadata})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, l.next(t), "CompleteMultipartUpload", "big.jpg", 6<<20, "e")

	upload(t, c, "form.jpg", "hello")
	last := l.next(t)
	expect(t, last, "Post", "form.jpg", 5, "e")
	if a, b := dig(first, "Records.s3.object.sequencer").(string), dig(last, "Records.s3.object.sequencer").(string); a >= b {
		t.Errorf("the sequencers %s and %s are out of order", a, b)
	}
}

func TestWebhook_ignoredObjects(t *testing.T) {
	l := newListener(t)
	_, c := start(t, folder(t), l.URL)
	put(t, c, "images", "ignored.jpg", "hello", minio.PutObjectOptions{UserMetadata: map[string]string{"Ignored": "x"}})
	l.none(t)
	put(t, c, "images", "a.jpg", "hello", minio.PutObjectOptions{})
	expect(t, l.next(t), "Put", "a.jpg", 5, nil)
}

func expect(t *testing.T, n map[string]any, how, key string, size float64, execution any) {
	t.Helper()
	if n["EventName"] != "s3:ObjectCreated:"+how || n["Key"] != "images/"+key || dig(n, "Records.s3.object.size") != size ||
		dig(n, "Records.s3.object.userMetadata.X-Amz-Meta-Imageflow-Execution") != execution {
		t.Errorf("got %v, want %s of %s", n, how, key)
	}
}

// upload uploads a file with an HTML form.
func upload(t *testing.T, c *minio.Client, key, content string) {
	t.Helper()
	if status, text := postForm(t, c, key, content); status/100 != 2 {
		t.Fatalf("the form upload returned %d: %s", status, text)
	}
}

// postForm posts a file with an HTML form, and returns the status and the text of the answer.
func postForm(t *testing.T, c *minio.Client, key, content string) (int, string) {
	t.Helper()
	return postFiles(t, c, key, content, "file")
}

// postFiles posts a form with a file in each of the fields.
func postFiles(t *testing.T, c *minio.Client, key, content string, names ...string) (int, string) {
	t.Helper()
	return post(t, c, key, func(form *multipart.Writer) {
		for _, name := range names {
			file, _ := form.CreateFormFile(name, key)
			_, _ = file.Write([]byte(content))
		}
	})
}

// post posts a signed form, to which add adds files.
func post(t *testing.T, c *minio.Client, key string, add func(*multipart.Writer)) (int, string) {
	t.Helper()
	policy := minio.NewPostPolicy()
	for _, err := range []error{
		policy.SetBucket("images"), policy.SetKey(key), policy.SetExpires(time.Now().Add(time.Minute)),
		policy.SetUserMetadata("imageflow-execution", "e"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	address, fields, err := c.PresignedPostPolicy(t.Context(), policy)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for k, v := range fields {
		_ = form.WriteField(k, v)
	}
	add(form)
	form.Close()
	resp, err := http.Post(address.String(), form.FormDataContentType(), &body)
	return answerOf(t, resp, err)
}

// answerOf returns the status and the text of an answer.
func answerOf(t *testing.T, resp *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestWebhook_ignoresOtherBucketsTagsAndDeletions(t *testing.T) {
	l := newListener(t)
	_, c := start(t, folder(t), l.URL)
	put(t, c, "other", "a.jpg", "hello", minio.PutObjectOptions{})
	put(t, c, "images", "a.jpg", "hello", minio.PutObjectOptions{})
	l.next(t)
	set, _ := tags.MapToObjectTags(map[string]string{"imageflow-status": "completed"})
	if err := c.PutObjectTagging(t.Context(), "images", "a.jpg", set, minio.PutObjectTaggingOptions{}); err != nil {
		t.Fatal(err)
	}
	var absent minio.PutObjectOptions
	absent.SetMatchETagExcept("*")
	if _, err := c.PutObject(t.Context(), "images", "a.jpg", strings.NewReader("x"), 1, absent); err == nil {
		t.Fatal("a conditional put on an existing object succeeded")
	}
	if err := c.RemoveObject(t.Context(), "images", "a.jpg", minio.RemoveObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	l.none(t)
}

func TestWebhook_retriesAfterError(t *testing.T) {
	l := newListener(t)
	_, c := start(t, folder(t), l.URL)
	l.status.Store(http.StatusServiceUnavailable)
	put(t, c, "images", "later.jpg", "hello", minio.PutObjectOptions{})
	l.next(t)
	l.status.Store(http.StatusOK)
	select {
	case n := <-l.got:
		if n["Key"] != "images/later.jpg" {
			t.Errorf("got %v", n)
		}
	case <-time.After(5 * time.Second):
		t.Error("no retry")
	}
	l.none(t)
}

func TestWebhook_unreachableDoesNotFailPut(t *testing.T) {
	away := httptest.NewServer(nil)
	away.Close()
	s, c := start(t, folder(t), away.URL)
	put(t, c, "images", "a.jpg", "hello", minio.PutObjectOptions{})
	if _, err := os.Stat(filepath.Join(s.Path("images"), "a.jpg")); err != nil {
		t.Error(err)
	}
	began := time.Now()
	if err := s.Close(); err != nil || time.Since(began) > time.Second {
		t.Errorf("Close took %v with a notification waiting for a retry: %v", time.Since(began), err)
	}
}
