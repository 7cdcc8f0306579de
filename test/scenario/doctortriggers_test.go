package scenario

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

// The breakages of Triggers, for TestOnClusterDoctor.

// withCollision adds a Trigger that writes the output of the chain's first one.
func withCollision(t *testing.T, _ *system) {
	before := kubectl(t, "get", "configmap", "-n", namespace, "triggers", "-o", "jsonpath={.data}")
	t.Cleanup(func() {
		kubectl(t, "delete", "trigger", "-n", namespace, "doctor-small")
		kubectl(t, "patch", "configmap", "-n", namespace, "triggers", "--type", "json", "-p",
			`[{"op":"replace","path":"/data","value":`+before+`}]`)
	})
	const uploads = `{"prefix": {"type": "com.amazonaws.s3.ObjectCreated:"}}`
	applyTrigger(t, "doctor-small", uploads, "resize-grpc-service", "/?target_width=320")
}

// withLeftSubscriber deletes pairs of Triggers at once until the broker's channel keeps a subscriber.
func withLeftSubscriber(t *testing.T, _ *system) {
	for pair := range 20 {
		first, second := fmt.Sprintf("doctor-%da", pair), fmt.Sprintf("doctor-%db", pair)
		for _, name := range []string{first, second} {
			applyTrigger(t, name, `{"exact": {"type": "none"}}`, "bridge", "/completed")
		}
		kubectl(t, "wait", "-n", namespace, "--for", "condition=Ready", "--timeout", "1m", "trigger", first, second)
		kubectl(t, "delete", "trigger", "-n", namespace, "--cascade=foreground", first, second)
		const names = "jsonpath={.spec.subscribers[*].name}"
		subscribers := kubectl(t, "get", "inmemorychannel", "-n", namespace, "default-kne-trigger", "-o", names)
		if strings.Contains(subscribers, "default-doctor-") {
			return
		}
	}
	t.Skip("Knative has removed the subscribers of 20 pairs of Triggers")
}

// applyTrigger makes a Trigger of the deployment's broker.
func applyTrigger(t *testing.T, name, filter, service, uri string) {
	t.Helper()
	applyText(t, `{"apiVersion": "eventing.knative.dev/v1", "kind": "Trigger",
		"metadata": {"name": "`+name+`", "namespace": "`+namespace+`"},
		"spec": {"broker": "default", "filters": [`+filter+`], "subscriber": {
			"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "`+service+`"}, "uri": "`+uri+`"}}}`)
}

// withDeadLetter makes the first step refuse an upload, and then corrects the step.
func withDeadLetter(t *testing.T, s *system) {
	const name = "chain-1-resize"
	s.empty(t, "imageflow-dead-letters")
	at := func(uri string) {
		kubectl(t, "patch", "trigger", "-n", namespace, name, "--type", "merge", "-p", `{"spec":{"subscriber":{"uri":"`+uri+`"}}}`)
		_, query, _ := strings.Cut(uri, "?")
		eventually(t, "the Trigger's address", func() bool {
			address := kubectl(t, "get", "trigger", "-n", namespace, name, "-o", "jsonpath={.status.subscriberUri}")
			return strings.HasSuffix(address, "?"+query)
		})
	}
	before := kubectl(t, "get", "trigger", "-n", namespace, name, "-o", "jsonpath={.spec.subscriber.uri}")
	t.Cleanup(func() { at(before) })
	at("/?target_width=-1")
	image, err := os.ReadFile("../images/sample.jpg")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.s3.PutObject(context.Background(), bucket, "doctor/sample.jpg", bytes.NewReader(image), int64(len(image)),
		minio.PutObjectOptions{ContentType: "image/jpeg"})
	if err == nil {
		eventually(t, "the dead letter", func() bool { return len(s.deadLetterKeys(t)) > 0 })
	}
	at(before)
	if err != nil {
		t.Fatal(err)
	}
}
