package notify_test

import (
	"net/http"
	"strings"
	"testing"

	"imageflow.dev/internal/events"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// TestOutcomesAreMessages: a receiver gets the whole execution, with one id for its completion.
func TestOutcomesAreMessages(t *testing.T) {
	r := newReceiver(t)
	h := handler(t, r.URL, loopback...)
	cause := finished(t)
	origin := events.Origin{Bucket: "images", Key: "cat.jpg", ETag: "v1"}
	ended := &imageflowv1.GetExecutionResponse{
		ExecutionId: "cat", Status: imageflowv1.ProcessingStatus_PROCESSING_STATUS_COMPLETED,
	}
	for range 2 {
		e, err := events.NewExecutionEnded(t.Context(), &cause, origin, ended)
		if err != nil {
			t.Fatal(err)
		}
		if resp := send(t, h, "hook=shop", e); resp.StatusCode != http.StatusAccepted {
			t.Fatalf("answered %d", resp.StatusCode)
		}
	}
	if r.got[0].header.Get("Webhook-Id") != r.got[1].header.Get("Webhook-Id") {
		t.Error("a repetition has another id")
	}
	for _, want := range []string{
		`"type":"dev.imageflow.execution.completed.v1"`, `"execution_id":"cat","bucket":"images"`,
		`"execution":{"execution_id":"cat",`, `"etag":"v1"`,
	} {
		if got := strings.ReplaceAll(string(r.got[0].body), " ", ""); !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}
