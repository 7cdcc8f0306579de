package broker

import (
	"errors"
	"fmt"
	"regexp"

	"sigs.k8s.io/yaml"
)

// reader parses manifests and collects their errors.
type reader struct {
	*Manifests
	pending []pendingTrigger
	errs    []error
}

// pendingTrigger is a Trigger whose Broker may be in a later file.
type pendingTrigger struct {
	spec   *triggerSpec
	broker string
	text   *deliveryText
}

const (
	apiVersion       = "eventing.knative.dev/v1"
	defaultNamespace = "default"
	defaultBroker    = "default" // as Knative fills it in
)

// name matches the names of Kubernetes objects.
var name = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

func (r *reader) readFile(file string, text []byte) {
	for _, document := range documents(text) {
		r.read(file, document)
	}
}

func (r *reader) read(file string, text []byte) {
	var h header
	if err := yaml.Unmarshal(text, &h); err != nil {
		r.fail(resource{file: file}, "", err)
		return
	}
	p := resource{file: file, kind: h.Kind, namespace: h.Metadata.Namespace, name: h.Metadata.Name}
	if p.namespace == "" {
		p.namespace = defaultNamespace
	}
	switch {
	case h.APIVersion != apiVersion:
		r.fail(p, "apiVersion", fmt.Errorf("%q is not %q", h.APIVersion, apiVersion))
	case !name.MatchString(p.name):
		r.fail(p, "metadata.name", fmt.Errorf("%q is not a name", p.name))
	case !name.MatchString(p.namespace):
		r.fail(p, "metadata.namespace", fmt.Errorf("%q is not a name", p.namespace))
	case h.Kind == "Broker":
		r.readBroker(p, text)
	case h.Kind == "Trigger":
		r.readTrigger(p, text)
	default:
		r.fail(p, "kind", fmt.Errorf("%q is neither Broker nor Trigger", h.Kind))
	}
}

func (r *reader) readBroker(p resource, text []byte) {
	var doc brokerText
	if err := yaml.UnmarshalStrict(text, &doc); err != nil {
		r.fail(p, "", err)
		return
	}
	spec := &brokerSpec{resource: p, delivery: defaultDelivery}
	if doc.Spec.Delivery != nil {
		d, err := doc.Spec.Delivery.parse("spec.delivery", p.namespace)
		r.fail(p, "", err)
		spec.delivery = d
	}
	if other := r.broker(p.namespace, p.name); other != nil {
		r.fail(p, "metadata.name", fmt.Errorf("it is also in %s", other.resource.file))
		return
	}
	r.brokers = append(r.brokers, spec)
}

func (r *reader) readTrigger(p resource, text []byte) {
	var doc triggerText
	if err := yaml.UnmarshalStrict(text, &doc); err != nil {
		r.fail(p, "", err)
		return
	}
	text, err := yaml.YAMLToJSON(text)
	r.fail(p, "", err)
	spec := &triggerSpec{resource: p, text: text}
	spec.types = newTypeFilter(doc.Spec.Filter, doc.Spec.Filters)
	spec.matches, err = parseFilters(doc.Spec.Filter, doc.Spec.Filters)
	r.fail(p, "", err)
	if doc.Spec.Subscriber == nil {
		r.fail(p, "spec.subscriber", errMissing)
	} else {
		spec.subscriber, err = doc.Spec.Subscriber.parse("spec.subscriber", p.namespace)
		r.fail(p, "", err)
	}
	for _, other := range r.triggers {
		if other.resource.namespace == p.namespace && other.resource.name == p.name {
			r.fail(p, "metadata.name", fmt.Errorf("it is also in %s", other.resource.file))
			return
		}
	}
	r.pending = append(r.pending, pendingTrigger{spec: spec, broker: doc.Spec.Broker, text: doc.Spec.Delivery})
	r.triggers = append(r.triggers, spec)
}

// broker returns the Broker of a namespace with a name, or nil.
func (m *Manifests) broker(namespace, name string) *brokerSpec {
	for _, b := range m.brokers {
		if b.resource.namespace == namespace && b.resource.name == name {
			return b
		}
	}
	return nil
}

// end sets the Brokers of the Triggers and returns all errors. The delivery of a Trigger
// replaces that of its Broker, except that the Broker's sink is the default.
func (r *reader) end() error {
	for _, t := range r.pending {
		p := t.spec.resource
		if t.broker == "" {
			t.broker = defaultBroker
		}
		b := r.broker(p.namespace, t.broker)
		if b == nil {
			r.fail(p, "spec.broker", fmt.Errorf("there is no Broker %s/%s", p.namespace, t.broker))
			continue
		}
		t.spec.broker, t.spec.delivery = b, b.delivery
		if t.text == nil {
			continue
		}
		d, err := t.text.parse("spec.delivery", p.namespace)
		r.fail(p, "", err)
		if d.sink == nil {
			d.sink = b.delivery.sink
		}
		t.spec.delivery = d
	}
	return errors.Join(r.errs...)
}

// fail collects an error. It ignores nil.
func (r *reader) fail(p resource, field string, err error) {
	if err == nil {
		return
	}
	if field != "" {
		err = fmt.Errorf("%s: %w", field, err)
	}
	if p.kind == "" {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", p.file, err))
		return
	}
	r.errs = append(r.errs, fmt.Errorf("%s: %w", p, err))
}
