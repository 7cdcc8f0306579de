package broker

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"path"
	"regexp"

	"sigs.k8s.io/yaml"
)

// Manifests are the valid Brokers and Triggers of a deployment.
type Manifests struct {
	brokers  []*brokerSpec
	triggers []*triggerSpec
}

// Resolve returns the base URL of a Service.
type Resolve func(namespace, service string) (base string, ok bool)

type brokerSpec struct {
	resource resource
	delivery delivery
}

type triggerSpec struct {
	resource   resource
	broker     *brokerSpec
	matches    filter
	types      typeFilter
	subscriber destination
	delivery   delivery
	text       []byte // as JSON
}

// resource names a Broker or a Trigger and the file that contains it.
type resource struct{ file, kind, namespace, name string }

func (p resource) String() string {
	return fmt.Sprintf("%s: %s %s/%s", p.file, p.kind, p.namespace, p.name)
}

// The manifests as YAML. This broker supports every field in these types. Any other field
// is an error, so that no manifest behaves differently on a cluster.
type (
	header struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name        string            `json:"name"`
			Namespace   string            `json:"namespace"`
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"` // the broker's class, for a cluster
		} `json:"metadata"`
	}
	brokerText struct {
		header
		Spec struct {
			Delivery *deliveryText `json:"delivery"`
		} `json:"spec"`
	}
	triggerText struct {
		header
		Spec struct {
			Broker  string            `json:"broker"`
			Filter  *legacyFilterText `json:"filter"`
			Filters []filterText      `json:"filters"`
			// Subscriber is where matching events go.
			Subscriber *destinationText `json:"subscriber"`
			Delivery   *deliveryText    `json:"delivery"`
		} `json:"spec"`
	}
)

// ReadManifests reads a folder as AddFolder does.
func ReadManifests(folder fs.FS) (*Manifests, error) {
	m := &Manifests{}
	if err := m.AddFolder(folder); err != nil {
		return nil, err
	}
	return m, nil
}

// AddFolder reads every .yaml and .yml file in a folder, without subfolders. Its error
// names every file and field that is invalid or not supported. Triggers may name Brokers
// that were read before. Check finds out whether the Services exist.
func (m *Manifests) AddFolder(folder fs.FS) error {
	files, err := fs.ReadDir(folder, ".")
	if err != nil {
		return err
	}
	r := &reader{Manifests: m}
	for _, file := range files {
		if file.IsDir() || !isManifest(file.Name()) {
			continue
		}
		text, err := fs.ReadFile(folder, file.Name())
		if err != nil {
			return err
		}
		r.readFile(file.Name(), text)
	}
	return r.end()
}

// Add reads the documents of another file. It may name Brokers that were read before.
func (m *Manifests) Add(text []byte) error {
	r := &reader{Manifests: m}
	r.readFile("added", text)
	return r.end()
}

// Check resolves every Service that the manifests name.
func (m *Manifests) Check(resolve Resolve) error {
	var errs []error
	check := func(p resource, d *destination) {
		if d == nil {
			return
		}
		if _, err := d.resolve(resolve); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p, err))
		}
	}
	for _, b := range m.brokers {
		check(b.resource, b.delivery.sink)
	}
	for _, t := range m.triggers {
		check(t.resource, &t.subscriber)
		if t.delivery.sink != t.broker.delivery.sink {
			check(t.resource, t.delivery.sink)
		}
	}
	return errors.Join(errs...)
}

// Step is a Trigger whose subscriber is a Service.
type Step struct {
	// Location names the Trigger and its file, for messages.
	Location string
	// Service is the name of the subscriber.
	Service string
	// Trigger is the Trigger as JSON.
	Trigger []byte
	// URI has the path and the query of the requests to the subscriber.
	URI url.URL
}

// Steps yields the Triggers whose subscribers are Services, in the order of the files.
func (m *Manifests) Steps() iter.Seq[Step] {
	return func(yield func(Step) bool) {
		for _, t := range m.triggers {
			to := t.subscriber
			if to.name != "" && !yield(Step{Location: t.resource.String(), Service: to.name, URI: *to.uri, Trigger: t.text}) {
				return
			}
		}
	}
}

// isManifest reports whether a file is a manifest. The files of kustomize are not.
func isManifest(name string) bool {
	ext := path.Ext(name)
	return (ext == ".yaml" || ext == ".yml") && name != "kustomization.yaml" && name != "kustomization.yml"
}

var separator = regexp.MustCompile(`(?m)^---\s*?(#.*)?$`)

// documents splits a file at its separators.
func documents(text []byte) [][]byte {
	var all [][]byte
	start := 0
	for _, at := range append(separator.FindAllIndex(text, -1), []int{len(text), len(text)}) {
		var content any
		d := text[start:at[0]]
		if err := yaml.Unmarshal(d, &content); err != nil || content != nil { // a document with only comments is empty
			all = append(all, bytes.TrimSpace(d))
		}
		start = at[1]
	}
	return all
}
