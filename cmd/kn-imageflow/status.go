package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"knative.dev/eventing/pkg/apis/eventing"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"imageflow.dev/cmd/kn-imageflow/internal/cluster"
)

func newStatus(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "status",
		Short: "List the Services, Brokers and Triggers of a deployment, and whether they are ready",
		Long: "List the Services, Brokers and Triggers of a deployment, and whether they are ready. The exit code is 1 if one of " +
			"them is not, or if there are none.",
		Example: `  kn imageflow status
  kn imageflow status -o wide`,
		Args: cobra.NoArgs,
	}
	p := addPrinter(c)
	c.RunE = runs(func(ctx context.Context, _ []string) error {
		clients, err := o.clients()
		if err != nil {
			return err
		}
		r, err := listReadiness(ctx, clients)
		if err != nil {
			return err
		}
		if err := p.print(r, o); err != nil {
			return err
		}
		return allReady(r)
	})
	return c
}

// allReady returns an error that names what is not ready.
func allReady(r *result) error {
	var not []string
	for _, cells := range r.rows {
		if cells[2] != string(corev1.ConditionTrue) {
			not = append(not, fmt.Sprintf("%s %s", cells[0], cells[1]))
		}
	}
	switch {
	case len(r.rows) == 0:
		return errors.New("there are no Services, Brokers and Triggers: see kn imageflow install --help")
	case len(not) > 0:
		return fmt.Errorf("not ready: %s; see kn imageflow doctor", strings.Join(not, ", "))
	}
	return nil
}

// listReadiness lists what Knative runs of a deployment.
func listReadiness(ctx context.Context, c *cluster.Clients) (*result, error) {
	services, err := c.Serving.ServingV1().Services(c.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list services: %w", err)
	}
	brokers, err := c.Eventing.EventingV1().Brokers(c.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list brokers: %w", err)
	}
	triggers, err := c.Eventing.EventingV1().Triggers(c.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list triggers: %w", err)
	}
	r := &result{columns: []metav1.TableColumnDefinition{
		column("Kind", false), column("Name", false), column("Ready", false), column("Reason", false),
		column("Runs", true), column("URL", true),
	}}
	for _, s := range services.Items {
		s.SetGroupVersionKind(servingv1.SchemeGroupVersion.WithKind("Service"))
		r.addReady(&s, s.Status.Status, s.Status.LatestReadyRevisionName, s.Status.URL)
	}
	for _, b := range brokers.Items {
		b.SetGroupVersionKind(eventingv1.SchemeGroupVersion.WithKind("Broker"))
		address := cmp.Or(b.Status.Address, &duckv1.Addressable{})
		r.addReady(&b, b.Status.Status, b.Annotations[eventing.BrokerClassKey], address.URL)
	}
	for _, t := range triggers.Items {
		t.SetGroupVersionKind(triggerKind)
		r.addReady(&t, t.Status.Status, subscriber(t), t.Status.SubscriberURI)
	}
	return r, nil
}

// resource is an object of Knative with its kind.
type resource interface {
	runtime.Object
	metav1.Object
}

// addReady adds a row for an object with the condition Ready.
func (r *result) addReady(o resource, s duckv1.Status, runs string, url *apis.URL) {
	ready, reason := "Unknown", "no status yet"
	if condition := s.GetCondition(apis.ConditionReady); condition != nil {
		ready, reason = string(condition.Status), ""
		if !condition.IsTrue() {
			reason = strings.TrimSpace(condition.Reason + " " + condition.Message)
		}
	}
	r.add(o, o.GetObjectKind().GroupVersionKind().Kind, o.GetName(), ready, reason, runs, url.String())
}

// subscriber returns what gets the events of a Trigger: the name of a Service, and its path and parameters.
func subscriber(t eventingv1.Trigger) string {
	text := ""
	if ref := t.Spec.Subscriber.Ref; ref != nil {
		text = ref.Name
	}
	if uri := t.Spec.Subscriber.URI; uri != nil {
		text += uri.String()
	}
	return text
}
