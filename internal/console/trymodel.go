package console

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/uploads"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

const (
	triedPath = modelPath + "/result"
	// maxTriedBytes bounds an image on which a model is tried, and maxTried the images that a console keeps for its pages.
	maxTriedBytes = 8 << 20
	maxTried      = 4
)

// modelResult is what a model finds in an image.
type modelResult struct {
	Title, ImageURL string
	// DetectionsURL has the answer in JSON; empty if the image has its boxes.
	DetectionsURL   string
	Detections      []*imageflowv1.Detection
	Classifications []*imageflowv1.Classification
	Milliseconds    float64
}

// tried is an image on which a model was run.
type tried struct {
	name        string
	image       []byte
	contentType string
	answer      []byte // in JSON
}

func (t tried) imageURL() string { return triedPath + "?" + url.Values{"run": {t.name}}.Encode() }

func (t tried) answerURL() string { return t.imageURL() + "&part=answer" }

// triedImages has the images on which models were run last, the oldest first.
type triedImages struct {
	mu  sync.Mutex
	all []tried
}

func (l *triedImages) put(t tried) tried {
	t.name = rand.Text()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, t)
	if len(l.all) > maxTried {
		l.all = slices.Clone(l.all[1:])
	}
	return t
}

func (l *triedImages) get(name string) (tried, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.all, func(t tried) bool { return t.name == name })
	if at < 0 {
		return tried{}, false
	}
	return l.all[at], true
}

// triedObject answers with an image on which a model was run, or with what it found.
func (s *Console) triedObject(w http.ResponseWriter, r *http.Request) {
	t, ok := s.tried.get(r.FormValue("run"))
	data, contentType := t.image, t.contentType
	if r.FormValue("part") == "answer" {
		data, contentType = t.answer, "application/json"
	}
	switch {
	case !ok || len(data) == 0:
		http.Error(w, "the result is no longer kept: run the model again", http.StatusNotFound)
		return
	case !slices.Contains(shownTypes, contentType):
		http.Error(w, "this is no image that browsers show", http.StatusUnsupportedMediaType)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	_, _ = w.Write(data)
}

// maxTried returns the limit of an image in bytes.
func (s *Console) maxTried() int64 { return min(maxTriedBytes, s.config.MaxUploadBytes) }

// tryModel runs a model on an image of a form, which has its file or its key.
func (s *Console) tryModel(w http.ResponseWriter, r *http.Request) {
	name, image, err := s.triedImage(w, r)
	if err != nil {
		s.showModel(w, r, uploadStatus(err), nil, nil, err.Error())
		return
	}
	body, contentType := detectForm(r.FormValue("name"), name, image)
	found := &imageflowv1.DetectionResponse{}
	if err := s.callGateway(r.Context(), http.MethodPost, "/v1/detect", contentType, body, found); err != nil {
		s.showModel(w, r, httpStatus(err), nil, nil, "The model did not run: "+reasonOf(err))
		return
	}
	result := &modelResult{
		Title: name, Detections: found.GetDetections(), Classifications: found.GetClassifications(),
		Milliseconds: found.GetMetadata().GetInferenceTimeMs(),
	}
	found.Result = nil // which has the image
	t := tried{image: image, contentType: uploads.ContentType(name, image)}
	if t.answer, err = (protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}).Marshal(found); err != nil {
		s.showModel(w, r, http.StatusInternalServerError, nil, nil, err.Error())
		return
	}
	t = s.tried.put(t)
	result.ImageURL, result.DetectionsURL = t.imageURL(), t.answerURL()
	s.showModel(w, r, http.StatusOK, nil, result, "")
}

// triedImage returns the image of a form: a file, or the object with a key in the bucket of the images.
func (s *Console) triedImage(w http.ResponseWriter, r *http.Request) (name string, image []byte, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, s.maxTried()+maxFormBytes)
	err = r.ParseMultipartForm(s.maxTried() + maxFormBytes)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return "", nil, &tooLargeError{s.maxTried()}
	case err != nil:
		return "", nil, errors.New("the form cannot be read")
	}
	file, header, err := r.FormFile(fileField)
	if err == nil && header.Size > 0 {
		defer file.Close()
		image, err = io.ReadAll(file)
		return header.Filename, image, err
	}
	key := r.FormValue("key")
	switch {
	case key == "":
		return "", nil, errors.New("choose a file, or give the key of an image")
	case !s.config.ReadFrom.Contains(s.config.Bucket, key):
		return "", nil, errors.New("key: READ_FROM of the console does not permit this object")
	}
	image, _, err = s.config.Store.Get(r.Context(), s.config.Bucket, key, "", s.maxTried())
	switch {
	case errors.Is(err, objects.ErrNotFound), errors.Is(err, objects.ErrInvalidName):
		err = fmt.Errorf("key: there is no object %.900q in the bucket %s", key, s.config.Bucket)
	case errors.Is(err, objects.ErrTooLarge):
		err = fmt.Errorf("key: the object is larger than %s", byteCount(s.maxTried()))
	case err != nil:
		err = errors.New("the object store does not answer")
	}
	return key, image, err
}

// detectForm returns a request to detect objects, which stores nothing.
func detectForm(model, name string, image []byte) (body io.Reader, contentType string) {
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, err := form.CreateFormFile(fileField, path.Base(uploads.SafeName(name)))
	if err == nil {
		_, err = part.Write(image)
	}
	if err = errors.Join(err, form.WriteField("model_name", model), form.Close()); err != nil {
		panic(err) // a buffer takes everything
	}
	return &b, form.FormDataContentType()
}
