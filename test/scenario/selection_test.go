package scenario

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// selections are options of detections as JSON and as the query of a Trigger. They apply to the objects
// of the sample image: cone, mug, book, ball, die and bottle.
var selections = []struct {
	name, json string
	query      url.Values
	classes    []string // of what is found, sorted
}{
	{
		"classes", `"classes":["mug","0"]`, url.Values{"classes": {"mug", "0"}}, []string{"ball", "mug"},
	},
	{
		"thresholds", `"classes":["mug","ball"],"class_thresholds":{"mug":1}`,
		url.Values{"classes": {"mug", "ball"}, "class_thresholds[mug]": {"1"}}, []string{"ball"},
	},
	{
		"regions", `"classes":["ball"],"min_size":5,"agnostic_nms":true,"regions":[{"x1":0,"x2":1,"y1":0,"y2":0.01,"fractions":true}]`,
		url.Values{
			"classes": {"ball"}, "min_size": {"5"}, "agnostic_nms": {"true"}, "regions": {`{"x2":1,"y2":0.01,"fractions":true}`},
		}, nil,
	},
	{
		"tiles", `"classes":["cone","bottle"],"tiles":{"size":1000,"overlap":0.3,"max":6}`,
		url.Values{"classes": {"cone", "bottle"}, "tiles.size": {"1000"}, "tiles.overlap": {"0.3"}, "tiles.max": {"6"}},
		[]string{"bottle", "cone"},
	},
}

// TestSelections_areTheSameByEachTransport: each request is about the same image, so a stored result must
// not be that of other options.
func TestSelections_areTheSameByEachTransport(t *testing.T) {
	s := local(t, setup{})
	s.place(t, "in.jpg", sampleJPEG(t))
	for _, c := range selections {
		t.Run(c.name, func(t *testing.T) {
			input := fmt.Sprintf(`{"input_image":{"bucket":%q,"object_key":"in.jpg"},`, bucket)
			_, body := post(t, http.DefaultClient, s.url("gateway", "/v1/detect"), input+c.json+"}", nil)
			checkClasses(t, "JSON", body, c.classes)
			body = postForm(t, s.url("gateway", "/v1/detect"), sampleJPEG(t), c.query)
			checkClasses(t, "form", body, c.classes)
			event := s.signed(t, binaryEvent, record("in.jpg"))
			_, body = post(t, http.DefaultClient, s.url("detect", "/?"+c.query.Encode()), record("in.jpg"), event)
			checkClasses(t, "event", body, c.classes)
			_, body = post(t, http.DefaultClient, s.url("gateway", "/v1/pipeline"), input+`"steps":[{"detect":{`+c.json+"}}]}", nil)
			var steps struct {
				Steps []struct{ Detect json.RawMessage }
			}
			if err := json.Unmarshal([]byte(body), &steps); err != nil || len(steps.Steps) != 1 {
				t.Fatalf("pipeline: %.300s", body)
			}
			checkClasses(t, "pipeline", string(steps.Steps[0].Detect), c.classes)
			s.checkCall(t, input+c.json+"}", c.classes)
		})
	}
}

// checkCall checks the answer to a call by gRPC.
func (s *system) checkCall(t *testing.T, request string, want []string) {
	t.Helper()
	r := &imageflowv1.DetectionRequest{}
	if err := protojson.Unmarshal([]byte(request), r); err != nil {
		t.Fatal(err)
	}
	found, err := imageflowv1.NewAIDetectionServiceClient(dial(t, s.addresses["detect"])).DetectObjects(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(found)
	if err != nil {
		t.Fatal(err)
	}
	checkClasses(t, "gRPC", string(text), want)
}

// checkClasses checks the classes of the detections in an answer.
func checkClasses(t *testing.T, by, body string, want []string) {
	t.Helper()
	var found struct {
		Result     struct{ Status string }
		Detections []struct {
			Name string `json:"class_name"`
		}
	}
	if err := json.Unmarshal([]byte(body), &found); err != nil || !strings.HasSuffix(found.Result.Status, "COMPLETED") {
		t.Fatalf("%s: %v, %.300s", by, err, body)
	}
	var got []string
	for _, d := range found.Detections {
		got = append(got, d.Name)
	}
	slices.Sort(got)
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("%s: found %q, want %q", by, got, want)
	}
}

// sampleJPEG returns the image that make run uses.
func sampleJPEG(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("../images/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// postForm posts an image and fields as a form, and returns the answer.
func postForm(t testing.TB, address string, data []byte, fields url.Values) string {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("image", "in.jpg")
	if err == nil {
		_, err = file.Write(data)
	}
	for name, values := range fields {
		for _, value := range values {
			err = errors.Join(err, form.WriteField(name, value))
		}
	}
	if err := errors.Join(err, form.Close()); err != nil {
		t.Fatal(err)
	}
	_, text := post(t, http.DefaultClient, address, body.String(), map[string]string{"Content-Type": form.FormDataContentType()})
	return text
}
