package overlay

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"imageflow.dev/cmd/kn-imageflow/internal/text"
)

// awaited are the kinds that are waited for, and the condition that ends the wait.
var awaited = map[string]string{
	"serving.knative.dev/Service": "Ready", "eventing.knative.dev/Broker": "Ready", "eventing.knative.dev/Trigger": "Ready",
	"batch/Job": "Complete", "apps/Deployment": "Available",
}

// Wait waits until all objects of kinds with such a condition are ready, and writes a line for each change. Its error
// has a line for each object that is not ready after the limit.
func (a *Applier) Wait(ctx context.Context, limit time.Duration, objects []*unstructured.Unstructured, out io.Writer) error {
	end := time.Now().Add(limit)
	states := map[string]string{}
	for {
		var waiting []string
		for _, o := range objects {
			condition, ok := awaited[o.GroupVersionKind().Group+"/"+o.GetKind()]
			if !ok {
				continue
			}
			name := Name(o)
			if o.GetKind() == "Job" && states[name] == "ready" { // and may be deleted meanwhile, by its ttlSecondsAfterFinished
				continue
			}
			state := a.state(ctx, o, condition)
			if states[name] != state {
				fmt.Fprintf(out, "%s: %s\n", name, state)
				states[name] = state
			}
			if state != "ready" {
				waiting = append(waiting, name+": "+state)
			}
		}
		if len(waiting) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s not ready; see kn imageflow status:\n%s",
				text.Count(len(waiting), "object"), strings.Join(waiting, "\n"))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// state returns "ready", or why an object is not.
func (a *Applier) state(ctx context.Context, o *unstructured.Unstructured, wanted string) string {
	resource, err := a.resource(o)
	if err != nil {
		return err.Error()
	}
	live, err := resource.Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil {
		return err.Error()
	}
	observed, found, _ := unstructured.NestedInt64(live.Object, "status", "observedGeneration")
	if found && observed < live.GetGeneration() {
		return "not seen by its controller yet"
	}
	conditions, _, _ := unstructured.NestedSlice(live.Object, "status", "conditions")
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["type"] != wanted {
			continue
		}
		if condition["status"] == "True" {
			return "ready"
		}
		reason, _ := condition["reason"].(string)
		message, _ := condition["message"].(string)
		return cmp.Or(strings.TrimSpace(reason+" "+message), "not ready")
	}
	return "no status yet"
}
