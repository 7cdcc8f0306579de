package functions

import (
	"context"
	"image"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"imageflow.dev/internal/imaging"
	"imageflow.dev/internal/processors"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Processor is a Definition without its types: New makes it, and all processors
// have this one type. Requests must come from NewRequest, or have its type. Its
// functions are documented at Definition; the same ones are nil.
type Processor struct {
	processors.Info

	Check     func(Request) error
	Reference func(r Request, before processors.Names) (object *imageflowv1.ImageData, field string)
	Describes func(r Request, reference []byte) []*imageflowv1.ImageData
	Identity  func(context.Context, Request) (string, error)
	Footprint func(Request, Input) int64
	Output    func(Request, Input) (field string, size image.Point)
	Apply     func(context.Context, Request, Input) (imaging.Encoded, Response, error)
	SideCar   func(Response) proto.Message
	Moves     func(r Request, reference []byte) bool

	// Renditions is nil if a request has one output.
	Renditions  *Renditions[Request, Response]
	NameImages  func(r Response, source, output *imageflowv1.ImageData)
	KeepsPlaces bool
	ReadsFrames func(Request) bool

	request, response protoreflect.MessageType
	result            protoreflect.FieldDescriptor
}

// resultField is the name of the field that Response.GetResult reads.
const resultField protoreflect.Name = "result"

// New makes a processor of its definition. It panics if the definition has a side-car and
// Info does not, or the reverse.
func New[Req Request, Resp Response](d Definition[Req, Resp]) Processor {
	var req Req
	var resp Resp
	p := Processor{
		Info: d.Info, KeepsPlaces: d.KeepsPlaces,
		request:  req.ProtoReflect().Type(),
		response: resp.ProtoReflect().Type(),
		Apply: func(ctx context.Context, r Request, in Input) (imaging.Encoded, Response, error) {
			out, resp, err := d.Apply(ctx, r.(Req), in)
			if err != nil {
				return out, nil, err
			}
			return out, resp, nil
		},
	}
	if p.HasSideCar != (d.SideCar != nil) || p.HasSideCar != (d.NameImages != nil) {
		panic("functions: " + p.Name + ": Info.HasSideCar does not fit the definition")
	}
	p.result = p.response.Descriptor().Fields().ByName(resultField)
	p.Check, p.ReadsFrames = untyped(d.Check), untyped(d.ReadsFrames)
	p.Renditions = untypedRenditions(d.Renditions)
	setReference(&p, d)
	if d.Identity != nil {
		p.Identity = func(ctx context.Context, r Request) (string, error) { return d.Identity(ctx, r.(Req)) }
	}
	if d.Footprint != nil {
		p.Footprint = func(r Request, in Input) int64 { return d.Footprint(r.(Req), in) }
	}
	if d.Output != nil {
		p.Output = func(r Request, in Input) (string, image.Point) { return d.Output(r.(Req), in) }
	}
	if d.Moves != nil {
		p.Moves = func(r Request, reference []byte) bool { return d.Moves(r.(Req), reference) }
	}
	if d.SideCar != nil {
		p.SideCar = func(r Response) proto.Message { return d.SideCar(r.(Resp)) }
		p.NameImages = func(r Response, source, output *imageflowv1.ImageData) { d.NameImages(r.(Resp), source, output) }
	}
	return p
}

// setReference sets the functions of a processor about its reference.
func setReference[Req Request, Resp Response](p *Processor, d Definition[Req, Resp]) {
	if d.Reference != nil {
		p.Reference = func(r Request, before processors.Names) (*imageflowv1.ImageData, string) {
			return d.Reference(r.(Req), before)
		}
	}
	if d.Describes != nil {
		p.Describes = func(r Request, reference []byte) []*imageflowv1.ImageData { return d.Describes(r.(Req), reference) }
	}
}

// untyped returns f for any request, or nil if f is nil.
func untyped[Req Request, T any](f func(Req) T) func(Request) T {
	if f == nil {
		return nil
	}
	return func(r Request) T { return f(r.(Req)) }
}

// NewRequest returns an empty request.
func (p Processor) NewRequest() Request { return p.request.New().Interface().(Request) }

// NewResponse returns a response with the given result and no metadata.
func (p Processor) NewResponse(result *imageflowv1.ProcessingResult) Response {
	m := p.response.New()
	m.Set(p.result, protoreflect.ValueOfMessage(result.ProtoReflect()))
	return m.Interface().(Response)
}
