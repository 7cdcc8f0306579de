package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/execution"
	"imageflow.dev/internal/metrics"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/presets"
	"imageflow.dev/internal/queryparams"
	"imageflow.dev/internal/signedurl"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// ImagesPath begins the paths of Images. The rest is the key of an object. Callers need no token: each URL is signed.
const ImagesPath = "/v1/images/"

var imageRequests = metrics.Counter("imageflow.image.requests",
	"requests for images by signed URLs, by outcome: hit, rendered, not modified, forbidden, not found, invalid, busy or failed")

// Images serves resized images of a bucket by signed URLs. Each is rendered once by a resize, which stores it beside
// the original, and then read from the store.
type Images struct {
	Keys       *signedurl.Keys
	Processors Processors
	Presets    *presets.Set
	// AllowOptions allows the parameters of a resize in URLs, and not only the name of a preset.
	AllowOptions bool
	Store        *objects.Store
	Bucket       string
	ReadFrom     objects.AllowList
	// Formats are the media types among which the Accept header chooses, the best first.
	Formats []string
	// MaxAge bounds how long caches may keep an image without asking again.
	MaxAge time.Duration
	// Timeout bounds a render.
	Timeout time.Duration
	// Budget bounds the renders at the same time, which are of different images.
	Budget *semaphore.Weighted

	shared  singleflight.Group
	formats atomic.Pointer[map[string]*imageflowv1.ImageFormat] // nil until the resize has answered
}

// RouteImages returns a handler that passes requests for images to one handler, and all others to next.
func RouteImages(images, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, ImagesPath) { // a ServeMux would clean the path
			images.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ServeHTTP answers GET and HEAD with an image, or with an error as google.rpc.Status.
func (i *Images) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.Header().Set("Cache-Control", "no-store")
		answerRouting(r.Context(), runtime.NewServeMux(), errorJSON, w, r, http.StatusMethodNotAllowed)
		return
	}
	span := trace.SpanFromContext(r.Context())
	span.SetName(r.Method + " " + ImagesPath + "{key}")
	span.SetAttributes(semconv.HTTPRoute(ImagesPath + "{key}"))
	found, err := i.find(r)
	outcome := "hit"
	switch {
	case err != nil:
		outcome = imageOutcomes[status.Code(err)]
		w.Header().Set("Cache-Control", "no-store")
		answerError(r.Context(), runtime.NewServeMux(), errorJSON, w, r, err)
	case found.rendered:
		outcome = "rendered"
	}
	if err == nil && i.send(w, r, found) == http.StatusNotModified {
		outcome = "not modified"
	}
	if outcome == "" {
		outcome = "failed"
	}
	imageRequests.Add(r.Context(), 1, metric.WithAttributes(attribute.String("outcome", outcome)))
}

// errorJSON writes errors as other handlers of the gateway do.
var errorJSON = &runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{UseProtoNames: true}}

var imageOutcomes = map[codes.Code]string{
	codes.PermissionDenied: "forbidden", codes.NotFound: "not found", codes.InvalidArgument: "invalid",
	codes.ResourceExhausted: "busy",
}

// found is an image for a request.
type found struct {
	*picture
	stored   objects.Info
	expires  time.Time // when the URL expires
	rendered bool      // it was not there before
}

// find checks the URL and returns the image, which it renders if it is not there.
func (i *Images) find(r *http.Request) (f found, err error) {
	parameters, err := queryparams.Parse(r.URL.RawQuery)
	if err != nil {
		return f, status.Error(codes.InvalidArgument, err.Error())
	}
	if f.expires, err = i.Keys.Verify(r.URL.Path, parameters, time.Now()); err != nil {
		return f, status.Error(codes.PermissionDenied, err.Error())
	}
	key := strings.TrimPrefix(r.URL.Path, ImagesPath)
	if err := i.checkKey(key); err != nil {
		return f, err
	}
	req, err := i.request(parameters)
	if err != nil {
		return f, err
	}
	ctx := r.Context()
	for range 2 { // the source may be replaced once in between
		f.picture, err = i.picture(ctx, key, req, acceptedImages(r.Header.Values("Accept")))
		if err != nil {
			return f, err
		}
		f.stored, f.rendered, err = i.obtain(ctx, f.picture)
		if !isSuperseded(err) {
			break
		}
	}
	return f, err
}

