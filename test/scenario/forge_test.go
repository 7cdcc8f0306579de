package scenario

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// foreign is a bucket outside ImageFlow, and private an image in it.
const (
	foreign = "imageflow-test-foreign"
	private = "private/p.jpg"
)

// forgery is a request that must have no effect.
type forgery struct {
	name, part, path, body string
	header                 map[string]string
	status                 int
}

// TestForgeriesAreRefused: without the keys, nobody can run a step, end a chain or store a dead
// letter by an event, and no request can use another bucket.
func TestForgeriesAreRefused(t *testing.T) {
	s := local(t, setup{})
	s.placeForeign(t)
	s.place(t, "evil.jpg", jpegOf(t, 64, 48))
	before := s.everything(t)
	requests := append(s.forgedCalls(), s.forgedEvents(t)...)
	for _, f := range append(requests, forgedOrigins()...) {
		resp, text := post(t, http.DefaultClient, s.url(f.part, f.path), f.body, f.header)
		if resp.StatusCode != f.status || strings.Contains(text, "output_data") {
			t.Errorf("%s: %s %.200s, want %d", f.name, resp.Status, text, f.status)
		}
	}
	resp, err := http.Get(s.url("gateway", "/v1/executions/private/p?bucket="+foreign))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("an execution of another bucket: %s", resp.Status)
	}
	if after := s.everything(t); !maps.Equal(after, before) {
		t.Errorf("before: %v\nafter: %v", before, after)
	}
}

// TestForgeriesAtTheBroker: without OIDC the broker accepts any event. Forged ones have no effect.
func TestForgeriesAtTheBroker(t *testing.T) {
	s := local(t, setup{})
	s.placeForeign(t)
	before := s.everything(t)
	for _, kind := range []string{"com.amazonaws.s3.ObjectCreated:Put", "dev.imageflow.filter.completed.v1"} {
		header := forgedHeader(kind)
		header["Ce-Origin"] = "s3://" + foreign + "/" + private
		resp, text := post(t, http.DefaultClient, s.url("broker", "/image-processing/default"), `{}`, header)
		if resp.StatusCode != http.StatusAccepted && !*onCluster { // an in-memory channel answers when all subscribers have
			t.Fatalf("%s %s", resp.Status, text)
		}
	}
	if !*onCluster { // its logs are those of many pods
		eventually(t, "both dead letters to be refused", func() bool {
			return strings.Count(s.output.String(), "dead letter dropped: refused by the sink") >= 2
		})
	}
	s.put(t, "cat.jpg", "image/jpeg", jpegOf(t, 64, 48))
	eventually(t, "a genuine chain to end", func() bool { return s.tag(t, "cat.jpg") == "completed" })
	after := s.everything(t)
	maps.DeleteFunc(after, func(name, _ string) bool { return strings.HasPrefix(name, bucket+"/cat") })
	if !maps.Equal(after, before) {
		t.Errorf("before: %v\nafter: %v", before, after)
	}
}

// placeForeign puts an image into a bucket outside ImageFlow.
func (s *system) placeForeign(t testing.TB) {
	t.Helper()
	ctx := context.Background()
	if there, err := s.s3.BucketExists(ctx, foreign); err != nil {
		t.Fatal(err)
	} else if !there {
		if err := s.s3.MakeBucket(ctx, foreign, minio.MakeBucketOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		s.empty(t, foreign)
		_ = s.s3.RemoveBucket(ctx, foreign)
	})
	image := jpegOf(t, 320, 240)
	_, err := s.s3.PutObject(ctx, foreign, private, bytes.NewReader(image), int64(len(image)),
		minio.PutObjectOptions{ContentType: "image/jpeg"})
	if err != nil {
		t.Fatal(err)
	}
}

// everything returns the version and tags of each object except the index.
func (s *system) everything(t testing.TB) map[string]string {
	t.Helper()
	ctx, all := context.Background(), map[string]string{}
	for _, b := range []string{bucket, "imageflow-dead-letters", foreign} {
		for o := range s.s3.ListObjects(ctx, b, minio.ListObjectsOptions{Recursive: true}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			if strings.HasPrefix(o.Key, "_") { // the index, and a probe at the start
				continue
			}
			state := o.ETag
			if tags, err := s.s3.GetObjectTagging(ctx, b, o.Key, minio.GetObjectTaggingOptions{}); err == nil {
				state += " " + tags.String()
			}
			all[b+"/"+o.Key] = state
		}
	}
	return all
}

