package event

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	cloudevent "github.com/cloudevents/sdk-go/v2/event"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/functions"
	"imageflow.dev/internal/jsonlimit"
	"imageflow.dev/internal/objects"
	"imageflow.dev/internal/queryparams"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// createdPrefix begins the types of the events of new objects, as the CloudEvents
// adapter for S3 has them.
const createdPrefix = "com.amazonaws.s3.ObjectCreated:"

// request makes the request that an event and a step's parameters, the query of
// its URL, ask for.
func request(p functions.Processor, e *cloudevent.Event, query string) (functions.Request, error) {
	req := p.NewRequest()
	values, err := queryparams.Parse(query)
	if err != nil {
		return req, functions.Errorf(functions.Invalid, "", "%v", err)
	}
	if err := setParameters(req, values); err != nil {
		return req, err
	}
	var input *imageflowv1.ImageData
	var execution string
	switch kind := e.Type(); {
	case strings.HasPrefix(kind, createdPrefix):
		input, err = objectOf(e)
	case strings.HasPrefix(kind, "dev.imageflow.") && strings.HasSuffix(kind, ".completed.v1"):
		input, execution, err = outputOf(e)
	default:
		err = functions.Errorf(functions.Invalid, "", "events of type %q are not understood here", clip(kind))
	}
	if err != nil {
		return req, err
	}
	set(req, "input_image", protoreflect.ValueOfMessage(input.ProtoReflect()))
	if execution != "" {
		set(req, "execution_id", protoreflect.ValueOfString(execution))
	}
	return req, nil
}

// setParameters reads a step's parameters into a request. One of the picture is
// an error, since the event brings it.
func setParameters(req functions.Request, values url.Values) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if path := queryparams.Path(req, name); path != nil && (path[0].Name() == "input_image" || path[0].Name() == "input_bytes") {
			return functions.Errorf(functions.Invalid, name, "no parameter of a step: the event says which picture")
		}
	}
	var bad *queryparams.Error
	err := queryparams.Read(req, values)
	if errors.As(err, &bad) {
		return functions.Errorf(functions.Invalid, bad.Name, "%s", bad.Reason)
	}
	return err
}

// objectOf reads the object that a store's record tells of.
func objectOf(e *cloudevent.Event) (*imageflowv1.ImageData, error) {
	var record objects.Record
	if jsonlimit.Check(e.Data(), limits) != nil || json.Unmarshal(e.Data(), &record) != nil {
		return nil, functions.Errorf(functions.Invalid, "data", "not the record of a new object")
	}
	key, err := record.Key()
	if err != nil || key == "" || record.Bucket() == "" {
		return nil, functions.Errorf(functions.Invalid, "data", "the record names no object")
	}
	if !utf8.ValidString(key) {
		return nil, functions.Errorf(functions.Invalid, "data", "the object's key is not UTF-8")
	}
	return &imageflowv1.ImageData{
		Bucket: record.Bucket(), ObjectKey: key, Etag: record.S3.Object.ETag,
	}, nil
}

// outputOf reads the output of the step before.
func outputOf(e *cloudevent.Event) (*imageflowv1.ImageData, string, error) {
	var data struct{ Result json.RawMessage }
	result := &imageflowv1.ProcessingResult{}
	err := jsonlimit.Check(e.Data(), limits)
	if err == nil {
		err = json.Unmarshal(e.Data(), &data)
	}
	if err == nil {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data.Result, result)
	}
	if err != nil {
		return nil, "", functions.Errorf(functions.Invalid, "data", "not the response of a step")
	}
	output := result.GetOutputImage()
	if output.GetObjectKey() == "" {
		return nil, "", functions.Errorf(functions.Invalid, "data", "the response of the step before names no output")
	}
	return &imageflowv1.ImageData{
		Bucket: output.GetBucket(), ObjectKey: output.GetObjectKey(), Etag: output.GetEtag(),
	}, result.GetMetadata()["execution_id"], nil
}

func set(m proto.Message, field protoreflect.Name, value protoreflect.Value) {
	r := m.ProtoReflect()
	r.Set(r.Descriptor().Fields().ByName(field), value)
}
