package events_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/objects"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

func TestTypes(t *testing.T) {
	if got := events.StepCompletedType("resize"); got != "dev.imageflow.resize.completed.v1" {
		t.Errorf("StepCompletedType is %q", got)
	}
	for eventType, want := range map[string]string{
		"dev.imageflow.resize.completed.v1": "resize", "dev.imageflow.resize.failed.v1": "", "com.example.resize.completed.v1": "",
	} {
		if step, ok := events.CompletedStep(eventType); ok != (want != "") || ok && step != want {
			t.Errorf("CompletedStep(%q) is %q, %v", eventType, step, ok)
		}
	}
	for eventType, want := range map[string]bool{
		"com.amazonaws.s3.ObjectCreated:Put": true, "com.amazonaws.s3.ObjectRemoved:Delete": false, "s3:ObjectCreated:Put": false,
	} {
		if got := events.IsObjectCreated(eventType); got != want {
			t.Errorf("IsObjectCreated(%q) is %v", eventType, got)
		}
	}
}

func TestExtensions_valuesOfOtherTypes(t *testing.T) {
	e := cloudevent.New()
	for name, value := range map[string]any{"origin": 5, "hops": "7", "began": "2026-11-27T05:00:00Z"} {
		e.SetExtension(name, value)
	}
	at := time.Date(2026, 11, 27, 5, 0, 0, 0, time.UTC)
	text, ok := events.OriginURI.Get(&e)
	if !ok || text != "5" || events.ChainLength.Get(&e) != 7 || !events.Began.Get(&e).Equal(at) {
		t.Errorf("got %q %v, %d, %v", text, ok, events.ChainLength.Get(&e), events.Began.Get(&e))
	}
	e = cloudevent.New()
	e.SetExtension("hops", "many")
	e.SetExtension("began", "yesterday")
	if _, ok := events.OriginURI.Get(&e); ok || events.ChainLength.Get(&e) != 0 || !events.Began.Get(&e).IsZero() {
		t.Errorf("missing or malformed extensions have values: %v", e)
	}
	events.PartitionKey.Set(&e, "two\nlines")
	if got := e.Extensions()["partitionkey"]; got != "two%0Alines" {
		t.Errorf("the partition key is %q", got)
	}
}

func newRecord(key string) *objects.Record {
	r := &objects.Record{EventName: "s3:ObjectCreated:Post"}
	r.S3.Bucket.Name, r.S3.Object.EscapedKey, r.S3.Object.ETag, r.S3.Object.Sequencer = "b", key, "e1", "1"
	return r
}

