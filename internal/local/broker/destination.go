package broker

import (
	"errors"
	"fmt"
	"net/url"
)

// destination is the receiver of events: a Service and a relative URI, or an absolute URI.
type destination struct {
	field           string
	namespace, name string // of a Service; empty if the URI is absolute
	uri             *url.URL
}

type destinationText struct {
	Ref *struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Namespace  string `json:"namespace"`
		Name       string `json:"name"`
	} `json:"ref"`
	URI *string `json:"uri"`
}

var errMissing = errors.New("missing")

// services are the kinds that a ref may have.
var services = map[string]bool{"serving.knative.dev/v1 Service": true, "v1 Service": true}

func (t *destinationText) parse(field, namespace string) (d destination, err error) {
	d = destination{field: field, uri: &url.URL{}}
	if t.URI != nil {
		if d.uri, err = url.Parse(*t.URI); err != nil {
			return d, fmt.Errorf("%s.uri: %w", field, err)
		}
	}
	if t.Ref == nil {
		if (d.uri.Scheme != "http" && d.uri.Scheme != "https") || d.uri.Host == "" {
			return d, fmt.Errorf("%s.uri: %q is not an absolute http URI, and there is no ref", field, d.uri)
		}
		return d, nil
	}
	if kind := t.Ref.APIVersion + " " + t.Ref.Kind; !services[kind] {
		return d, fmt.Errorf("%s.ref.kind: %q is not a Service", field, kind)
	}
	if !name.MatchString(t.Ref.Name) {
		return d, fmt.Errorf("%s.ref.name: %q is not a name", field, t.Ref.Name)
	}
	if d.uri.IsAbs() || d.uri.Host != "" {
		return d, fmt.Errorf("%s.uri: %q is not relative to its ref", field, d.uri)
	}
	if d.namespace, d.name = t.Ref.Namespace, t.Ref.Name; d.namespace == "" {
		d.namespace = namespace
	}
	return d, nil
}

// resolve returns the URL of a destination.
func (d *destination) resolve(service Resolve) (string, error) {
	if d.name == "" {
		return d.uri.String(), nil
	}
	address, ok := service(d.namespace, d.name)
	if !ok {
		return "", fmt.Errorf("%s.ref.name: there is no Service %s/%s", d.field, d.namespace, d.name)
	}
	base, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("%s.ref: the address of %s/%s: %w", d.field, d.namespace, d.name, err)
	}
	if base.Path == "" {
		base.Path = "/"
	}
	return base.ResolveReference(d.uri).String(), nil
}
