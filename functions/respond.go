package functions

import (
	"google.golang.org/protobuf/reflect/protoreflect"

	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// resultField is the name of the field that Response.GetResult reads.
const resultField protoreflect.Name = "result"

// NewRequest returns an empty request.
func NewRequest[Req Request]() Req {
	var none Req
	return none.ProtoReflect().Type().New().Interface().(Req)
}

// NewResponse returns a response with the given result and no facts.
func NewResponse[Resp Response](result *imageflowv1.ProcessingResult) Resp {
	var none Resp
	m := none.ProtoReflect().Type().New()
	m.Set(m.Descriptor().Fields().ByName(resultField), protoreflect.ValueOfMessage(result.ProtoReflect()))
	return m.Interface().(Resp)
}