func TestNewObjectCreated(t *testing.T) {
	e, err := events.NewObjectCreated(newRecord("in/a+b.jpg"),
		[]byte(`{"s3":{"bucket":{"name":"b"},"object":{"key":"in/a+b.jpg","eTag":"e1"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := events.Origin{Bucket: "b", Key: "in/a b.jpg", ETag: "e1"}
	if e.Type() != "com.amazonaws.s3.ObjectCreated:Post" || e.Source() != "minio:s3..b" || e.Subject() != want.Key {
		t.Errorf("got %v", e)
	}
	if o, ok := events.OriginOf(&e); !ok || o != want {
		t.Errorf("the origin is %v, %v", o, ok)
	}
	if o, err := events.ParseObjectCreated(&e); err != nil || o != want {
		t.Errorf("the object is %v, %v", o, err)
	}
	e.SetExtension("origin", nil) // as other producers' events
	if o, ok := events.OriginOf(&e); !ok || o != want {
		t.Errorf("without the extension, the origin is %v, %v", o, ok)
	}
	later := newRecord("in/a+b.jpg")
	later.S3.Object.Sequencer = "2"
	again, _ := events.NewObjectCreated(newRecord("in/a+b.jpg"), nil)
	other, _ := events.NewObjectCreated(later, nil)
	if again.ID() != e.ID() || other.ID() == e.ID() {
		t.Errorf("ids: %s, repeated %s, of a later upload %s", e.ID(), again.ID(), other.ID())
	}
	for _, key := range []string{"", "%zz"} {
		if _, err := events.NewObjectCreated(newRecord(key), nil); err == nil {
			t.Errorf("the key %q makes an event", key)
		}
	}
}

func TestNewObjectFound_equalVersions(t *testing.T) {
	info := objects.Info{Bucket: "b", Key: "in/猫 +.jpg", ETag: "e1", ContentType: "image/jpeg", Size: 7}
	first, err := events.NewObjectFound(info)
	second, _ := events.NewObjectFound(info)
	if err != nil || first.String() != second.String() {
		t.Errorf("got %v and %v, %v", first, second, err)
	}
	if o, err := events.ParseObjectCreated(&first); err != nil || o != (events.Origin{Bucket: "b", Key: info.Key, ETag: "e1"}) {
		t.Errorf("the object is %v, %v", o, err)
	}
}

func TestNewStepCompleted(t *testing.T) {
	cause, err := events.NewObjectCreated(newRecord("in/a.jpg"), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Date(2026, 11, 27, 5, 0, 0, 0, time.UTC)
	cause.SetTime(began)
	result := &imageflowv1.ProcessingResult{
		OutputImage: &imageflowv1.ImageData{Bucket: "b", ObjectKey: "in/a_resize.jpg", Etag: "e2"}, ProcessedAt: timestamppb.New(began),
	}
	events.ExecutionID.Set(result, "in/a")
	first, err := events.NewStepCompleted(t.Context(), &cause, "resize", "target_width=1",
		&imageflowv1.ResizeResponse{Result: result})
	if err != nil {
		t.Fatal(err)
	}
	got, err := events.ParseStepCompleted(first)
	if diff := cmp.Diff(result, got, protocmp.Transform()); diff != "" || err != nil {
		t.Errorf("the result differs (-want +got):\n%s%v", diff, err)
	}
	second, err := events.NewStepCompleted(t.Context(), first, "filter", "", &imageflowv1.FilterResponse{Result: result})
	if err != nil {
		t.Fatal(err)
	}
	origin, _ := events.OriginOf(second)
	correlation, _ := events.CorrelationID.Get(second)
	causation, _ := events.CausationID.Get(second)
	if origin.Key != "in/a.jpg" || correlation != cause.ID() || causation != first.ID() ||
		events.ChainLength.Get(second) != 2 || !events.ChainBegan(second).Equal(began) {
		t.Errorf("the second event is %v", second)
	}
}

func TestParseStepCompleted_malformedData(t *testing.T) {
	for _, data := range []string{"", "{}", `{"result":7}`, `{"result":{}}`, `{"result":{"output_image":{"bucket":"b"}}}`} {
		e := cloudevent.New()
		e.DataEncoded = []byte(data)
		if result, err := events.ParseStepCompleted(&e); err == nil {
			t.Errorf("%q is read as %v", data, result)
		}
	}
}

func TestParseDeadLetter(t *testing.T) {
	e, err := events.NewObjectCreated(newRecord("in/a.jpg"), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		extensions map[string]any
		want       events.DeadLetter
	}{
		{map[string]any{"knativeerrordest": "http://resize/?a=b", "knativeerrorcode": 400,
			"knativeerrordata": base64.StdEncoding.EncodeToString([]byte("no image"))},
			events.DeadLetter{Destination: "http://resize/?a=b", Code: 400, Answer: []byte("no image"), Attempts: 1}},
		{map[string]any{"knativeerrorcode": "503", "knativeerrordata": "not base64!", "attempts": "6", "knativebrokerttl": 3,
			"imageflowsig": "v1:a:b"},
			events.DeadLetter{Code: 503, Answer: []byte("not base64!"), Attempts: 6}},
		{nil, events.DeadLetter{}},
	} {
		deadLetter := e.Clone()
		for name, value := range c.extensions {
			deadLetter.SetExtension(name, value)
		}
		got := events.ParseDeadLetter(&deadLetter)
		if got.Destination != c.want.Destination || got.Code != c.want.Code || string(got.Answer) != string(c.want.Answer) ||
			got.Attempts != c.want.Attempts {
			t.Errorf("%v: got %+v", c.extensions, got)
		}
		if got.Event.String() != e.String() {
			t.Errorf("%v: the event is\n%v, want\n%v", c.extensions, got.Event, e)
		}
	}
}

// TestHTTPStatus_retriedWhereARetryCanSucceed checks all gRPC codes against the table of retries.
func TestHTTPStatus_retriedWhereARetryCanSucceed(t *testing.T) {
	final := map[codes.Code]bool{codes.InvalidArgument: true, codes.Unauthenticated: true, codes.NotFound: true}
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		if status := events.HTTPStatus(code); events.Retried(status) == final[code] {
			t.Errorf("%v is answered %d, which brokers retry: %v", code, status, events.Retried(status))
		}
	}
}

func TestIsPermanent(t *testing.T) {
	for status, want := range map[int]bool{
		http.StatusAccepted: false, http.StatusBadRequest: true, http.StatusUnauthorized: false, http.StatusNotFound: false,
		http.StatusRequestEntityTooLarge: true, http.StatusTooManyRequests: false, http.StatusServiceUnavailable: false,
	} {
		if got := events.IsPermanent(status); got != want {
			t.Errorf("IsPermanent(%d) is %v", status, got)
		}
	}
}

func TestResultKeys(t *testing.T) {
	result := &imageflowv1.ProcessingResult{}
	if got := events.SideCar.Get(nil) + events.SideCar.Get(result); got != "" {
		t.Errorf("an empty result has the side-car %q", got)
	}
	events.SideCar.Set(result, "a.json")
	events.StageTime("fetch").Set(result, "1.5")
	if m := result.GetMetadata(); len(m) != 2 || m["side_car"] != "a.json" || !strings.HasPrefix(m["fetch_ms"], "1.5") {
		t.Errorf("the metadata are %v", m)
	}
}
