package broker

import (
	"bytes"
	"cmp"
	"context"
	"errors"
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

// event is a CloudEvent in HTTP's binary mode, which is also how it is stored:
// its data is carried byte by byte, whatever it claims to be.
type event struct {
	header http.Header // Ce-* and Content-Type
	data   []byte
}

const (
	attributePrefix = "Ce-"
	contentType     = "Content-Type"
)

// errNoEvent is of what does not even claim to be one.
var errNoEvent = errors.New("it is no CloudEvent")

// readEvent reads an event in binary or structured mode, and checks it.
func readEvent(header http.Header, body []byte) (event, error) {
	m := cehttp.NewMessage(header, io.NopCloser(bytes.NewReader(body)))
	switch m.ReadEncoding() {
	case binding.EncodingUnknown:
		return event{}, errNoEvent
	case binding.EncodingBatch:
		return event{}, errors.New("it is a batch of CloudEvents, which Knative's broker does not take either")
	}
	parsed, err := binding.ToEvent(context.Background(), m)
	if err != nil {
		return event{}, err
	}
	if parsed.SpecVersion() != "1.0" {
		return event{}, fmt.Errorf("its specversion is %q: only 1.0 is spoken here", parsed.SpecVersion())
	}
	if err := parsed.Validate(); err != nil {
		return event{}, err
	}
	binary := &http.Request{Header: http.Header{}}
	if err := cehttp.WriteRequest(binding.WithForceBinary(context.Background()), (*binding.EventMessage)(parsed), binary); err != nil {
		return event{}, err
	}
	if err := checkAttributeValues(binary.Header); err != nil {
		return event{}, err
	}
	if m.ReadEncoding() == binding.EncodingStructured { // else they are encoded already
		httpevent.Encode(binary.Header)
	}
	return event{header: binary.Header, data: parsed.Data()}, nil
}

// checkAttributeValues refuses what could not be sent on in a header.
func checkAttributeValues(header http.Header) error {
	size := 0
	for name := range header {
		value := header.Get(name)
		if size += len(name) + len(value); size > maxHeaderBytes {
			return fmt.Errorf("its attributes are larger than %d bytes", maxHeaderBytes)
		}
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("its attribute %s has a control character, which cannot be sent on", strings.TrimPrefix(name, attributePrefix))
		}
	}
	return nil
}

// attributes returns what filters see: the attributes and extensions by their
// names, and what Knative sees besides, which is a time where there is none and
// other names of two attributes. They hide extensions of such names.
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

// with returns the event with an extension set, or removed where the value is
// empty.
func (e event) with(extension, value string) event {
	header := maps.Clone(e.header)
	if value == "" {
		delete(header, http.CanonicalHeaderKey(attributePrefix+extension))
	} else {
		header.Set(attributePrefix+extension, value)
	}
	return event{header: header, data: e.data}
}

// hopsExtension counts down the replies that an event may still lead to, as in
// Knative. Subscribers do not see it.
const hopsExtension = "knativebrokerttl"

// hops returns how many replies an event may still lead to.
func (e event) hops(otherwise int) int {
	n, err := strconv.Atoi(e.header.Get(attributePrefix + hopsExtension))
	if err != nil {
		return otherwise
	}
	return n
}

func (e event) withHops(n int) event { return e.with(hopsExtension, strconv.Itoa(n)) }

// withTrace returns the event as a part of the context's trace, where there is
// one.
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

// trace returns a context in the event's trace.
func (e event) trace(ctx context.Context) context.Context {
	return otel.GetTextMapPropagator().Extract(ctx, propagation.HeaderCarrier(e.header))
}

// message makes a message of the store.
func (e event) message(subject string) *nats.Msg {
	return &nats.Msg{Subject: subject, Header: nats.Header(e.header), Data: e.data}
}

// stored returns the event of a message.
func stored(msg jetstream.Msg) event {
	header := http.Header{}
	for name, values := range msg.Headers() {
		if name == contentType || strings.HasPrefix(name, attributePrefix) {
			header[name] = values
		}
	}
	return event{header: header, data: msg.Data()}
}
