package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"

	"imageflow.dev/internal/triggers"
)

// Triggers returns the Triggers in the namespace, as Knative has them and as internal/triggers reads them.
func (c *Clients) Triggers(ctx context.Context) ([]eventingv1.Trigger, []triggers.Trigger, error) {
	found, err := c.Eventing.EventingV1().Triggers(c.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, nil, fmt.Errorf("list triggers: %w", err)
	}
	for i := range found.Items {
		found.Items[i].SetGroupVersionKind(eventingv1.SchemeGroupVersion.WithKind("Trigger"))
	}
	read, err := ReadTriggers(found.Items)
	return found.Items, read, err
}

// ReadTriggers returns Triggers of Knative as internal/triggers has them.
func ReadTriggers(from []eventingv1.Trigger) ([]triggers.Trigger, error) {
	text, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	var read []triggers.Trigger
	err = json.Unmarshal(text, &read)
	return read, err
}
