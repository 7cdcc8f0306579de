package console

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"
	"time"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/uploads"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// fileField is the field of the form's files, and samplesPath the folder of images for people without any.
const (
	fileField   = "image"
	samplesPath = "static/samples/"
)

// tryPage is the data of the first page.
type tryPage struct {
	MaxBytes int64
	Samples  []string
	Failed   string
}

// try shows the form for images, and below it what becomes of those that were sent.
func (s *Console) try(w http.ResponseWriter, r *http.Request) { s.showTry(w, r, http.StatusOK, "") }

func (s *Console) showTry(w http.ResponseWriter, r *http.Request, status int, failed string) {
	data := s.tryPage()
	data.Failed = failed
	s.show(w, r, status, "try", "Try", data)
}

// tryPage returns what people can send.
func (s *Console) tryPage() tryPage {
	data := tryPage{MaxBytes: s.config.MaxUploadBytes}
	samples, err := assets.ReadDir(strings.TrimSuffix(samplesPath, "/"))
	if err == nil {
		for _, file := range samples {
			data.Samples = append(data.Samples, file.Name())
		}
	}
	return data
}

// upload puts an image of the form, or a sample, into the bucket. The chain then begins as for any upload. A script of the
// page gets the fragment of the execution, and a browser without scripts its page.
func (s *Console) upload(w http.ResponseWriter, r *http.Request) {
	name, data, err := s.uploaded(w, r)
	if err != nil {
		s.answerUpload(w, r, uploadStatus(err), err.Error())
		return
	}
	info, err := s.storeUpload(r.Context(), name, data)
	if err != nil {
		s.answerUpload(w, r, http.StatusServiceUnavailable, "the image could not be stored")
		return
	}
	sent := &run{
		Bucket: info.Bucket, ID: execution.ID(info.Key), Key: info.Key, ETag: info.ETag, Began: time.Now(), Updated: time.Now(),
		Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_PENDING, Bytes: int64(len(data)),
	}
	if seen := s.feed.get(sent.Bucket, sent.ID); seen != nil { // its events were faster
		sent = seen
	}
	if !isScript(r) {
		http.Redirect(w, r, sent.URL(), http.StatusSeeOther)
		return
	}
	s.write(w, r, http.StatusOK, "fragments", "card", sent)
}

// storeUpload puts an image into the bucket, at a key of its own. The chain then begins as for any upload.
func (s *Console) storeUpload(ctx context.Context, name string, data []byte) (objects.Info, error) {
	key := s.config.UploadPrefix + uploads.OwnName(name)
	return s.config.Store.Put(ctx, s.config.Bucket, key, uploads.ContentType(name, data), data, nil)
}

// isScript reports whether a script of our pages sends a request, which gets fragments instead of pages.
func isScript(r *http.Request) bool { return r.Header.Get("X-Requested-With") == "fetch" }

func (s *Console) answerUpload(w http.ResponseWriter, r *http.Request, status int, message string) {
	if isScript(r) {
		http.Error(w, message, status)
		return
	}
	s.showTry(w, r, status, message)
}

// tooLargeError means that an image is larger than its limit in bytes.
type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string { return "the image is larger than " + byteCount(e.limit) }

// uploadStatus returns the HTTP status for an error of a form with an image.
func uploadStatus(err error) int {
	var large *tooLargeError
	if errors.As(err, &large) {
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusBadRequest
}

// uploaded returns the name and the bytes of the image in a form. Its error is a *tooLargeError if there are too many.
func (s *Console) uploaded(w http.ResponseWriter, r *http.Request) (name string, data []byte, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, s.config.MaxUploadBytes+maxFormBytes)
	parts, err := r.MultipartReader()
	if err != nil {
		return "", nil, errors.New("the form is not multipart/form-data")
	}
	part, err := parts.NextPart()
	switch {
	case err != nil:
		return "", nil, errors.New("no image was sent")
	case part.FormName() == "sample":
		return readSample(part)
	case part.FormName() != fileField || part.FileName() == "":
		return "", nil, errors.New("no image was sent")
	}
	data, err = io.ReadAll(io.LimitReader(part, s.config.MaxUploadBytes+1))
	switch {
	case err != nil:
		return "", nil, errors.New("the image did not arrive completely")
	case int64(len(data)) > s.config.MaxUploadBytes:
		return "", nil, &tooLargeError{s.config.MaxUploadBytes}
	case len(data) == 0:
		return "", nil, errors.New("the image is empty")
	}
	return part.FileName(), data, nil
}

// readSample returns the sample that a part of a form names.
func readSample(part *multipart.Part) (name string, data []byte, err error) {
	var text bytes.Buffer
	_, err = io.Copy(&text, io.LimitReader(part, 64))
	if err == nil {
		data, err = assets.ReadFile(samplesPath + path.Base(text.String()))
	}
	if err != nil {
		return "", nil, errors.New("there is no such sample")
	}
	return path.Base(text.String()), data, nil
}
