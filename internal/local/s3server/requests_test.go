package s3server_test

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Clients with signature version 2 read which one to use.
func TestRequests_signatureVersion2(t *testing.T) {
	s, _ := start(t, folder(t), "")
	c, err := minio.New(s.Address(), &minio.Options{Creds: credentials.NewStaticV2("user", "password", ""), Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	listed := <-c.ListObjects(t.Context(), "images", minio.ListObjectsOptions{})
	got := minio.ToErrorResponse(listed.Err)
	if got.StatusCode != http.StatusBadRequest || !strings.Contains(got.Message, "AWS4-HMAC-SHA256") {
		t.Errorf("got %d, %v", got.StatusCode, listed.Err)
	}
}

// Clients that sign a form by version 2 read which one to use, whatever the size of the file.
func TestRequests_formWithSignatureVersion2(t *testing.T) {
	s, _ := start(t, folder(t), "")
	for _, size := range []int{5, 20 << 20} {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		for _, field := range []string{"key", "AWSAccessKeyId", "policy", "signature"} { // as boto3 sends them
			_ = form.WriteField(field, "a")
		}
		file, _ := form.CreateFormFile("file", "a.jpg")
		_, _ = file.Write(make([]byte, size))
		form.Close()
		resp, err := http.Post("http://"+s.Address()+"/images", form.FormDataContentType(), &body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "AWS4-HMAC-SHA256") {
			t.Errorf("a file of %d bytes: got %d, %s, %v", size, resp.StatusCode, text, err)
		}
	}
}

// A form with a variable in its key is refused, and stores nothing under the variable's name.
func TestRequests_filenameVariable(t *testing.T) {
	_, c := start(t, folder(t), "")
	status, text := postForm(t, c, "form/${filename}", "hello")
	if status != http.StatusNotImplemented || !strings.Contains(text, "${filename}") {
		t.Errorf("got %d: %s", status, text)
	}
	if _, err := c.StatObject(t.Context(), "images", "form/${filename}", minio.StatObjectOptions{}); err == nil {
		t.Error("the object is stored under the variable")
	}
}

// A form without exactly one file in the field file is refused, and leaves the object as it is.
func TestRequests_fileOfForm(t *testing.T) {
	_, c := start(t, folder(t), "")
	put(t, c, "images", "a", "valuable", minio.PutObjectOptions{})
	for _, fields := range [][]string{{}, {"document"}, {"file", "file"}, {"file", "document"}, {"document", "file"}} {
		status, text := postFiles(t, c, "a", "hello", fields...)
		if status != http.StatusBadRequest || !strings.Contains(text, "POST requires exactly one file upload per request.") {
			t.Errorf("files in %q: got %d: %s", fields, status, text)
		}
		if info, err := c.StatObject(t.Context(), "images", "a", minio.StatObjectOptions{}); err != nil || info.Size != 8 {
			t.Errorf("files in %q: the object has %d bytes, %v", fields, info.Size, err)
		}
	}
	for _, field := range []string{"file", "File"} {
		if status, text := postFiles(t, c, "a", "hello", field); status != http.StatusNoContent {
			t.Errorf("file in %q: got %d: %s", field, status, text)
		}
	}
}

// A file without a file name is stored, wherever among the fields versitygw would get it.
func TestRequests_fileWithoutName(t *testing.T) {
	_, c := start(t, folder(t), "")
	for range 20 {
		status, text := post(t, c, "a", func(form *multipart.Writer) { _ = form.WriteField("file", "hello") })
		info, err := c.StatObject(t.Context(), "images", "a", minio.StatObjectOptions{})
		if status != http.StatusNoContent || err != nil || info.Size != 5 {
			t.Fatalf("got %d: %s; the object has %d bytes, %v", status, text, info.Size, err)
		}
	}
}