// forgedCalls returns calls that read or write outside the allowed buckets.
func (s *system) forgedCalls() []forgery {
	const source = `"input_image":{"object_key":"evil.jpg"},"target_width":32`
	stolen := fmt.Sprintf(`"input_image":{"bucket":%q,"object_key":%q}`, foreign, private)
	into := func(bucket, key string) string {
		return fmt.Sprintf(`{%s,"output_image":{"bucket":%q,"object_key":%q}}`, source, bucket, key)
	}
	resize := func(name, part, body string) forgery {
		return forgery{name: name, part: part, path: "/v1/resize", body: body, status: http.StatusBadRequest}
	}
	steps := `"steps":[{"resize":{"target_width":64}}],"inline":true`
	return []forgery{
		{name: "a pipeline from another bucket", part: "gateway", path: "/v1/pipeline", status: http.StatusBadRequest,
			body: fmt.Sprintf(`{%s,"output_image":{"bucket":%q,"object_key":"stolen.jpg"},%s}`, stolen, bucket, steps)},
		{name: "a pipeline into another bucket", part: "gateway", path: "/v1/pipeline", status: http.StatusBadRequest,
			body: fmt.Sprintf(`{"input_image":{"object_key":"evil.jpg"},"output_image":{"bucket":%q,"object_key":"x.jpg"},%s}`,
				foreign, steps)},
		resize("from another bucket", "gateway", `{`+stolen+`,"target_width":32}`),
		resize("from another bucket, at the processor", "resize", `{`+stolen+`,"target_width":32}`),
		resize("over a key of another bucket", "resize", into(foreign, private)),
		resize("into the dead letters", "resize", into("imageflow-dead-letters", bucket+"/x/y.jpg")),
		resize("from the dead letters", "resize",
			`{"input_image":{"bucket":"imageflow-dead-letters","object_key":"x.jpg"},"target_width":32}`),
		{name: "a side-car of another bucket", part: "detect", path: "/v1/detect", status: http.StatusBadRequest,
			body: fmt.Sprintf(`{"input_image":{"object_key":"evil.jpg"},"resize_metadata_ref":{"bucket":%q,"object_key":"a.json"}}`,
				foreign)},
		{
			name: "a notification with no token", part: "bridge", path: "/notifications",
			status: http.StatusUnauthorized, body: forgedNotification,
		},
		{
			name: "a notification with another token", part: "bridge", path: "/notifications",
			status: http.StatusUnauthorized, body: forgedNotification,
			header: map[string]string{"Authorization": "Bearer of-another"},
		},
	}
}

const forgedNotification = `{"EventName":"s3:ObjectCreated:Put","Records":[{"eventName":"s3:ObjectCreated:Put",
	"s3":{"bucket":{"name":"` + foreign + `"},"object":{"key":"private%2Fp.jpg","eTag":"1"}}}]}`

func forgedHeader(kind string) map[string]string {
	return map[string]string{
		"Ce-Id": "f1", "Ce-Source": "x", "Ce-Specversion": "1.0", "Ce-Type": kind, "Content-Type": "application/json",
	}
}

// forgedEvents returns events that are unsigned, signed with another key, or changed after they
// were signed.
func (s *system) forgedEvents(t testing.TB) (all []forgery) {
	t.Helper()
	data := fmt.Sprintf(`{"result":{"output_image":{"bucket":%q,"object_key":%q},"metadata":{"execution_id":"any/where"}}}`,
		foreign, private)
	header := forgedHeader("dev.imageflow.resize.completed.v1")
	header["Ce-Origin"] = "s3://" + foreign + "/" + private
	genuine := s.signed(t, header, `{"result":{}}`)
	with := func(name, value string) map[string]string {
		changed := maps.Clone(genuine)
		changed[name] = value
		return changed
	}
	letter := maps.Clone(header)
	letter["Ce-Knativeerrordata"], letter["Ce-Knativeerrorcode"] = "look here", "400"
	structured := fmt.Sprintf(`{"specversion":"1.0","id":"f1","source":"x","type":"dev.imageflow.resize.completed.v1","data":%s}`,
		data)
	forged := map[string]map[string]string{
		"unsigned":          header,
		"a dead letter":     letter,
		"an empty mac":      with("Ce-Imageflowsig", "v1::"),
		"by another key":    with("Ce-Imageflowsig", signatureOf(t, strings.Repeat("k", 32), header, data)),
		"of other data":     genuine,
		"of another id":     with("Ce-Id", "f2"),
		"of another origin": with("Ce-Origin", "s3://"+bucket+"/evil.jpg"),
		"of another type":   with("Ce-Type", "com.amazonaws.s3.ObjectCreated:Put"),
		"structured":        {"Content-Type": "application/cloudevents+json"},
	}
	const asSigned = `{"result":{}}`
	bodies := map[string]string{
		"structured": structured, "of another id": asSigned, "of another origin": asSigned, "of another type": asSigned,
	}
	for _, to := range []struct{ part, path string }{
		{"resize", "/?target_width=32"}, {"detect", "/"}, {"filter", "/?filter_type=FILTER_TYPE_BLUR&intensity=1"},
		{"bridge", "/completed"}, {"bridge", "/dead-letters"},
	} {
		for name, header := range forged {
			body := cmp.Or(bodies[name], data)
			all = append(all, forgery{to.part + to.path + ", " + name, to.part, to.path, body, header, http.StatusUnauthorized})
		}
	}
	return all
}

// forgedOrigins returns events whose origins make it impossible to store a dead letter.
func forgedOrigins() (all []forgery) {
	for _, origin := range []string{
		"s3://../x.jpg", "s3://UPPER/x.jpg", "s3://a/x.jpg", "s3://no-such-bucket-here/x.jpg", "s3://imageflow-files/a%00b.jpg",
		"s3://imageflow-files/../../x.jpg", "s3://imageflow-files/" + strings.Repeat("k", 1100) + ".jpg",
		"s3://imageflow-files/a%ff.jpg",
		"s3://imageflow-files:80/x.jpg", "s3://u:p@imageflow-files/x.jpg", "s3://", url.PathEscape("s3://x/y"), "",
	} {
		for _, path := range []string{"/completed", "/dead-letters"} {
			header := forgedHeader("dev.imageflow.filter.completed.v1")
			header["Ce-Origin"] = origin
			all = append(all, forgery{fmt.Sprintf("%s of %.40q", path, origin), "bridge", path, `{}`, header, http.StatusUnauthorized})
		}
	}
	return all
}
