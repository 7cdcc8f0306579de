package main

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation"
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
	return chainStep{p, escaped(query)}, nil
}

// escaped returns a query that may stand in the first line of a request: a broker could not send one with a space.
func escaped(query string) string {
	var to strings.Builder
	for _, b := range []byte(query) {
		if b > ' ' && b < 0x7f {
			to.WriteByte(b)
		} else {
			fmt.Fprintf(&to, "%%%02X", b)
		}
	}
	return to.String()
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

// check returns an error if no Trigger may have the name of the plan, or no upload its prefix.
func (c *chainPlan) check() error {
	if wrong := validation.IsDNS1123Label(c.name); len(wrong) > 0 {
		return fmt.Errorf("NAME is %q: %s", c.name, wrong[0])
	}
	for _, t := range c.triggers() {
		// Knative labels the Subscription of a Trigger with the Trigger's name.
		if long := len(t.Name) - validation.LabelValueMaxLength; long > 0 {
			return fmt.Errorf("NAME is %q: it may have at most %d characters, since the Trigger %s could get no event",
				c.name, len(c.name)-long, t.Name)
		}
	}
	return checkPrefix(c.prefix)
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