// CheckImageKey returns an error for keys that are never served.
func CheckImageKey(key string) error {
	if !utf8.ValidString(key) || len(key) > maxKeyBytes || strings.ContainsRune(key, 0) || !execution.SegmentsFit(key) {
		return fmt.Errorf("the path after %s must be UTF-8 of at most %d bytes, %d between two slashes, without NUL",
			ImagesPath, maxKeyBytes, execution.MaxSegmentBytes)
	}
	for segment := range strings.SplitSeq(key, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return errors.New("the key of an object has neither . nor .. nor an empty part between slashes")
		}
	}
	return nil
}

// checkKey returns an error for keys that no object has, or that are not permitted.
func (i *Images) checkKey(key string) error {
	if err := CheckImageKey(key); err != nil {
		return invalid("key", err.Error())
	}
	if !i.ReadFrom.Contains(i.Bucket, key) {
		return outside("key", i.Bucket)
	}
	return nil
}

// request returns the resize that the parameters describe, without an input.
func (i *Images) request(parameters url.Values) (*imageflowv1.ResizeRequest, error) {
	options := url.Values{}
	for name, values := range parameters {
		if name == signedurl.Signature || name == signedurl.Expires {
			continue
		}
		if !i.AllowOptions && name != "preset" {
			return nil, status.Errorf(codes.InvalidArgument,
				"%.64q: a URL may have only a preset unless IMAGE_OPTIONS allows others", name)
		}
		options[name] = values
	}
	req := &imageflowv1.ResizeRequest{}
	if err := readQuery(req, options); err != nil {
		return nil, err
	}
	if !i.AllowOptions && req.GetPreset() == "" {
		return nil, invalid("preset", "must be given")
	}
	expanded, err := i.Presets.Expand(req)
	if err != nil {
		return nil, invalid("preset", err.Error())
	}
	req = expanded.(*imageflowv1.ResizeRequest)
	return req, checkOptions(req)
}

// send answers with an image, or with a part of it, or says that the caller has it. It returns the HTTP status.
func (i *Images) send(w http.ResponseWriter, r *http.Request, f found) int {
	h := w.Header()
	h.Set("Content-Type", f.stored.ContentType)
	h.Set("ETag", `"`+f.stored.ETag+`"`)
	age := min(i.MaxAge, time.Until(f.expires))
	h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", max(0, int(age.Seconds()))))
	h.Set("X-Content-Type-Options", "nosniff")
	if f.negotiated {
		h.Add("Vary", "Accept")
	}
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	standardize(r)
	content := i.Store.Open(r.Context(), f.stored)
	defer content.Close()
	answer := &answer{ResponseWriter: w, request: r, size: f.stored.Size}
	http.ServeContent(answer, r, "", f.stored.Modified, content)
	if content.Err != nil {
		if r.Context().Err() == nil {
			slog.WarnContext(r.Context(), "image not sent", "bucket", f.stored.Bucket, "key", f.stored.Key, "error", content.Err)
		}
		panic(http.ErrAbortHandler) // so that the caller sees that the image is cut off
	}
	return answer.code
}

// explainStore returns the answer for an error of the store about an object.
func explainStore(ctx context.Context, err error, info objects.Info) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return status.FromContextError(ctx.Err()).Err()
	case errors.Is(err, objects.ErrNotFound):
		return status.Errorf(codes.NotFound, "the bucket %q has no object %q", info.Bucket, info.Key)
	case errors.Is(err, objects.ErrInvalidName):
		return invalid("key", "no object has this key")
	}
	slog.WarnContext(ctx, "image not found", "bucket", info.Bucket, "key", info.Key, "error", err)
	return unavailable("the object store does not answer")
}
