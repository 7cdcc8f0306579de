// Package functions defines what a processor is. Each package below it is one:
// pixels and typed parameters in, pixels and typed facts out. A processor
// knows nothing of stores, brokers or protocols.
package functions

import (
	"context"

	"google.golang.org/protobuf/proto"

	"imageflow.dev/internal/imaging"
	imageflowv1 "imageflow.dev/proto/imageflow/v1"
)

// Request is what the requests of all processors have in common.
type Request interface {
	proto.Message
	GetInputImage() *imageflowv1.ImageData
	GetInputBytes() []byte
	GetOutputImage() *imageflowv1.ImageData
	GetExecutionId() string
}

// Response is what the responses of all processors have in common.
type Response interface {
	proto.Message
	GetResult() *imageflowv1.ProcessingResult
}

// Input is one picture and what to do with it.
type Input[Req Request] struct {
	// Image has passed the header checks; it is decoded as far as the
	// processor asks.
	Image *imaging.Image
	// Request has passed the contract's rules and the processor's Check.
	Request Req
	// Format is the one wanted for the output.
	Format imaging.Format
	// Reference is the content of the object that Processor.Reference names;
	// nil when it names none.
	Reference []byte
	// Watch measures a part of the work; nil measures nothing. See Stage.
	Watch func(ctx context.Context, stage string) (within context.Context, end func())
}

// Stage starts a part of the work that is worth a look of its own: "decode",
// "infer" or "encode". The function that it returns ends it. Where a library does
// several at once, they are none.
func (in Input[Req]) Stage(ctx context.Context, name string) (within context.Context, end func()) {
	if in.Watch == nil {
		return ctx, func() {}
	}
	return in.Watch(ctx, name)
}

// Pixels decodes the picture, as a stage.
func (in Input[Req]) Pixels(ctx context.Context) (*imaging.Pixels, error) {
	within, end := in.Stage(ctx, "decode")
	defer end()
	return in.Image.Pixels(within)
}

// Processor is one kind of work, described as a value.
type Processor[Req Request, Resp Response] struct {
	// Name is the role and the step: "resize", "detect", "filter".
	Name string
	// Suffix ends the names of outputs: "<execution id>_<suffix>.<ext>".
	Suffix string
	// Service is the full name of its gRPC service. Of its methods the one
	// from Req to Resp is the unary call, the one between streams of them
	// the stream.
	Service string
	// Check refuses, before anything is fetched, what the contract's rules
	// cannot express; nil checks nothing.
	Check func(Req) error
	// Reference names an object that Apply needs beside the picture; nil, or
	// a nil result, names none.
	Reference func(Req) *imageflowv1.ImageData
	// Variant names what decides the output besides the request and the picture,
	// such as the version of a model; nil, nothing does.
	Variant func(context.Context, Req) (string, error)
	// Footprint returns the most bytes of memory that Apply takes, by the image's
	// header and the format of the output; nil is for decoding in full, changing and
	// encoding. It may return 0 for what Apply refuses.
	Footprint func(Req, imaging.Header, imaging.Format) int64
	// Apply does the work. The response comes with its facts filled and with
	// an empty, non-nil result, which the caller completes. Errors about the
	// input are of this package's kinds or imaging's; any other error is
	// internal. Apply is called concurrently.
	Apply func(context.Context, Input[Req]) (imaging.Encoded, Resp, error)
	// SideCar chooses what is stored as JSON beside the output; nil, nothing.
	SideCar func(Resp) proto.Message
}
