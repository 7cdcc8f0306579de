package main

import (
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"google.golang.org/protobuf/encoding/protojson"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/signature"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// step is one finished step of an execution.
type step struct {
	name   string
	at     time.Time
	result *imageflowv1.ProcessingResult
}

// terminal subscribes to the completed steps of the chain. It prints each step and
// records the steps of followed executions.
type terminal struct {
	out    io.Writer
	signer *signature.Signer

	mu       sync.Mutex
	followed map[string][]step
}

func newTerminal(out io.Writer, signer *signature.Signer) *terminal {
	return &terminal{out: out, signer: signer, followed: map[string][]step{}}
}

// terminalTrigger subscribes the terminal to the completed events of all steps.
const terminalTrigger = `
apiVersion: eventing.knative.dev/v1
kind: Trigger
metadata: {name: terminal, namespace: image-processing}
spec:
  broker: default
  filters:
    - all:
        - prefix: {type: ` + events.StepPrefix + `}
        - suffix: {type: ` + events.CompletedSuffix + `}
  delivery: {retry: 0}
  subscriber:
    ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: terminal}
`

// ServeHTTP handles the event of a completed step.
func (t *terminal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, err := cehttp.NewEventFromHTTPRequest(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if t.signer.Verify(*e) != nil { // anyone could have sent it
		w.WriteHeader(http.StatusAccepted)
		return
	}
	name, ok := events.CompletedStep(e.Type())
	if !ok { // the outcome of an execution
		w.WriteHeader(http.StatusAccepted)
		return
	}
	resp := &imageflowv1.ResizeResponse{} // all responses have the result in the same field
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(e.Data(), resp); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t.note(events.ExecutionID.Get(resp.GetResult()), step{name: name, at: time.Now(), result: resp.GetResult()})
	w.WriteHeader(http.StatusAccepted)
}

func (t *terminal) note(execution string, s step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if steps, ok := t.followed[execution]; ok {
		t.followed[execution] = append(steps, s)
	}
	image := s.result.GetOutputImage()
	fmt.Fprintf(t.out, "  ✓ %-7s %s/%s  %d×%d  %s  %.0f ms\n", s.name, image.GetBucket(), image.GetObjectKey(),
		image.GetWidth(), image.GetHeight(), kilobytes(image.GetSizeBytes()), 1000*s.result.GetProcessingTimeSeconds())
}

// follow starts to record the steps of an execution.
func (t *terminal) follow(execution string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.followed[execution] = []step{}
}

// steps returns the recorded steps of a followed execution.
func (t *terminal) steps(execution string) []step {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]step(nil), t.followed[execution]...)
}

func kilobytes(n int64) string { return fmt.Sprintf("%.0f kB", float64(n)/1000) }
