package role_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/testing/stores"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// heicFile is an absolute path, because a test's S3 server changes the working directory.
var heicFile, _ = filepath.Abs("../../../internal/imaging/testdata/heif/8.heic")

// files returns an image of 40 × 30 pixels in each format; the HEIC has 64 × 48.
func files(t *testing.T) map[string][]byte {
	t.Helper()
	m := image.NewPaletted(image.Rect(0, 0, 40, 30), []color.Color{color.Black, color.White})
	var asPNG, asGIF, asBMP bytes.Buffer
	if err := errors.Join(png.Encode(&asPNG, m), gif.Encode(&asGIF, m, nil), bmp.Encode(&asBMP, m)); err != nil {
		t.Fatal(err)
	}
	heic, err := os.ReadFile(heicFile)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{"png": asPNG.Bytes(), "gif": asGIF.Bytes(), "bmp": asBMP.Bytes(), "heic": heic}
	opened, err := imaging.Open(all["png"], imaging.Limits{MaxSide: 100, MaxPixels: 10000})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []imaging.Format{imaging.JPEG, imaging.WebP, imaging.TIFF, imaging.AVIF} {
		e, err := opened.Convert(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		all[string(f)] = e.Data
	}
	return all
}

// describeEnvironment sets the environment of resize and returns the store.
func describeEnvironment(t *testing.T) *objects.Store {
	t.Helper()
	config, store := stores.Start(t, stores.Local, "imageflow-files")
	for name, value := range map[string]string{
		"HOST": "127.0.0.1", "PORT": "0", "DRAIN_DELAY": "0s", "EVENT_SIGNING_KEYS": signingKey, "READ_FROM": "imageflow-files/in/",
		"MINIO_ENDPOINT": config.Endpoint, "MINIO_ACCESS_KEY": config.AccessKey, "MINIO_SECRET_KEY": config.SecretKey,
		"MINIO_BUCKET": "imageflow-files", "MAX_OBJECT_BYTES": "65536",
	} {
		t.Setenv(name, value)
	}
	return store
}

// TestDescribeImage_ofAllFormats: gRPC and JSON, an object and an upload, and the gateway answer
// the same.
func TestDescribeImage_ofAllFormats(t *testing.T) {
	store := describeEnvironment(t)
	address, end := run(t, "resize")
	t.Setenv("RESIZE_GRPC_ENDPOINT", address)
	atGateway, endGateway := run(t, "gateway")
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := imageflowv1.NewImageServiceClient(conn)
	for format, data := range files(t) {
		info, err := store.Put(t.Context(), "imageflow-files", "in/x", "", data, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, err := client.DescribeImage(t.Context(), &imageflowv1.DescribeImageRequest{ObjectKey: "in/x"})
		if err != nil || want.GetContentType() != "image/"+format || want.GetSizeBytes() != int64(len(data)) ||
			want.GetEtag() != info.ETag || want.GetWidth()*3 != want.GetHeight()*4 || want.GetFrames() != 1 {
			t.Fatalf("%s: got %v, %v", format, want, err)
		}
		upload, err := json.Marshal(map[string]any{"input_bytes": data})
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{address, atGateway} {
			route := "http://" + at + "/v1/info"
			sameDescription(t, want, ask(t, "GET", route+"?bucket=imageflow-files&object_key=in/x", "", ""))
			sameDescription(t, want, ask(t, "POST", route, "application/json", `{"object_key": "in/x"}`))
			want := proto.CloneOf(want)
			want.Etag = ""
			sameDescription(t, want, ask(t, "POST", route, "application/json", string(upload)))
			sameDescription(t, want, ask(t, "POST", route, formType, formOf(t, data)))
		}
	}
	if err := errors.Join(endGateway(), end()); err != nil {
		t.Error(err)
	}
}

// answer is an HTTP answer.
type answer struct {
	status int
	text   string
}

// formType is the media type of formOf.
const formType = "multipart/form-data; boundary=part"

func formOf(t *testing.T, data []byte) string {
	t.Helper()
	var b strings.Builder
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary("part"); err != nil {
		t.Fatal(err)
	}
	part, err := w.CreateFormFile("image", "x")
	if err != nil {
		t.Fatal(err)
	}
	_, err = part.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// ask sends a request.
func ask(t *testing.T, method, target, contentType, body string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, string(text)}
}

func sameDescription(t *testing.T, want *imageflowv1.DescribeImageResponse, a answer) {
	t.Helper()
	got := &imageflowv1.DescribeImageResponse{}
	if err := protojson.Unmarshal([]byte(a.text), got); a.status != http.StatusOK || err != nil || !proto.Equal(got, want) {
		t.Errorf("got %d %s, want %v", a.status, a.text, want)
	}
}

func TestDescribeImage_refusesAsJobsDo(t *testing.T) {
	store := describeEnvironment(t)
	address, end := run(t, "resize")
	for key, data := range map[string]string{"in/x.pdf": "%PDF-1.7", "in/large": strings.Repeat("x", 70000), "out/x": "x"} {
		if _, err := store.Put(t.Context(), "imageflow-files", key, "", []byte(data), nil); err != nil {
			t.Fatal(err)
		}
	}
	for query, want := range map[string]answer{
		"":                                           {400, "object_key or input_bytes: exactly one must be given"},
		"object_key=in/none":                         {404, `no object \"in/none\" in bucket \"imageflow-files\"`},
		"object_key=in/x.pdf":                        {400, "object_key: a PDF"},
		"object_key=in/large":                        {400, "is larger than MAX_OBJECT_BYTES=65536"},
		"object_key=out/x":                           {400, `is not in READ_FROM`},
		"object_key=in/x.pdf&bucket=others":          {400, `bucket \"others\", or this part of it, is not in READ_FROM`},
		"object_key=in/x.pdf&etag=other":             {404, "is no longer the requested version"},
		"object_key=in/../x":                         {400, "object_key: "},
		"object_key=in/x.pdf&input_bytes=eA==":       {400, "exactly one must be given"},
		"input_bytes=" + url.QueryEscape("JVBERg=="): {400, "input_bytes: "},
	} {
		got := ask(t, "GET", "http://"+address+"/v1/info?"+query, "", "")
		if got.status != want.status || !strings.Contains(got.text, want.text) {
			t.Errorf("%s: got %d %s, want %d %s", query, got.status, got.text, want.status, want.text)
		}
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}
