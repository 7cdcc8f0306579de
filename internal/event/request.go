package event

import (
	"errors"
	"maps"
	"net/url"
	"slices"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/functions"
	"imageflow.dev/internal/events"
	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/queryparams"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// newRequest returns the request for an event and the parameters of a step, which are
// the query of its URL.
func newRequest(p functions.Processor, e *cloudevent.Event, query string) (functions.Request, error) {
	req := p.NewRequest()
	values, err := queryparams.Parse(query)
	if err != nil {
		return req, functions.Errorf(functions.Invalid, "", "%v", err)
	}
	if err := setParameters(req, values); err != nil {
		return req, err
	}
	input, execution, err := inputOf(e)
	if err != nil {
		return req, err
	}
	set(req, "input_image", protoreflect.ValueOfMessage(input.ProtoReflect()))
	if execution != "" {
		set(req, "execution_id", protoreflect.ValueOfString(execution))
	}
	if inherited, ok := events.VariantOf.Get(e); ok && req.GetVariant() == "" {
		set(req, "variant", protoreflect.ValueOfString(inherited))
	}
	return req, nil
}

// setParameters sets the parameters of a step in a request. A parameter that names
// the input image is an error: the event names it.
func setParameters(req functions.Request, values url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if path := queryparams.Path(req, name); path != nil && (path[0].Name() == "input_image" || path[0].Name() == "input_bytes") {
			return functions.Errorf(functions.Invalid, name, "no parameter of a step: the event names the input image")
		}
	}
	var bad *queryparams.Error
	err := queryparams.Read(req, values)
	if errors.As(err, &bad) {
		return functions.Errorf(functions.Invalid, bad.Name, "%s", bad.Reason)
	}
	return err
}

// inputOf returns the image that an event is about, and its execution id. The id is empty for a
// new object: it follows from the object's key.
func inputOf(e *cloudevent.Event) (input *imageflowv1.ImageData, execution string, err error) {
	if err := checkData(e); err != nil {
		return nil, "", err
	}
	input, execution, err = events.Input(e)
	if err != nil {
		err = functions.Errorf(functions.Invalid, "data", "%v", err)
	}
	return input, execution, err
}

// checkData refuses data whose JSON exceeds the limits. In structured mode, base64
// hides it from the limits on the body.
func checkData(e *cloudevent.Event) error {
	if err := jsonlimit.Check(e.Data(), limits); err != nil {
		return functions.Errorf(functions.Invalid, "data", "%v", err)
	}
	return nil
}

// set sets a field of a message by its name.
func set(m proto.Message, field protoreflect.Name, value protoreflect.Value) {
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName(field), value)
}
