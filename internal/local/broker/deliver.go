package broker

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// failure is why an event was not taken.
type failure struct {
	code   int // of HTTP; 0 without an answer
	reason string
	retry  bool
}

// defaultTimeout bounds a delivery where the manifests say none.
const defaultTimeout = 5 * time.Minute

// maxReason is how much of an answer goes into a dead letter, as in Knative.
const maxReason = 1024

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second}}
}

// deliver posts an event to the subscriber and publishes its reply.
func (t *trigger) deliver(ctx context.Context, e *event.Event, hops int) *failure {
	reply, failed := t.post(ctx, t.subscriber, e)
	if failed != nil || reply == nil {
		return failed
	}
	if hops <= 1 {
		return &failure{reason: fmt.Sprintf("the reply would be the event's hop number %d: a loop", t.config.Hops+1)}
	}
	reply.SetExtension(hopsAttribute, hops-1)
	if err := t.publish(ctx, t.manifest.Metadata.Namespace, t.manifest.Spec.Broker, reply); err != nil {
		return &failure{reason: "the reply could not be stored: " + err.Error(), retry: true}
	}
	return nil
}

// post posts an event in binary mode and reads the event in the answer, if any.
func (t *trigger) post(ctx context.Context, to string, e *event.Event) (*event.Event, *failure) {
	ctx, cancel := context.WithTimeout(ctx, or(t.delivery.Timeout.Duration, defaultTimeout))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, nil)
	if err == nil {
		req.Header.Set("Prefer", "reply")
		err = cehttp.WriteRequest(ctx, binding.ToMessage(e), req)
	}
	if err != nil {
		return nil, &failure{reason: err.Error()}
	}
	resp, err := t.client.Do(req)
	if err != nil {
		return nil, &failure{reason: err.Error(), retry: true}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxEventBytes+1))
	if err != nil || len(body) > maxEventBytes {
		return nil, &failure{code: resp.StatusCode, reason: fmt.Sprintf("the answer could not be read: %v", err), retry: true}
	}
	return read(resp, body)
}

// read reads an answer by Knative's rules.
func read(resp *http.Response, body []byte) (*event.Event, *failure) {
	if code := resp.StatusCode; code/100 != 2 {
		return nil, &failure{code: code, reason: string(body[:min(len(body), maxReason)]), retry: retried(code)}
	}
	if len(body) == 0 && resp.Header.Get("Ce-Id") == "" {
		return nil, nil
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	reply, err := cehttp.NewEventFromHTTPResponse(resp)
	if err == nil {
		err = reply.Validate()
	}
	if err != nil {
		return nil, &failure{code: resp.StatusCode, reason: "the answer is no event: " + err.Error()}
	}
	return reply, nil
}

// retried tells the answers after which Knative tries again.
func retried(code int) bool {
	switch code {
	case http.StatusNotFound, http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return true
	}
	return code >= 500
}
