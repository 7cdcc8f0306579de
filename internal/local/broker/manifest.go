package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/sosodev/duration"
	"sigs.k8s.io/yaml"
)

// Manifests are the Brokers and Triggers of a deployment.
type Manifests struct {
	brokers  []manifest[brokerSpec]
	triggers []manifest[triggerSpec]
}

// manifest is a Kubernetes object of Knative's eventing.knative.dev/v1. A field
// that this broker does not honour is not here, and so an error.
type manifest[Spec any] struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name        string            `json:"name"`
		Namespace   string            `json:"namespace"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec Spec `json:"spec"`
}

func (m manifest[Spec]) String() string {
	return m.Kind + " " + m.Metadata.Namespace + "/" + m.Metadata.Name
}

type brokerSpec struct {
	Delivery *delivery `json:"delivery"`
}

type triggerSpec struct {
	Broker  string            `json:"broker"`
	Filter  *attributesFilter `json:"filter"`
	Filters []filter          `json:"filters"`
	// Subscriber gets the events that pass the filters.
	Subscriber destination `json:"subscriber"`
	Delivery   *delivery   `json:"delivery"`
}

// destination is where events go: a Service by reference, or a URL.
type destination struct {
	Ref *struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		Namespace  string `json:"namespace"`
	} `json:"ref"`
	URI string `json:"uri"`
}

// delivery says what happens when a destination fails.
type delivery struct {
	Retry          int          `json:"retry"`
	BackoffPolicy  string       `json:"backoffPolicy"`
	BackoffDelay   isoDuration  `json:"backoffDelay"`
	Timeout        isoDuration  `json:"timeout"`
	DeadLetterSink *destination `json:"deadLetterSink"`
}

// isoDuration is a duration as ISO 8601 writes it, such as PT0.5S.
type isoDuration struct{ time.Duration }

// UnmarshalJSON reads the text of a duration.
func (d *isoDuration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	parsed, err := duration.Parse(s)
	if err != nil {
		return fmt.Errorf("%q is no ISO 8601 duration such as PT0.5S", s)
	}
	d.Duration = parsed.ToTimeDuration()
	return nil
}

// ReadManifests reads every .yaml file of a folder. What it does not understand
// to the last field is an error that names the file.
func ReadManifests(dir fs.FS) (*Manifests, error) {
	files, err := fs.Glob(dir, "*.yaml")
	if err != nil {
		return nil, err
	}
	m := &Manifests{}
	for _, file := range files {
		text, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		if err := m.Add(text); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	return m, nil
}

// Add reads the documents of one file more.
func (m *Manifests) Add(text []byte) error {
	for _, document := range bytes.Split(text, []byte("\n---")) {
		var kind struct {
			APIVersion, Kind string
		}
		if err := yaml.Unmarshal(document, &kind); err != nil {
			return err
		}
		switch kind.APIVersion + " " + kind.Kind {
		case " ": // comments only
		case "eventing.knative.dev/v1 Broker":
			var b manifest[brokerSpec]
			if err := yaml.UnmarshalStrict(document, &b); err != nil {
				return err
			}
			m.brokers = append(m.brokers, b)
		case "eventing.knative.dev/v1 Trigger":
			var t manifest[triggerSpec]
			if err := yaml.UnmarshalStrict(document, &t); err != nil {
				return err
			}
			m.triggers = append(m.triggers, t)
		default:
			return fmt.Errorf("%s %s is nothing that this broker knows", kind.APIVersion, kind.Kind)
		}
	}
	return nil
}

// Resolve returns the base URL of a Service.
type Resolve func(namespace, service string) (base string, ok bool)

// check finds what is wrong between the manifests.
func (m *Manifests) check(resolve Resolve) error {
	var bad []error
	known := map[string]bool{}
	for _, b := range m.brokers {
		known[b.Metadata.Namespace+"/"+b.Metadata.Name] = true
		bad = append(bad, b.Spec.Delivery.check(b.String(), b.Metadata.Namespace, resolve))
	}
	seen := map[string]bool{}
	for _, t := range m.triggers {
		if seen[t.String()] {
			bad = append(bad, fmt.Errorf("%s is there twice", t))
		}
		seen[t.String()] = true
		if !known[t.Metadata.Namespace+"/"+t.Spec.Broker] {
			bad = append(bad, fmt.Errorf("%s: spec.broker: no Broker %q in its namespace", t, t.Spec.Broker))
		}
		if t.Spec.Filter != nil && t.Spec.Filters != nil {
			bad = append(bad, fmt.Errorf("%s: spec.filter and spec.filters: only one may be given", t))
		}
		for i, f := range t.Spec.Filters {
			if err := f.check(); err != nil {
				bad = append(bad, fmt.Errorf("%s: spec.filters[%d]: %w", t, i, err))
			}
		}
		if _, err := t.Spec.Subscriber.url(t.Metadata.Namespace, resolve); err != nil {
			bad = append(bad, fmt.Errorf("%s: spec.subscriber: %w", t, err))
		}
		bad = append(bad, t.Spec.Delivery.check(t.String(), t.Metadata.Namespace, resolve))
	}
	return errors.Join(bad...)
}

func (d *delivery) check(of, namespace string, resolve Resolve) error {
	if d == nil {
		return nil
	}
	var bad []error
	if d.Retry < 0 {
		bad = append(bad, fmt.Errorf("%s: spec.delivery.retry must not be negative", of))
	}
	if d.BackoffPolicy != "" && d.BackoffPolicy != "linear" && d.BackoffPolicy != "exponential" {
		bad = append(bad, fmt.Errorf("%s: spec.delivery.backoffPolicy must be linear or exponential", of))
	}
	if d.DeadLetterSink != nil {
		if _, err := d.DeadLetterSink.url(namespace, resolve); err != nil {
			bad = append(bad, fmt.Errorf("%s: spec.delivery.deadLetterSink: %w", of, err))
		}
	}
	return errors.Join(bad...)
}

// url resolves a destination; its uri is relative to a reference.
func (d destination) url(namespace string, resolve Resolve) (string, error) {
	uri, err := url.Parse(d.URI)
	if err != nil {
		return "", fmt.Errorf("uri: %w", err)
	}
	if d.Ref == nil {
		if !uri.IsAbs() || uri.Host == "" {
			return "", errors.New("without a ref, uri must be an absolute URL")
		}
		return d.URI, nil
	}
	if d.Ref.Namespace != "" {
		namespace = d.Ref.Namespace
	}
	if d.Ref.Kind != "Service" {
		return "", fmt.Errorf("ref: kind %q is not Service", d.Ref.Kind)
	}
	base, ok := resolve(namespace, d.Ref.Name)
	if !ok {
		return "", fmt.Errorf("ref: no Service %q in namespace %s", d.Ref.Name, namespace)
	}
	root, err := url.Parse(strings.TrimSuffix(base, "/") + "/")
	if err != nil {
		return "", err
	}
	return root.ResolveReference(uri).String(), nil
}
