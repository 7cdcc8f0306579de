package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	eventingv1 "knative.dev/eventing/pkg/apis/eventing/v1"
	"knative.dev/pkg/apis"
	duckv1 "knative.dev/pkg/apis/duck/v1"
	servingv1 "knative.dev/serving/pkg/apis/serving/v1"

	"imageflow.dev/internal/events"
	"imageflow.dev/internal/processors"
	"imageflow.dev/internal/queryparams"
	"imageflow.dev/internal/triggers"
)

// chainLabel names the chain on each Trigger that chain apply has made.
const chainLabel = "imageflow.dev/chain"

// chainStep is a step of a chain: a processor and its parameters.
type chainStep struct {
	processor processors.Info
	query     string
}

// parseStep parses a step such as resize?target_width=800, and checks its parameters by the contract.
func parseStep(text string) (chainStep, error) {
	name, query, _ := strings.Cut(text, "?")
	p, ok := processors.Named(name)
	if !ok {
		var names []string
		for _, p := range processors.All {
			names = append(names, p.Name)
		}
		return chainStep{}, fmt.Errorf("--step %q: there is no step %q; there are %s", text, name, strings.Join(names, ", "))
	}
	values, err := queryparams.Parse(query)
	if err == nil {
		err = checkParameters(p, values, query)
	}
	if err != nil {
		return chainStep{}, fmt.Errorf("--step %q: %w", text, err)
	}
	return chainStep{p, query}, nil
}

// checkParameters returns an error for parameters that the contract refuses in a request of a processor. Parameters that
// only the preset gives are not checked.
func checkParameters(p processors.Info, values url.Values, query string) error {
	if values.Has("preset") {
		return queryparams.Read(p.NewRequest(), values)
	}
	return triggers.CheckParameters(p, nil, query)
}

// chainPlan describes the chain that chain apply makes.
type chainPlan struct {
	name, namespace, broker, prefix string
	steps                           []chainStep
}

// triggers returns the Triggers of the chain: one for each step and one that records the end.
func (c *chainPlan) triggers() (made []*eventingv1.Trigger) {
	before := []eventingv1.SubscriptionsAPIFilter{{Prefix: map[string]string{"type": events.ObjectCreatedPrefix}}}
	texts, last := triggers.Describer{Chain: c.name, Prefix: c.prefix}, ""
	add := func(step, service, description string, uri *apis.URL) {
		t := c.trigger(len(made)+1, step, before, service, uri)
		t.Annotations = map[string]string{triggers.DescriptionAnnotation: description}
		made = append(made, t)
	}
	for _, s := range c.steps {
		name := s.processor.Name
		add(name, s.processor.Host, texts.Step(name, s.query, last), &apis.URL{Path: "/", RawQuery: s.query})
		before = []eventingv1.SubscriptionsAPIFilter{{Exact: map[string]string{"type": events.StepCompletedType(name)}}}
		last = name
	}
	add("completed", "bridge", texts.Completion(last), &apis.URL{Path: "/completed"})
	return made
}

func (c *chainPlan) trigger(
	n int, step string, filters []eventingv1.SubscriptionsAPIFilter, service string, uri *apis.URL,
) *eventingv1.Trigger {
	if c.prefix != "" {
		filters = append(filters, eventingv1.SubscriptionsAPIFilter{Prefix: map[string]string{"subject": c.prefix}})
	}
	t := &eventingv1.Trigger{
		ObjectMeta: metav1.ObjectMeta{
			Name: c.name + "-" + strconv.Itoa(n) + "-" + step, Namespace: c.namespace, Labels: map[string]string{chainLabel: c.name},
		},
		Spec: eventingv1.TriggerSpec{Broker: c.broker, Filters: filters, Subscriber: duckv1.Destination{
			Ref: &duckv1.KReference{APIVersion: servingv1.SchemeGroupVersion.String(), Kind: "Service", Name: service},
			URI: uri,
		}},
	}
	t.SetGroupVersionKind(triggerKind)
	return t
}

var triggerKind = schema.GroupVersionKind{Group: "eventing.knative.dev", Version: "v1", Kind: "Trigger"}
