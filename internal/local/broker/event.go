package broker

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"

	"github.com/cloudevents/sdk-go/v2/binding"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"

	"imageflow.dev/internal/httpevent"
)

// event is a CloudEvent in HTTP's binary mode. The store keeps it in this form. Its data
// stays byte by byte, whatever its content type is.
type event struct {
	header http.Header // Ce-* and Content-Type
	data   []byte
}

const (
	attributePrefix = "Ce-"
	contentType     = "Content-Type"
)

// readEvent returns the event in a message in binary or structured mode.
func readEvent(header http.Header, body []byte) (event, error) {
	if err := cmp.Or(httpevent.CheckFormat(header), httpevent.CheckAttributes(header, body)); err != nil {
		return event{}, err
	}
	if httpevent.IsStructured(header) {
		var err error
		if body, err = httpevent.Normalize(body); err != nil {
			return event{}, err
		}
	}
	m := cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body)))
	parsed, err := binding.ToEvent(context.Background(), m)
	if err != nil {
		return event{}, err
	}
	if parsed.SpecVersion() != "1.0" {
		return event{}, fmt.Errorf("specversion is %q but must be 1.0", parsed.SpecVersion())
	}
	if err := parsed.Validate(); err != nil {
		return event{}, err
	}
	binary := &http.Request{Header: http.Header{}}
	forceBinary := binding.WithForceBinary(context.Background())
	if err := cehttp.WriteRequest(forceBinary, (*binding.EventMessage)(parsed), binary); err != nil {
		return event{}, err
	}
	if err := checkAttributeValues(binary.Header); err != nil {
		return event{}, err
	}
	if m.ReadEncoding() == binding.EncodingStructured { // in binary mode they are encoded already
		httpevent.Encode(binary.Header)
	}
	return event{header: binary.Header, data: parsed.Data()}, nil
}

// checkAttributeValues returns an error for attributes that cannot be HTTP headers.
func checkAttributeValues(header http.Header) error {
	size := 0
	for name := range header {
		value := header.Get(name)
		if size += len(name) + len(value); size > maxHeaderBytes {
			return fmt.Errorf("the attributes are larger than %d bytes", maxHeaderBytes)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("attribute %s has a control character", strings.TrimPrefix(name, attributePrefix))
		}
	}
	return nil
}

// attributes returns the attributes and extensions that filters see, by name. As in
// Knative, it also has a default time, the media type, and older names of two attributes.
// These hide extensions with the same names.
func (e event) attributes() map[string]string {
	all := make(map[string]string, len(e.header)+3)
	for name, values := range e.header {
		if name == contentType {
			all["datacontenttype"] = values[0]
		} else {
			all[strings.ToLower(strings.TrimPrefix(name, attributePrefix))] = values[0]
		}
	}
	mediaType, _, _ := strings.Cut(all["datacontenttype"], ";")
	all["datamediatype"], all["schemaurl"], all["datacontentencoding"] = strings.TrimSpace(mediaType), all["dataschema"], ""
	all["time"] = cmp.Or(all["time"], "0001-01-01T00:00:00Z")
	return all
}

func (e event) id() string { return e.header.Get(attributePrefix + "Id") }

func (e event) eventType() string { return e.header.Get(attributePrefix + "Type") }

// with returns a copy of the event with an extension. An empty value removes it.
func (e event) with(extension, value string) event {
	header := maps.Clone(e.header)
	if value == "" {
		delete(header, http.CanonicalHeaderKey(attributePrefix+extension))
	} else {
		header.Set(attributePrefix+extension, value)
	}
	return event{header: header, data: e.data}
}

// ttlExtension counts down the replies that an event may still lead to, as in Knative. The
// broker removes it before a delivery.
const ttlExtension = "knativebrokerttl"

// ttl returns the number of replies that an event may still lead to.
func (e event) ttl(defaultTTL int) int {
	n, err := strconv.Atoi(e.header.Get(attributePrefix + ttlExtension))
	if err != nil {
		return defaultTTL
	}
	return n
}

func (e event) withTTL(n int) event { return e.with(ttlExtension, strconv.Itoa(n)) }

// withTrace returns a copy of the event that is part of the context's trace, if any.
func (e event) withTrace(ctx context.Context) event {
	found := propagation.MapCarrier{}
	otel.GetTextMapPropagator().Inject(ctx, found)
	for _, name := range (propagation.TraceContext{}).Fields() {
		if value := found[name]; value != "" {
			e = e.with(name, value)
		}
	}
	return e
}

// trace returns a context that is part of the event's trace.
func (e event) trace(ctx context.Context) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(e.header))
}

// message returns the message with which the store keeps the event.
func (e event) message(subject string) *nats.Msg {
	return &nats.Msg{Subject: subject, Header: nats.Header(e.header), Data: e.data}
}

// eventOf returns the event in a message.
func eventOf(msg jetstream.Msg) event {
	header := http.Header{}
	for name, values := range msg.Headers() {
		if name == contentType || strings.HasPrefix(name, attributePrefix) {
			header[name] = values
		}
	}
	return event{header: header, data: msg.Data()}
}
